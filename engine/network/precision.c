#include "network/precision.h"

#include "base/error.h"
#include "file/architecture.h"
#include "kernels/bf16.h"
#include "kernels/int8.h"

/* Maximum loss of agreement with the teacher for a precision that AUTO chooses. */
#define MAX_LOSS 0.015

static const char *const names[] = {
  [VITGATE_PRECISION_AUTO] = "auto",
  [VITGATE_PRECISION_FLOAT32] = "float32",
  [VITGATE_PRECISION_BF16] = "bf16",
  [VITGATE_PRECISION_INT8] = "int8",
};

const char *vitgate_precision_name(VitgatePrecision precision)
{
  return (guint)precision < G_N_ELEMENTS(names) ? names[precision] : "unknown";
}

gboolean vitgate_precision_parse(const char *name, VitgatePrecision *precision, GError **error)
{
  for (guint i = 0; i < G_N_ELEMENTS(names); i++)
    if (!g_strcmp0(name, names[i])) {
      *precision = (VitgatePrecision)i;
      return TRUE;
    }
  vitgate__set_error(error, VITGATE_ERROR_ARGUMENT,
                     "unknown precision \"%s\", expected auto, float32, bf16 or int8", name);
  return FALSE;
}

gboolean vitgate__precision_check(VitgatePrecision precision, GError **error)
{
  if ((guint)precision >= VITGATE_N_PRECISIONS) {
    vitgate__set_error(error, VITGATE_ERROR_ARGUMENT, "precision %u does not exist",
                       (guint)precision);
    return FALSE;
  }
  if (precision == VITGATE_PRECISION_BF16 && !vitgate__bf16_kernels()) {
    vitgate__set_error(error, VITGATE_ERROR_UNSUPPORTED,
                       "this CPU has no instructions for bf16 (AVX-512 BF16, AMX or ARM's BF16); "
                       "use float32 or int8");
    return FALSE;
  }
  return TRUE;
}

/* Returns: the maximum number of tokens that an attention runs on; a transformer stem has 16 for
 * each patch */
static guint64 attended_tokens(const Description *d)
{
  const gboolean attends = d->token_dim && !d->n_features;
  return attends ? (guint64)16 * vitgate__description_n_patches(d)
                 : vitgate__description_n_tokens(d);
}

gboolean vitgate__precision_check_tokens(VitgatePrecision precision, const Description *d,
                                         const char *path, GError **error)
{
  const guint64 tokens = attended_tokens(d);
  if (precision != VITGATE_PRECISION_INT8 || tokens <= INT8_MOST_K)
    return TRUE;
  vitgate__set_error(error, VITGATE_ERROR_UNSUPPORTED,
                     "%s: attention over %" G_GUINT64_FORMAT
                     " tokens, expected at most %d for int8; open the model in float32",
                     path, tokens, INT8_MOST_K);
  return FALSE;
}

VitgatePrecision vitgate__precision_choose(const Description *d)
{
  /* Fastest first. */
  static const VitgatePrecision order[] = { VITGATE_PRECISION_INT8, VITGATE_PRECISION_BF16 };
  const double *agreement = d->agreement, whole = agreement[VITGATE_PRECISION_FLOAT32];
  for (guint i = 0; i < G_N_ELEMENTS(order); i++) {
    const gboolean fast = order[i] == VITGATE_PRECISION_BF16 ? vitgate__bf16_is_fast()
                                                             : attended_tokens(d) <= INT8_MOST_K;
    if (fast && agreement[order[i]] > 0 && agreement[order[i]] >= whole - MAX_LOSS)
      return order[i];
  }
  return VITGATE_PRECISION_FLOAT32;
}
