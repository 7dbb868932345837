#include "precision-record.h"

/* @labels: (out caller-allocates): [held_out->n]
 * Returns: FALSE with VITGATE_ERROR_* */
static gboolean find_labels(const char *path, VitgatePrecision precision, const HeldOut *h,
                            guint *labels, GError **error)
{
  g_autoptr(VitgateModel) model = vitgate_model_open_with(path, precision, error);
  g_autoptr(VitgateSession) session = model ? vitgate_session_new(model, NULL, error) : NULL;
  for (guint i = 0; session && i < h->n; i++) {
    const VitgateResult *result =
        vitgate_session_forward(session, h->tensors + i * h->pixels, 1, error);
    if (!result)
      return FALSE;
    labels[i] = loss_best(result->logits, result->n_classes);
  }
  return session != NULL;
}

gboolean precision_record(const char *path, const HeldOut *h, double *agreement, GError **error)
{
  g_autofree guint *labels = g_new(guint, h->n), *found = g_new(guint, h->n);
  if (!find_labels(path, VITGATE_PRECISION_FLOAT32, h, labels, error))
    return FALSE;
  for (guint p = VITGATE_PRECISION_BF16; p < VITGATE_N_PRECISIONS; p++) {
    g_autoptr(GError) failure = NULL;
    guint n_same = 0;
    if (!find_labels(path, (VitgatePrecision)p, h, found, &failure)) {
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
