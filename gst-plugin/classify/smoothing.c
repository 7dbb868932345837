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
  s->unknown = 0;
  s->unknown_shown = NEVER_SHOWN;
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

/* A network may overflow once; its averages must not stay at NaN. */
static float average(float mean, float value, double weight)
{
  const double next = mean + weight * ((double)value - mean);

  return isnan(next) ? value : (float)next;
}

void gst_vitgate_smoothing_add(GstVitgateSmoothing *s, const GstVitgateSmoothingOptions *options,
                               const GstVitgateSmoothingMoment *moment, const float *probabilities,
                               float unknown)
{
  const double seconds = s->n > 0 ? elapsed(s, moment) : 0;
  double weight = 1;

  if (!(seconds >= 0) || (moment->discontinuous && seconds > MAX(options->time_constant, LONG_GAP)))
    gst_vitgate_smoothing_restart(s);
  s->n++;
  s->last = *moment;
  if (options->time_constant > 0)
    weight = MAX(-expm1(-seconds / options->time_constant), 1.0 / s->n);
  for (guint i = 0; i < s->n_classes; i++)
    s->mean[i] = average(s->mean[i], probabilities[i], weight);
  s->unknown = average(s->unknown, unknown, weight);
}

static void update_shown(guint8 *shown, float mean, double hysteresis, float threshold)
{
  /* Near 1 there is not enough room for the hysteresis. */
  const double return_threshold = threshold + MIN(hysteresis, (1 - threshold) / 2);
  const double least = *shown == NO_LONGER_SHOWN ? return_threshold : threshold;

  if (mean >= least)
    *shown = SHOWN;
  else if (*shown == SHOWN)
    *shown = NO_LONGER_SHOWN;
}

/* What was decided with other thresholds does not count. */
static void take_limits(GstVitgateSmoothing *s, const GstVitgateSmoothingLimits *limits)
{
  if (s->limits.threshold != limits->threshold || s->limits.thresholds != limits->thresholds)
    memset(s->shown, NEVER_SHOWN, s->n_classes);
  if (s->limits.unknown != limits->unknown)
    s->unknown_shown = NEVER_SHOWN;
  s->limits = *limits;
}

void gst_vitgate_smoothing_choose(GstVitgateSmoothing *s, const GstVitgateSmoothingLimits *limits)
{
  const double hysteresis = limits->hysteresis;
  gint leader = -1;

  if (s->n == 0)
    return;
  take_limits(s, limits);
  if (limits->unknown > 0)
    update_shown(&s->unknown_shown, s->unknown, hysteresis, limits->unknown);
  for (guint i = 0; i < s->n_classes; i++) {
    update_shown(&s->shown[i], s->mean[i], hysteresis,
                 limits->thresholds ? limits->thresholds[i] : limits->threshold);
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

gboolean gst_vitgate_smoothing_is_unknown(const GstVitgateSmoothing *s)
{
  return s->unknown_shown == SHOWN;
}
