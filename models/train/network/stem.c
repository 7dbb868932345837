#include "train/network/stem.h"

#include <stdlib.h>
#include <string.h>

#include "network/families/t2t.h"

struct _Stem {
  const Network *network;
  T2t t2t;
  float *weights, *scratch; /* packed; and before they are packed */
  guint n_members;
  T2tWork *works;  /* [n_members] */
  float **tensors; /* [n_members][3][image_size][image_size] */
  float **windows; /* [n_members][values of a patch] */
  float *memory;   /* of the works */
};

static float *allocate(gsize n)
{
  float *memory = aligned_alloc(64, (n + 15) / 16 * 16 * sizeof *memory);
  if (!memory)
    g_error("no memory for %" G_GSIZE_FORMAT " values of a stem", n);
  return memory;
}

Stem *stem_new(const Network *network, guint n_members)
{
  const Description *d = network->description;
  if (!d->stem)
    return NULL;
  Stem *stem = g_new0(Stem, 1);
  gsize total, largest;
  vitgate__t2t_measure(d, VITGATE_PRECISION_FLOAT32, &total, &largest);
  stem->network = network;
  stem->weights = allocate(total);
  stem->scratch = allocate(largest);
  stem->t2t = (T2t){ .description = d, .precision = VITGATE_PRECISION_FLOAT32 };
  stem->n_members = n_members;
  stem->works = g_new0(T2tWork, n_members);
  stem->tensors = g_new0(float *, n_members);
  stem->windows = g_new0(float *, n_members);
  const gsize each = vitgate__t2t_carve(&stem->works[0], NULL, &stem->t2t);
  stem->memory = allocate(each * n_members);
  for (guint i = 0; i < n_members; i++) {
    vitgate__t2t_carve(&stem->works[i], stem->memory + i * each, &stem->t2t);
    stem->tensors[i] = g_new(float, (gsize)3 * d->image_size * d->image_size);
    stem->windows[i] = g_new(float, vitgate__description_patch_values(d));
  }
  return stem;
}

void stem_free(Stem **stem)
{
  Stem *s = g_steal_pointer(stem);
  if (!s)
    return;
  for (guint i = 0; i < s->n_members; i++) {
    g_free(s->tensors[i]);
    g_free(s->windows[i]);
  }
  g_free(s->tensors);
  g_free(s->windows);
  g_free(s->works);
  free(s->memory);
  free(s->weights);
  free(s->scratch);
  g_free(s);
}

static void read_parameter(gconstpointer source, const char *name, float *values)
{
  const Network *network = source;
  const Parameter *p = network_find(network, name);
  for (gsize i = 0; i < p->n; i++)
    values[i] = (float)network->values[p->offset + i];
}

void stem_pack(Stem *stem)
{
  WeightLoader loader = { .read = read_parameter,
                          .source = stem->network,
                          .precision = VITGATE_PRECISION_FLOAT32,
                          .next = stem->weights,
                          .scratch = stem->scratch };
  vitgate__t2t_load(&stem->t2t, &loader, stem->network->description);
}

/* The engine has a window's values by place, then channel; the weights by channel, then place. */
void stem_run(const Stem *stem, guint member, real *windows, const real *tensor)
{
  const Description *d = stem->network->description;
  const guint n_values = vitgate__description_patch_values(d), n = d->token_dim;
  float *pixels = stem->tensors[member], *window = stem->windows[member];
  for (gsize i = 0; i < (gsize)3 * d->image_size * d->image_size; i++)
    pixels[i] = (float)tensor[i];
  vitgate__t2t_run(&stem->t2t, &stem->works[member], NULL, 0, 1, pixels);
  for (guint p = 0; p < vitgate__description_n_patches(d); p++, windows += n_values) {
    vitgate__t2t_unfold(&stem->t2t, &stem->works[member], window, p, 1);
    for (guint i = 0; i < n_values; i++)
      windows[i % n * (n_values / n) + i / n] = window[i];
  }
}
