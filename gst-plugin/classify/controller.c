/* controller.c: keeps a stream within its budget. */
#include "classify/controller.h"

#include "classify/times.h"

#define WINDOW GST_VITGATE_CONTROLLER_WINDOW

/* Share of the budget that a move of the dial aims for. */
#define AIM 0.9

/* Number of upward moves from the dial's minimum to its maximum. */
#define STEPS 4

/* In windows: about half a minute of camera video. */
#define MAX_PATIENCE 16

/* A single late frame or queue may be chance. */
#define MAX_LATE 1

/* While inferences are skipped, trying one should take a twentieth of the time, but results should
 * be neither too frequent nor too rare. */
#define TRY_SHARE    20
#define SOONEST_TRY  GST_SECOND
#define LATEST_TRY   (5 * GST_SECOND)
#define ENOUGH_TRIES 3

/* Draining should reduce the lateness by at least 1 / DRAIN_PROGRESS of the budget within
 * STUCK_FRAMES frames. */
#define STUCK_FRAMES   8
#define DRAIN_PROGRESS 16

#define LASTING GST_SECOND

void gst_vitgate_controller_reset(GstVitgateController *self)
{
  *self = (GstVitgateController){
    .moved = GST_CLOCK_TIME_NONE,
    .patience = 1,
    .better_since = GST_CLOCK_TIME_NONE,
  };
}

void gst_vitgate_controller_restart(GstVitgateController *self)
{
  const GstVitgateStrategy reported = self->reported;

  gst_vitgate_controller_reset(self);
  self->reported = reported;
}

void gst_vitgate_controller_flush(GstVitgateController *self)
{
  self->moved = GST_CLOCK_TIME_NONE;
  self->n_late = 0;
  self->own_lateness = 0;
  self->draining = FALSE;
}

/* ---- The dial ------------------------------------------------------------------------------ */

static void move(GstVitgateController *self, double dial)
{
  self->dial = dial;
  self->strategy =
      dial < self->limits.max ? GST_VITGATE_STRATEGY_REDUCED : GST_VITGATE_STRATEGY_FULL;
  self->n_times = 0;
  self->n_late = 0;
  self->moved = GST_CLOCK_TIME_NONE;
  self->on_trial = FALSE;
}

static double step(const GstVitgateController *self)
{
  return (self->limits.max - self->limits.min) / STEPS;
}

static void end_trial(GstVitgateController *self, gboolean lasted)
{
  if (!self->on_trial)
    return;
  self->on_trial = FALSE;
  if (!lasted) {
    self->failed = self->dial;
    self->patience = MIN(2 * self->patience, MAX_PATIENCE);
  } else if (self->dial >= self->failed) {
    self->failed = 0;
    self->patience = 1;
  }
}

static gboolean at_minimum(const GstVitgateController *self)
{
  return self->dial <= self->limits.min;
}

static void lower(GstVitgateController *self, double factor)
{
  end_trial(self, FALSE);
  move(self, MAX(self->limits.min, MIN(self->dial * factor, self->dial - step(self))));
}

/* One inference may always be slower: it may be chance. */
static GstClockTime p95(const GstVitgateController *self)
{
  const guint n = MIN(self->n_times, WINDOW);

  return gst_vitgate_times_limit(self->times, n, MAX(1, n / 20));
}

/* Called after a whole window within the budget. */
static void consider_more(GstVitgateController *self, GstClockTime taken)
{
  const double next = MIN(self->limits.max, self->dial + step(self));

  end_trial(self, TRUE);
  if (self->n_late > 0) {
    self->n_late = 0;
    self->n_times = 0;
    return;
  }
  if (self->strategy == GST_VITGATE_STRATEGY_FULL)
    return;
  if (self->failed > 0 && next >= self->failed && self->n_times < WINDOW * self->patience)
    return;
  /* An overestimate, since part of the time does not depend on the dial. */
  if (taken * next > AIM * self->limits.budget * self->dial)
    return;
  move(self, next);
  self->on_trial = TRUE;
}

/* ---- Skipping ------------------------------------------------------------------------------ */

static void wait_for_next_try(GstVitgateController *self, GstClockTime now, GstClockTime taken)
{
  self->good_tries = 0;
  self->next_try = now + CLAMP(TRY_SHARE * taken, SOONEST_TRY, LATEST_TRY);
}

static void record_try(GstVitgateController *self, GstClockTime now, GstClockTime taken)
{
  if (taken > AIM * self->limits.budget) {
    wait_for_next_try(self, now, taken);
    return;
  }
  self->next_try = now;
  if (++self->good_tries < ENOUGH_TRIES)
    return;
  move(self, self->limits.min);
  self->on_trial = TRUE;
}

void gst_vitgate_controller_record(GstVitgateController *self, GstClockTime now, GstClockTime taken)
{
  GstClockTime longest;

  if (self->limits.budget == 0)
    return;
  if (self->strategy == GST_VITGATE_STRATEGY_SKIP) {
    record_try(self, now, taken);
    return;
  }
  self->times[self->n_times++ % WINDOW] = taken;
  longest = p95(self);
  if (longest <= self->limits.budget) {
    if (self->n_times >= WINDOW)
      consider_more(self, longest);
  } else if (!at_minimum(self)) {
    lower(self, AIM * self->limits.budget / longest);
  } else {
    end_trial(self, FALSE);
    self->strategy = GST_VITGATE_STRATEGY_SKIP;
    wait_for_next_try(self, now, taken);
  }
}

static void count_late(GstVitgateController *self)
{
  if (++self->n_late > MAX_LATE && !at_minimum(self))
    lower(self, 1);
}

void gst_vitgate_controller_record_late(GstVitgateController *self, GstClockTime running_time)
{
  /* Frames from before the last move say nothing about the present setting of the dial. */
  if (GST_CLOCK_TIME_IS_VALID(self->moved) && running_time >= self->moved)
    count_late(self);
}

/* ---- Lateness ------------------------------------------------------------------------------ */

static void start_draining(GstVitgateController *self, GstClockTimeDiff late)
{
  self->draining = TRUE;
  self->min_late = late;
  self->stuck = 0;
  count_late(self);
}

/* Returns: whether the frame should pass so that a queue can drain. */
static gboolean is_late(GstVitgateController *self, GstClockTimeDiff lateness)
{
  const GstClockTimeDiff budget = self->limits.budget, late = MAX(lateness, 0);

  self->own_lateness = MIN(self->own_lateness, late);
  if (!self->draining) {
    if (late - self->own_lateness > budget)
      start_draining(self, late);
  } else if (late - self->own_lateness <= budget / 2) {
    self->draining = FALSE;
  } else if (late < self->min_late - budget / DRAIN_PROGRESS) {
    self->min_late = late;
    self->stuck = 0;
  } else if (++self->stuck >= STUCK_FRAMES) {
    self->own_lateness = self->min_late;
    self->draining = FALSE;
  }
  return self->draining;
}

/* ---- Decisions ----------------------------------------------------------------------------- */

static void take_limits(GstVitgateController *self, const GstVitgateControllerLimits *limits)
{
  self->limits = *limits;
  if (limits->budget == 0) {
    self->draining = FALSE;
    self->own_lateness = 0;
  }
  if (limits->budget == 0 || self->strategy == GST_VITGATE_STRATEGY_FULL) {
    if (self->dial != limits->max || self->strategy != GST_VITGATE_STRATEGY_FULL)
      move(self, limits->max);
  } else if (self->strategy == GST_VITGATE_STRATEGY_SKIP) {
    self->dial = limits->min;
  } else if (self->dial < limits->min || self->dial > limits->max) {
    move(self, CLAMP(self->dial, limits->min, limits->max));
  }
}

gboolean gst_vitgate_controller_admit(GstVitgateController *self,
                                      const GstVitgateControllerLimits *limits, GstClockTime now,
                                      GstClockTime running_time, GstClockTimeDiff lateness)
{
  take_limits(self, limits);
  if (limits->budget == 0)
    return TRUE;
  if (is_late(self, lateness))
    return FALSE;
  if (!GST_CLOCK_TIME_IS_VALID(self->moved))
    self->moved = running_time;
  if (self->strategy != GST_VITGATE_STRATEGY_SKIP)
    return TRUE;
  if (now < self->next_try)
    return FALSE;
  self->next_try = now + SOONEST_TRY; /* in case this frame turns out not to be inferred */
  return TRUE;
}

gboolean gst_vitgate_controller_has_report(GstVitgateController *self, GstClockTime now)
{
  const GstVitgateStrategy is = self->draining ? GST_VITGATE_STRATEGY_SKIP : self->strategy;

  if (is == self->reported) {
    self->better_since = GST_CLOCK_TIME_NONE;
    return FALSE;
  }
  if (is < self->reported) {
    if (!GST_CLOCK_TIME_IS_VALID(self->better_since))
      self->better_since = now;
    if (now - self->better_since < LASTING)
      return FALSE;
  }
  self->reported = is;
  self->better_since = GST_CLOCK_TIME_NONE;
  return TRUE;
}
