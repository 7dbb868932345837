#include "camera/look-watch.h"

#include "base/times.h"
#include "camera/events.h"

struct _LookWatch {
  const char *camera;
  const LookConfig *config;
  LookEventFunc func;
  gpointer user_data;

  GMutex lock;
  Sightings *sightings;
  StateTracker *tracker; /* (nullable) */
  gboolean lost;         /* labels vanish now because the camera is lost */

  /* A lock of its own, since events may wait for a disk. */
  GMutex status_lock;
  LookStatus status;
  guint64 n_frames;
};

static void set_present(LookWatch *self, const char *label, gboolean present)
{
  g_autoptr(GStrvBuilder) labels = g_strv_builder_new();
  g_mutex_lock(&self->status_lock);
  g_auto(GStrv) before = self->status.present;
  for (guint i = 0; before && before[i]; i++)
    if (!g_str_equal(before[i], label))
      g_strv_builder_add(labels, before[i]);
  if (present)
    g_strv_builder_add(labels, label);
  self->status.present = g_strv_builder_end(labels);
  g_mutex_unlock(&self->status_lock);
}

static void on_sighting(const Sighting *sighting, gpointer user_data)
{
  LookWatch *self = user_data;
  set_present(self, sighting->label, sighting->appeared);
  self->func(event_sighting(self->camera, self->config->name, sighting, self->lost),
             self->user_data);
}

static void set_state(LookWatch *self, const char *state)
{
  g_mutex_lock(&self->status_lock);
  g_free(self->status.state);
  self->status.state = g_strdup(state);
  g_mutex_unlock(&self->status_lock);
}

static void on_state(const StateChange *change, gpointer user_data)
{
  LookWatch *self = user_data;
  set_state(self, change->to);
  self->func(event_state(self->camera, self->config->name, change), self->user_data);
}

const double look_latency_limits[N_LATENCY_LIMITS] = { 0.005, 0.01, 0.02, 0.035, 0.05,
                                                       0.1,   0.2,  0.5,  1,     2 };

static void count_result(LookCounts *counts, const FrameResult *result)
{
  guint bucket = 0;
  counts->frames++;
  counts->inferred += result->state == RESULT_FRESH;
  counts->reused += result->state == RESULT_UNCHANGED;
  counts->late += result->state == RESULT_LATE;
  if (result->state != RESULT_FRESH)
    return;
  counts->gmacs += result->gmacs;
  counts->seconds += result->seconds;
  while (bucket < N_LATENCY_LIMITS && result->seconds > look_latency_limits[bucket])
    bucket++;
  counts->latencies[bucket]++;
}

static void count_frame(LookWatch *self, const FrameResult *result)
{
  LookStatus *status = &self->status;
  g_mutex_lock(&self->status_lock);
  self->n_frames++;
  g_free(status->label);
  status->label = g_strdup(result ? result->label : NULL);
  status->score = result ? result->score : 0;
  if (result) {
    status->dial = result->dial;
    status->n_classes = result->n_classes;
    status->latency = result->seconds;
    count_result(&status->counts, result);
  }
  status->compute += ((result ? result->compute : 0) - status->compute) /
                     (double)MIN(self->n_frames, COMPUTE_WINDOW);
  g_mutex_unlock(&self->status_lock);
}

const char *look_watch_get_name(const LookWatch *self)
{
  return self->config->name;
}

void look_watch_see(LookWatch *self, const FrameResult *result, guint64 time)
{
  count_frame(self, result);
  if (time == G_MAXUINT64)
    return;
  /* What the classes of an unknown frame would be is only noise. */
  gboolean known = result && !result->unknown;
  const SeenClass *classes = known ? (const SeenClass *)result->seen->data : NULL;
  guint n = known ? result->seen->len : 0;
  g_mutex_lock(&self->lock);
  sightings_see(self->sightings, time, classes, n);
  if (self->tracker && result && result->looked)
    state_tracker_see(self->tracker, time, classes, n);
  g_mutex_unlock(&self->lock);
}

void look_watch_end(LookWatch *self, gboolean lost)
{
  g_mutex_lock(&self->lock);
  self->lost = lost;
  sightings_end(self->sightings);
  self->lost = FALSE;
  if (self->tracker)
    state_tracker_restart(self->tracker);
  g_mutex_unlock(&self->lock);
}

void look_watch_check_lost(LookWatch *self, double seconds)
{
  if (!self->tracker || seconds < self->config->keep_state)
    return;
  g_mutex_lock(&self->lock);
  g_autofree char *former = state_tracker_lose(self->tracker);
  if (former) {
    set_state(self, UNKNOWN);
    self->func(event_state_lost(self->camera, self->config->name, former), self->user_data);
  }
  g_mutex_unlock(&self->lock);
}

void look_watch_set_thresholds(LookWatch *self, double threshold, double keep_threshold)
{
  g_mutex_lock(&self->lock);
  sightings_set_thresholds(self->sightings, threshold, keep_threshold);
  if (self->tracker)
    state_tracker_set_threshold(self->tracker, threshold);
  g_mutex_unlock(&self->lock);
}

void look_watch_get_status(LookWatch *self, LookStatus *status)
{
  g_mutex_lock(&self->status_lock);
  *status = self->status;
  status->label = g_strdup(self->status.label);
  status->state = g_strdup(self->status.state);
  status->present = g_strdupv(self->status.present);
  g_mutex_unlock(&self->status_lock);
}

void look_status_clear(LookStatus *status)
{
  g_clear_pointer(&status->label, g_free);
  g_clear_pointer(&status->state, g_free);
  g_clear_pointer(&status->present, g_strfreev);
}

LookWatch *look_watch_new(const char *camera, const LookConfig *config, LookEventFunc func,
                          gpointer user_data)
{
  const SightingOptions sightings = {
    .threshold = config->threshold,
    .keep_threshold = config->keep_threshold,
    .appear_after = time_to_nanoseconds(config->appear_after),
    .vanish_after = time_to_nanoseconds(config->vanish_after),
  };
  const StateOptions states = {
    .threshold = config->threshold,
    .lead = config->state_lead,
    .window = time_to_nanoseconds(config->appear_after),
    .vanish_after = time_to_nanoseconds(config->vanish_after),
  };
  LookWatch *self = g_new0(LookWatch, 1);
  self->camera = camera;
  self->config = config;
  self->func = func;
  self->user_data = user_data;
  self->status.name = config->name;
  self->status.region = config->region;
  self->sightings = sightings_new(config->labels, &sightings, on_sighting, self);
  if (config->state)
    self->tracker = state_tracker_new(config->states, &states, on_state, self);
  g_mutex_init(&self->lock);
  g_mutex_init(&self->status_lock);
  return self;
}

void look_watch_free(LookWatch *self)
{
  sightings_free(&self->sightings);
  state_tracker_free(&self->tracker);
  look_status_clear(&self->status);
  g_mutex_clear(&self->lock);
  g_mutex_clear(&self->status_lock);
  g_free(self);
}
