#include "network/dial.h"

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
  dial->gate_bias = (float)(low->gate_bias + t * (high->gate_bias - low->gate_bias));
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
