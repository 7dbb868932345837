#include "train/gates/gate-sums.h"

#include <math.h>

void gate_sums_add(GateSum *sums, const TrainingPass *pass)
{
  const Decisions *decisions = &pass->decisions;
  for (guint module = 0; module < 2 * pass->network->description->depth; module++) {
    GateSum *sum = &sums[module];
    for (guint i = 0; i < pass->n_images; i++) {
      const gsize at = (gsize)module * pass->capacity + i;
      const double logit = decisions->logit[at];
      sum->open += decisions->open[at] * decisions->rate[at];
      sum->logit += logit;
      sum->square += logit * logit;
    }
    sum->n += pass->n_images;
  }
}

double gate_sums_open(const GateSum *sums, const Description *d)
{
  double open = 0, n = 0;
  for (guint module = 0; module < 2 * d->depth; module++)
    if (description_has_gate(d, module)) {
      open += sums[module].open;
      n += sums[module].n;
    }
  return n > 0 ? open / n : 1;
}

double gate_sum_spread(const GateSum *sum)
{
  const double mean = sum->logit / sum->n;
  return sqrt(MAX(0, sum->square / sum->n - mean * mean));
}

JsonArray *gate_sums_usage(const GateSum *sums, const Description *d)
{
  JsonArray *array = json_array_new();
  for (guint module = 0; module < 2 * d->depth; module++) {
    const BlockShape *shape = &d->blocks[module / 2];
    if (module % 2 ? shape->neurons : shape->heads)
      json_array_add_double_element(array, sums[module].open / sums[module].n);
    else
      json_array_add_null_element(array);
  }
  return array;
}

JsonArray *gate_sums_spreads(const GateSum *sums, const Description *d)
{
  JsonArray *array = json_array_new();
  for (guint module = 0; module < 2 * d->depth; module++)
    if (description_has_gate(d, module))
      json_array_add_double_element(array, gate_sum_spread(&sums[module]));
    else
      json_array_add_null_element(array);
  return array;
}
