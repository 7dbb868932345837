#include "network/dial.h"

/* Open token gates are no number to interpolate to: below such a point, its neighbour's bias
 * applies. */
static float bias_between(double low, double high, double t)
{
  if (high >= TOKEN_GATES_OPEN && low < TOKEN_GATES_OPEN)
    return (float)(t < 1 ? low : high);
  return (float)(low + t * (high - low));
}

void vitgate__dial_set(Dial *dial, const Description *d, double compute)
{
  const CalibrationPoint *points = d->calibration;
  *dial = (Dial){ .compute = 1 };
  for (guint b = 0; b < d->depth; b++)
    dial->thresholds[b] = MERGE_NEVER;
  if (!d->n_calibration)
    return;
  guint above = 0;
  while (above + 1 < d->n_calibration && points[above].compute < compute)
    above++;
  const CalibrationPoint *high = &points[above], *low = above ? high - 1 : high;
  const double span = high->compute - low->compute;
  const double t = span > 0 ? CLAMP((compute - low->compute) / span, 0, 1) : 1;
  dial->compute = low->compute + t * span;
  dial->gate_bias = bias_between(low->gate_bias, high->gate_bias, t);
  for (guint b = 0; b < d->depth; b++)
    dial->thresholds[b] =
        (float)(low->thresholds[b] + t * (high->thresholds[b] - low->thresholds[b]));
}

gboolean vitgate__dial_merges(const Description *d)
{
  for (guint i = 0; i < d->n_calibration; i++)
    for (guint b = 0; b < d->depth; b++)
      if (d->calibration[i].thresholds[b] < MERGE_NEVER)
        return TRUE;
  return FALSE;
}
