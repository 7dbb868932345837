/* Counting how often a model is right. */
#pragma once

#include <glib.h>

typedef struct {
  guint64 images;   /* seen */
  guint64 labelled; /* of these, with a known class: what the following refer to */
  guint64 top1, top5;
  guint64 among_present; /* the best among the classes that are present is the right one */
} Accuracy;

/* Counts one image.
 * @scores: [n_classes], higher is likelier; of equal ones the lower index comes first
 * @class: the right one, or -1 where none is known
 * @present: [n_classes] whether a class counts for among_present */
void accuracy_count(Accuracy *accuracy, const float *scores, guint n_classes, int class,
                    const guint8 *present);

/* Returns: hits in per cent of all labelled, or NaN without any */
double accuracy_percent(guint64 hits, const Accuracy *accuracy);
