#include "train/dial/precision-record.h"

#include <math.h>

#include "base/command-error.h"
#include "base/progress.h"
#include "base/ranks.h"
#include "data/split.h"
#include "report/accuracy.h"
#include "report/gate-usage.h"
#include "report/module-numbers.h"

#define PHOTOGRAPHS 512
#define BATCH       32

/* Classifies the photographs with the model @path.
 * @shared: each rank calls this and runs its slice of the photographs; they gather the labels
 * @labels: (out caller-allocates): [held_out->n], see accuracy_answer()
 * @tokens: (out) (optional) (transfer full): see module-numbers.h; not with @shared
 * Returns: FALSE with VITGATE_ERROR_* */
static gboolean find_labels(const char *path, VitgatePrecision precision, const HeldOut *h,
                            gboolean shared, guint *labels, double **tokens, GError **error)
{
  static const char *const phases[VITGATE_N_PRECISIONS] = {
    [VITGATE_PRECISION_FLOAT32] = "comparing products in float32",
    [VITGATE_PRECISION_BF16] = "comparing products in bf16",
    [VITGATE_PRECISION_INT8] = "comparing products in int8",
  };
  g_autoptr(VitgateModel) model = vitgate_model_open_with(path, precision, error);
  g_autoptr(VitgateSession) session = model ? vitgate_session_new(model, NULL, error) : NULL;
  const VitgateModelInfo *info = model ? vitgate_model_get_info(model) : NULL;
  const guint n_modules = info ? 2 * info->depth : 0;
  g_autofree double *means = g_new0(double, n_modules + 1);
  const guint first = shared ? ranks_slice(h->n, ranks_own()) : 0;
  const guint end = shared ? ranks_slice(h->n, ranks_own() + 1) : h->n;
  Progress progress = progress_start_phase(phases[precision], end, "images");
  gboolean fine = session != NULL;
  for (guint i = first; fine && i < end; i++) {
    const VitgateResult *result =
        vitgate_session_forward(session, h->tensors + i * h->pixels, 1, error);
    if (!(fine = result != NULL))
      break;
    labels[i] = accuracy_answer(result, info->activation);
    for (guint m = 0; m < n_modules; m++)
      means[m] +=
          module_numbers_has_module(info, m) ? (double)result->module_tokens[m] / h->n : NAN;
    progress_update(&progress, i + 1);
  }
  progress_clear(&progress);
  if (shared && (fine = ranks_all_fine(fine, error)))
    ranks_gather(labels, h->n, sizeof *labels);
  if (fine && tokens)
    *tokens = g_steal_pointer(&means);
  return fine;
}

/* @shared: see find_labels() */
static gboolean record(const char *path, const HeldOut *h, gboolean shared, const guint *labels,
                       double *agreement, double **tokens, GError **error)
{
  g_autofree guint *found = g_new(guint, h->n);
  for (guint p = VITGATE_PRECISION_FLOAT32; p < VITGATE_N_PRECISIONS; p++) {
    g_autoptr(GError) failure = NULL;
    guint n_same = 0;
    if (!find_labels(path, (VitgatePrecision)p, h, shared, found,
                     p == VITGATE_PRECISION_FLOAT32 ? tokens : NULL, &failure)) {
      if (g_error_matches(failure, VITGATE_ERROR, VITGATE_ERROR_UNSUPPORTED))
        continue;
      g_propagate_error(error, g_steal_pointer(&failure));
      return FALSE;
    }
    for (guint i = 0; i < h->n; i++)
      n_same += found[i] == labels[i];
    agreement[p] = (double)n_same / h->n;
  }
  return TRUE;
}

gboolean precision_record(const char *path, const HeldOut *h, const guint *labels,
                          double *agreement, double **tokens, GError **error)
{
  return record(path, h, FALSE, labels, agreement, tokens, error);
}

static HeldOut *read_photographs(const VitgateModelInfo *info, const char *const *data,
                                 gboolean held_out, DecodeOrientation orientation, GError **error)
{
  const CollectionOptions options = { .paths = data,
                                      .held_out = held_out ? SPLIT_HELD_OUT : 0,
                                      .orientation = orientation };
  g_autoptr(Collection) collection = collection_open(&options, info, error);
  return collection ? held_out_new(collection, NULL, PHOTOGRAPHS, BATCH, 1, FALSE, error) : NULL;
}

/* @teacher: path of a model
 * Returns: (transfer full): the photographs to compare both models on, or NULL with an error */
static HeldOut *prepare(const char *path, const char *teacher, const char *const *data,
                        gboolean held_out, DecodeOrientation orientation, GError **error)
{
  g_autoptr(VitgateModel) model = vitgate_model_open_with(path, VITGATE_PRECISION_FLOAT32, error);
  g_autoptr(VitgateModel) other =
      model ? vitgate_model_open_with(teacher, VITGATE_PRECISION_FLOAT32, error) : NULL;
  if (!other)
    return NULL;
  const VitgateModelInfo *info = vitgate_model_get_info(model);
  const guint n_classes = vitgate_model_get_info(other)->n_classes;
  if (n_classes != info->n_classes) {
    g_set_error(error, COMMAND_ERROR, COMMAND_ERROR_DATA,
                "%s: the reference has %u classes, but the model has %u", teacher, n_classes,
                info->n_classes);
    return NULL;
  }
  return read_photographs(info, data, held_out, orientation, error);
}

guint precision_record_data(const char *path, const char *reference, const char *const *data,
                            gboolean held_out, DecodeOrientation orientation, double *agreement,
                            GError **error)
{
  const char *teacher = reference ? reference : path;
  HeldOut *photographs = prepare(path, teacher, data, held_out, orientation, error);
  guint n = photographs ? photographs->n : 0;
  if (!ranks_all_fine(n > 0, error) ||
      !ranks_check_same_data("photographs", photographs->tensors,
                             n * photographs->pixels * sizeof(float), error)) {
    held_out_free(&photographs);
    return 0;
  }
  g_autofree guint *labels = g_new(guint, n);
  if (!find_labels(teacher, VITGATE_PRECISION_FLOAT32, photographs, TRUE, labels, NULL, error) ||
      !record(path, photographs, TRUE, labels, agreement, NULL, error))
    n = 0;
  held_out_free(&photographs);
  return n;
}
