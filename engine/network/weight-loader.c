#include "network/weight-loader.h"

#include <string.h>

#include "base/arena.h"
#include "file/tensor-specs.h"
#include "file/weights.h"

void vitgate__load_measure(const GArray *specs, VitgatePrecision precision, gsize *total,
                           gsize *largest)
{
  *total = *largest = 0;
  for (guint i = 0; i < specs->len; i++) {
    const TensorSpec *spec = &g_array_index(specs, TensorSpec, i);
    gsize columns = 1;
    for (guint j = 1; j < spec->n_dims; j++)
      columns *= spec->shape[j];
    /* The matrices of a gate are not packed as layers. */
    const gboolean matrix =
        (spec->n_dims == 2 || spec->n_dims == 4) && !strstr(spec->name, "_gate.");
    const gboolean exact =
        g_str_has_suffix(spec->name, ".w") || g_str_has_prefix(spec->name, "unknown.");
    const VitgatePrecision own = exact ? VITGATE_PRECISION_FLOAT32 : precision;
    *total += matrix ? vitgate__linear_size(own, (guint)spec->shape[0], (guint)columns)
                     : vitgate__round_up(spec->shape[0] * columns);
    *largest = MAX(*largest, spec->shape[0] * (columns + 1));
  }
}

void vitgate__load_values(WeightLoader *loader, float *values, const char *prefix, const char *name)
{
  g_autofree char *full = name ? g_strdup_printf("%s.%s", prefix, name) : g_strdup(prefix);
  if (loader->read)
    loader->read(loader->source, full, values);
  else if (!loader->failed)
    loader->failed = !vitgate__weights_read_folded(loader->file, full, values, loader->error);
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
