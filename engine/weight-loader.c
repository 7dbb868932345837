#include "weight-loader.h"

#include <string.h>

#include "weights.h"

void vitgate__load_values(WeightLoader *loader, float *values, const char *prefix, const char *name)
{
  g_autofree char *full = name ? g_strdup_printf("%s.%s", prefix, name) : g_strdup(prefix);
  if (!loader->failed)
    loader->failed = !vitgate__weights_read(loader->file, full, values, loader->error);
}

float *vitgate__load_vector(WeightLoader *loader, const char *prefix, const char *name, gsize n)
{
  float *values = loader->next;
  loader->next += vitgate__round_up(n);
  vitgate__load_values(loader, values, prefix, name);
  return values;
}

LayerNorm vitgate__load_norm(WeightLoader *loader, const char *name, guint n)
{
  return (LayerNorm){
    .scale = vitgate__load_vector(loader, name, "weight", n),
    .shift = vitgate__load_vector(loader, name, "bias", n),
  };
}

float *vitgate__load_affine(WeightLoader *loader, const char *name, gboolean biased, guint n_out,
                            guint n_in)
{
  float *bias = loader->scratch + (gsize)n_out * n_in;
  vitgate__load_values(loader, loader->scratch, name, "weight");
  if (biased)
    vitgate__load_values(loader, bias, name, "bias");
  else
    memset(bias, 0, n_out * sizeof *bias);
  return bias;
}

Linear vitgate__load_packed(WeightLoader *loader, VitgatePrecision precision, const float *weight,
                            const float *bias, guint n_out, guint n_in)
{
  Linear linear = { 0 };
  loader->next = vitgate__linear_init(&linear, precision, loader->next, weight, bias, n_out, n_in);
  return linear;
}

Linear vitgate__load_linear(WeightLoader *loader, const char *name, gboolean biased, guint n_out,
                            guint n_in)
{
  const float *bias = vitgate__load_affine(loader, name, biased, n_out, n_in);
  return vitgate__load_packed(loader, loader->precision, loader->scratch, bias, n_out, n_in);
}
