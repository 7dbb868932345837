#include "network/logit-control.h"

#include <string.h>

/* What is remembered of the images before. All arrays are by module and then by patch. */
struct _LogitControl {
  LogitControlKind kind;
  guint n_patches;
  GRand *random;
  guint32 *n_seen; /* images */
  float *last;     /* logits of the image before */
  guint *n_last;   /* their number */
  double *sums;    /* of the logits of all images */
  float *own;      /* [n_patches] */
};

LogitControl *vitgate__logit_control_new(LogitControlKind kind, const Description *d)
{
  if (kind == LOGIT_CONTROL_NONE)
    return NULL;
  LogitControl *control = g_new0(LogitControl, 1);
  const guint modules = 2 * d->depth, n = vitgate__description_n_patches(d);
  control->kind = kind;
  control->n_patches = n;
  control->random = g_rand_new_with_seed(0);
  control->n_seen = g_new0(guint32, modules);
  control->last = g_new0(float, (gsize)modules *n);
  control->n_last = g_new0(guint, modules);
  control->sums = g_new0(double, (gsize)modules *n);
  control->own = g_new0(float, n);
  return control;
}

void vitgate__logit_control_free(LogitControl **control)
{
  LogitControl *c = g_steal_pointer(control);
  if (!c)
    return;
  g_rand_free(c->random);
  g_free(c->n_seen);
  g_free(c->last);
  g_free(c->n_last);
  g_free(c->sums);
  g_free(c->own);
  g_free(c);
}

static void permute(LogitControl *control, float *logits, guint n, guint module)
{
  const guint32 seed[] = { module, control->n_seen[module] };
  g_rand_set_seed_array(control->random, seed, G_N_ELEMENTS(seed));
  for (guint i = n; i > 1; i--) {
    const guint j = (guint)g_rand_int_range(control->random, 0, (gint32)i);
    const float other = logits[j];
    logits[j] = logits[i - 1];
    logits[i - 1] = other;
  }
}

static void take_last(LogitControl *control, float *logits, guint n, guint module)
{
  float *last = control->last + (gsize)module * control->n_patches;
  const guint n_last = control->n_last[module];
  memcpy(control->own, logits, n * sizeof *logits);
  for (guint i = 0; n_last && i < n; i++)
    logits[i] = last[i * n_last / n];
  memcpy(last, control->own, n * sizeof *logits);
  control->n_last[module] = n;
}

static void take_mean(LogitControl *control, float *logits, guint n, guint module)
{
  const guint all = control->n_patches;
  double *sums = control->sums + (gsize)module * all;
  for (guint p = 0; p < all; p++)
    sums[p] += logits[p * n / all];
  for (guint i = 0; i < n; i++)
    logits[i] = (float)(sums[i * all / n] / (control->n_seen[module] + 1));
}

void vitgate__logit_control_apply(LogitControl *control, ImageState *images, guint n_images,
                                  guint module, guint n_prefix)
{
  for (guint i = 0; i < n_images; i++) {
    float *logits = images[i].token_logits + n_prefix;
    const guint n = images[i].n_tokens - n_prefix;
    if (control->kind == LOGIT_CONTROL_RANDOM)
      permute(control, logits, n, module);
    else if (control->kind == LOGIT_CONTROL_SHUFFLED)
      take_last(control, logits, n, module);
    else
      take_mean(control, logits, n, module);
    control->n_seen[module]++;
  }
}
