/* Cross-validation: chooses the views and the penalty of a fit, and says what to expect of it. */
#pragma once

#include "teach/calibration.h"
#include "teach/examples.h"

typedef struct {
  guint *folds; /* [examples] */
  guint n_folds;
  const Examples *const *by_fold; /* (nullable) [n_folds] not owned; see cross_run_folds() */
  guint n_views;                  /* chosen */
  double penalty;                 /* chosen */
  double factor;                  /* by which to multiply logits: see calibration.h */
  double loss;                    /* negative log-likelihood with that */
  float *logits;  /* [examples][classes]: of the first view of each, by the fit without its fold;
                     before @factor */
  guint8 **shown; /* [examples] */
  Predictions predictions; /* the same, for calibration.h */
} Cross;

/* @examples: sorted; at least two groups
 * @sigmoid: examples may show several classes
 * Returns: (transfer full) */
Cross *cross_run(const Examples *examples, gboolean sigmoid, guint threads);

/* The same, with given folds.
 * @folds: [examples]
 * @by_fold: (nullable) [n_folds]: for each fold, the examples with features of a network that was
 *   trained without it; must outlive the result
 * Returns: (transfer full) */
Cross *cross_run_folds(const Examples *examples, const guint *folds, guint n_folds,
                       const Examples *const *by_fold, gboolean sigmoid, guint threads);

/* Frees *@cross, which may be NULL, and nulls it. */
void cross_free(Cross **cross);

static inline void cross_cleanup(Cross *cross)
{
  cross_free(&cross);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Cross, cross_cleanup)
