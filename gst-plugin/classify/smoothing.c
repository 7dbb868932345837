/* smoothing.c: averages class probabilities over time, and keeps labels steady. */
#include "classify/smoothing.h"

#include <math.h>
#include <string.h>

/* Seconds that may be missing: elements that drop a frame mark the next one as discontinuous. */
#define LONG_GAP 1.0

enum {
  NEVER_SHOWN,
  SHOWN,
  NO_LONGER_SHOWN,
};

gsize gst_vitgate_smoothing_size(guint n_classes)
{
  return n_classes * (sizeof(float) + sizeof(guint8));
}

void gst_vitgate_smoothing_init(GstVitgateSmoothing *s, guint n_classes, gpointer memory)
{
  *s = (GstVitgateSmoothing){ .n_classes = n_classes, .mean = memory };
  s->shown = (guint8 *)(s->mean + n_classes);
  gst_vitgate_smoothing_restart(s);
}

void gst_vitgate_smoothing_restart(GstVitgateSmoothing *s)
{
  memset(s->mean, 0, gst_vitgate_smoothing_size(s->n_classes));
  s->n = 0;
  s->best = -1;
}

void gst_vitgate_smoothing_copy(GstVitgateSmoothing *to, const GstVitgateSmoothing *from)
{
  const GstVitgateSmoothing own = *to;

  *to = *from;
  to->mean = own.mean;
  to->shown = own.shown;
  memcpy(to->mean, from->mean, gst_vitgate_smoothing_size(from->n_classes));
}

/* Returns: seconds from the last result to @moment; below 0 if the stream jumped back; NAN if
 * unknown. */
static double elapsed(const GstVitgateSmoothing *s, const GstVitgateSmoothingMoment *moment)
{
  GstClockTimeDiff time;

  if (GST_CLOCK_TIME_IS_VALID(moment->time) && GST_CLOCK_TIME_IS_VALID(s->last.time))
    time = GST_CLOCK_DIFF(s->last.time, moment->time) * (moment->backwards ? -1 : 1);
  else if (moment->frame_duration > 0)
    time = (moment->frame - s->last.frame) * moment->frame_duration;
  else
    return NAN;
  return (double)time / GST_SECOND;
}

void gst_vitgate_smoothing_add(GstVitgateSmoothing *s, const GstVitgateSmoothingOptions *options,
                               const GstVitgateSmoothingMoment *moment, const float *probabilities)
{
  const double seconds = s->n > 0 ? elapsed(s, moment) : 0;
  double weight = 1;

  if (!(seconds >= 0) || (moment->discontinuous && seconds > MAX(options->time_constant, LONG_GAP)))
    gst_vitgate_smoothing_restart(s);
  s->n++;
  s->last = *moment;
  if (options->time_constant > 0)
    weight = MAX(-expm1(-seconds / options->time_constant), 1.0 / s->n);
  for (guint i = 0; i < s->n_classes; i++) {
    const double mean = s->mean[i] + weight * ((double)probabilities[i] - s->mean[i]);

    /* A network may overflow once; its averages must not stay at NaN. */
    s->mean[i] = isnan(mean) ? probabilities[i] : (float)mean;
  }
}

static void update_shown(GstVitgateSmoothing *s, guint i, double hysteresis, float threshold)
{
  /* Near 1 there is not enough room for the hysteresis. */
  const double return_threshold = threshold + MIN(hysteresis, (1 - threshold) / 2);
  const double least = s->shown[i] == NO_LONGER_SHOWN ? return_threshold : threshold;

  if (s->mean[i] >= least)
    s->shown[i] = SHOWN;
  else if (s->shown[i] == SHOWN)
    s->shown[i] = NO_LONGER_SHOWN;
}

void gst_vitgate_smoothing_choose(GstVitgateSmoothing *s, double hysteresis, float threshold)
{
  gint leader = -1;

  if (s->n == 0)
    return;
  if (s->threshold != threshold) {
    memset(s->shown, NEVER_SHOWN, s->n_classes);
    s->threshold = threshold;
  }
  for (guint i = 0; i < s->n_classes; i++) {
    update_shown(s, i, hysteresis, threshold);
    if (s->shown[i] == SHOWN && (leader < 0 || s->mean[i] > s->mean[leader]))
      leader = (gint)i;
  }
  if (leader < 0 || s->best < 0 || s->shown[s->best] != SHOWN ||
      (s->mean[leader] > s->mean[s->best] && s->mean[leader] >= s->mean[s->best] + hysteresis))
    s->best = leader;
}

gboolean gst_vitgate_smoothing_is_shown(const GstVitgateSmoothing *s, guint i)
{
  return s->shown[i] == SHOWN;
}
