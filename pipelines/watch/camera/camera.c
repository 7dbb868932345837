#include "camera/camera.h"

#include <string.h>

#include <gst/gst.h>

#include "base/backoff.h"
#include "base/console.h"
#include "base/secrets.h"
#include "camera/analysis.h"
#include "camera/camera-models.h"
#include "camera/camera-pipeline.h"
#include "camera/events.h"
#include "camera/frame-line.h"
#include "camera/reach.h"
#include "config/credentials.h"

#define CHECK_INTERVAL (100 * GST_MSECOND) /* between checks for a stall */

struct _Camera {
  Config *owner;
  const CameraConfig *config;
  Outputs *outputs;
  NewestFrame *newest_frame;
  CameraEndFunc on_end;
  gpointer user_data;
  GThread *thread;
  GCancellable *stopped;

  GPtrArray *watches; /* of LookWatch: of the whole frame, if it is classified, and of each look */
  LiveTable *live;
  CameraModels *models;

  /* Used by the thread, and by the streaming thread while a pipeline plays. */
  char *last_labels; /* of the connection's last frame */
  gboolean first;    /* the connection's next frame is its first */
  Backoff backoff;

  GMutex lock;
  GCond changed;
  gboolean stopping, checking_model;
  GstBus *bus;       /* of the pipeline, or NULL */
  gint64 last_frame; /* monotonic time, µs; 0: no frame of this connection yet */
  gint64 newest;     /* the same, of any connection */
  gint64 lost_since; /* monotonic time, µs; 0: not lost, or never connected */
  CameraStatus status;
};

static void set_state(Camera *self, CameraState state)
{
  g_mutex_lock(&self->lock);
  self->status.state = state;
  g_mutex_unlock(&self->lock);
}

static gboolean is_stopping(Camera *self)
{
  g_mutex_lock(&self->lock);
  gboolean stopping = self->stopping;
  g_mutex_unlock(&self->lock);
  return stopping;
}

/* ---- Lines --------------------------------------------------------------------------------- */

static void put_event(char *line, gpointer user_data)
{
  Camera *self = user_data;
  outputs_event(self->outputs, self->config->name, self->config->claim, line, strlen(line));
  g_free(line);
}

static void put_looks(Camera *self)
{
  for (guint i = 0; outputs_want_looks(self->outputs) && i < self->watches->len; i++) {
    LookStatus status;
    look_watch_get_status(self->watches->pdata[i], &status);
    const LookState state = { status.name, status.label, status.score, status.state,
                              status.present };
    outputs_look(self->outputs, self->config->name, self->config->claim, &state);
    look_status_clear(&status);
  }
}

/* Makes states unknown that are too old. */
static void check_states(Camera *self)
{
  g_mutex_lock(&self->lock);
  gint64 since = self->lost_since;
  g_mutex_unlock(&self->lock);
  const double seconds = (double)(g_get_monotonic_time() - since) / G_USEC_PER_SEC;
  for (guint i = 0; since && i < self->watches->len; i++)
    look_watch_check_lost(self->watches->pdata[i], seconds);
  if (since)
    put_looks(self);
}

static void begin_connection(Camera *self)
{
  console_print("camera %s: connected", self->config->name);
  outputs_camera_status(self->outputs, self->config->name, self->config->claim, TRUE);
  check_states(self);
  put_event(event_camera(self->config->name, "connected", NULL), self);
  g_mutex_lock(&self->lock);
  self->status.state = CAMERA_PLAYING;
  self->status.connects++;
  self->status.since = 0;
  self->status.attempts = 0;
  self->lost_since = 0;
  g_mutex_unlock(&self->lock);
}

static void count_frame(Camera *self, const FrameLine *frame)
{
  g_mutex_lock(&self->lock);
  self->last_frame = self->newest = g_get_monotonic_time();
  self->status.width = frame->width;
  self->status.height = frame->height;
  self->status.frames++;
  g_mutex_unlock(&self->lock);
}

/* Returns: (transfer full): the best labels of all results, which can be compared */
static char *join_labels(const FrameLine *frame)
{
  GString *labels = g_string_new(NULL);
  for (guint i = 0; i < frame->results->len; i++) {
    const char *label = g_array_index(frame->results, FrameResult, i).label;
    g_string_append_printf(labels, "%s\n", label ? label : "");
  }
  return g_string_free(labels, FALSE);
}

static void see_results(Camera *self, const FrameLine *frame, GstClockTime time)
{
  for (guint i = 0; i < self->watches->len; i++) {
    LookWatch *watch = self->watches->pdata[i];
    look_watch_see(watch, frame_line_find(frame, look_watch_get_name(watch)), time);
  }
}

/* Called by a streaming thread. */
static void on_line(const char *line, gsize length, GstClockTime time, gpointer user_data)
{
  Camera *self = user_data;
  FrameLine frame;
  if (!frame_line_parse(&frame, line, length))
    return;
  if (self->first)
    begin_connection(self);
  char *labels = join_labels(&frame);
  gboolean changed = self->first || strcmp(labels, self->last_labels) != 0;
  outputs_frame(self->outputs, self->config->name, self->config->claim, line, length, changed);
  see_results(self, &frame, time);
  put_looks(self);
  count_frame(self, &frame); /* whoever sees it counted sees its results too */
  outputs_status_changed(self->outputs);
  self->first = FALSE;
  g_free(self->last_labels);
  self->last_labels = labels;
  frame_line_clear(&frame);
}

/* ---- One connection ------------------------------------------------------------------------ */

/* Returns: (transfer full) (nullable): a description of the stall, or NULL */
static char *find_stall(Camera *self, gint64 start)
{
  const CameraConfig *config = self->config;
  g_mutex_lock(&self->lock);
  gint64 last = self->last_frame;
  g_mutex_unlock(&self->lock);
  double silent = (double)(g_get_monotonic_time() - (last ? last : start)) / G_USEC_PER_SEC;
  if (!last && silent > config->connect_timeout)
    return g_strdup_printf("no frame within %g s", config->connect_timeout);
  if (last && silent > config->stall_timeout)
    return g_strdup_printf("no frame for %g s", config->stall_timeout);
  return NULL;
}

static void count_skipped(Camera *self, CameraPipeline *pipeline)
{
  guint64 skipped = camera_pipeline_take_skipped(pipeline);
  g_mutex_lock(&self->lock);
  self->status.skipped += skipped;
  g_mutex_unlock(&self->lock);
}

/* Returns: whether camera_check_model() was called since the last call */
static gboolean take_check(Camera *self)
{
  g_mutex_lock(&self->lock);
  gboolean wanted = self->checking_model;
  self->checking_model = FALSE;
  g_mutex_unlock(&self->lock);
  return wanted;
}

static void check_model(Camera *self, CameraPipeline *pipeline)
{
  if (take_check(self) && camera_pipeline_check_models(pipeline))
    console_print("camera %s: its model or labels have changed and are loaded again",
                  self->config->name);
}

/* Puts other models in use if they are wanted and there. Frames continue. */
static void change_models(Camera *self, CameraPipeline *pipeline)
{
  CameraModelsNews news;
  camera_models_update(self->models, &news);
  if (news.changed) {
    camera_pipeline_set_models(pipeline, camera_models_get(self->models));
    console_print("camera %s: has other models now", self->config->name);
  } else if (news.reason && news.is_new) {
    console_print("camera %s: keeps the models that it has: %s", self->config->name, news.reason);
  }
  camera_models_news_clear(&news);
}

/* Reports vitgate's warnings. Those of other elements say nothing that a user could change. */
static void report_warning(Camera *self, GstMessage *message)
{
  g_autoptr(GError) warning = NULL;
  g_autofree char *look = NULL;
  if (!analysis_is_source(GST_MESSAGE_SRC(message), &look))
    return;
  gst_message_parse_warning(message, &warning, NULL);
  console_print("camera %s%s%s: %s", self->config->name, look ? ", look " : "", look ? look : "",
                warning->message);
}

/* Returns: (transfer full) (nullable): why the connection ended; NULL if the camera was asked to
 * stop */
static char *watch_over(Camera *self, CameraPipeline *pipeline, gboolean *ended, gboolean *hopeless)
{
  const gint64 start = g_get_monotonic_time();
  char *reason = NULL;
  while (!reason && !is_stopping(self)) {
    g_autoptr(GstMessage) message = gst_bus_timed_pop_filtered(
        self->bus, CHECK_INTERVAL,
        GST_MESSAGE_ERROR | GST_MESSAGE_WARNING | GST_MESSAGE_EOS | GST_MESSAGE_APPLICATION);
    check_model(self, pipeline);
    change_models(self, pipeline);
    check_states(self);
    if (message && GST_MESSAGE_TYPE(message) == GST_MESSAGE_ERROR) {
      reason = camera_pipeline_explain(pipeline, message, hopeless);
    } else if (message && GST_MESSAGE_TYPE(message) == GST_MESSAGE_EOS) {
      *ended = TRUE;
      reason = g_strdup("the stream has ended");
    } else {
      if (message && GST_MESSAGE_TYPE(message) == GST_MESSAGE_WARNING)
        report_warning(self, message);
      reason = find_stall(self, start);
    }
    count_skipped(self, pipeline);
  }
  return reason;
}

static void set_bus(Camera *self, GstBus *bus)
{
  g_mutex_lock(&self->lock);
  GstBus *old = self->bus;
  self->bus = bus;
  self->last_frame = 0;
  g_mutex_unlock(&self->lock);
  g_clear_pointer(&old, gst_object_unref);
}

/* Returns: (transfer full) (nullable): why the connection ended or failed; NULL if the camera was
 * asked to stop */
static char *play(Camera *self, gboolean *ended, gboolean *hopeless)
{
  const CameraConfig *config = camera_models_get(self->models);
  g_autofree char *user = NULL, *password = NULL;
  g_autoptr(GError) error = NULL;
  CameraPipeline *pipeline;
  *hopeless = TRUE;
  if (!credentials_read(config->credentials_file, config->credentials_env, &user, &password,
                        &error) ||
      !(pipeline =
            camera_pipeline_new(config, user, password, self->newest_frame, on_line, self, &error)))
    return g_strdup(error->message);

  *hopeless = FALSE;
  GstElement *element = camera_pipeline_get_element(pipeline);
  set_bus(self, gst_element_get_bus(element));
  live_table_set_analysis(self->live, camera_pipeline_get_analysis(pipeline));
  gst_element_set_state(element, GST_STATE_PLAYING);
  char *reason = watch_over(self, pipeline, ended, hopeless);
  live_table_set_analysis(self->live, NULL);
  camera_pipeline_free(&pipeline);
  camera_models_forget(self->models);
  set_bus(self, NULL);
  return reason;
}

/* Reports the end of a connection. All present labels vanish with it. */
static void end_connection(Camera *self, const char *event, const char *reason)
{
  for (guint i = 0; i < self->watches->len; i++)
    look_watch_end(self->watches->pdata[i], strcmp(event, "lost") == 0);
  put_looks(self);
  outputs_camera_status(self->outputs, self->config->name, self->config->claim, FALSE);
  g_clear_pointer(&self->last_labels, g_free);
  g_mutex_lock(&self->lock);
  self->status.since = g_get_real_time();
  self->lost_since = g_get_monotonic_time();
  g_mutex_unlock(&self->lock);
  put_event(event_camera(self->config->name, event, reason), self);
  outputs_status_changed(self->outputs);
}

/* ---- All connections ----------------------------------------------------------------------- */

static gint64 next_check(void)
{
  return g_get_monotonic_time() + CHECK_INTERVAL / GST_USECOND;
}

/* Returns: whether the camera is asked to stop */
static gboolean wait_until(Camera *self, gint64 end)
{
  g_mutex_lock(&self->lock);
  while (!self->stopping && g_cond_wait_until(&self->changed, &self->lock, end))
    ;
  gboolean stopping = self->stopping;
  g_mutex_unlock(&self->lock);
  return stopping;
}

/* Other models end the wait, since those before may be why the attempt has failed.
 * @connected: whether the camera was lost; otherwise this attempt has failed */
static void wait_to_retry(Camera *self, const char *reason, gboolean connected)
{
  double wait = backoff_step(&self->backoff, g_random_double());
  const gint64 end = g_get_monotonic_time() + (gint64)(wait * G_USEC_PER_SEC);
  g_mutex_lock(&self->lock);
  self->status.attempts += !connected;
  /* The same error again is not reported. */
  gboolean news = connected || self->status.attempts == 1 || g_strcmp0(self->status.error, reason);
  g_free(self->status.error);
  self->status.error = g_strdup(reason);
  self->status.state = CAMERA_WAITING;
  self->status.retry_after = wait;
  const Waiting waiting = { reason, self->status.since, self->status.attempts, wait };
  g_mutex_unlock(&self->lock);
  if (news)
    console_print("camera %s, %s: %s; next attempt in %.1f s", self->config->name,
                  self->config->shown_url, reason, wait);
  /* If the camera was lost, the event for that has said why. */
  if (!connected && news)
    put_event(event_waiting(self->config->name, &waiting), self);
  outputs_status_changed(self->outputs);

  gboolean check = TRUE;
  while (g_get_monotonic_time() < end && !camera_models_are_new(self->models, check) &&
         !wait_until(self, MIN(end, next_check()))) {
    check_states(self);
    check = take_check(self);
  }
}

/* Reports that the camera waits for its first models. */
static void report_models(Camera *self, const CameraModelsNews *news)
{
  const ModelProgress *progress = &news->progress;
  g_mutex_lock(&self->lock);
  g_free(self->status.error);
  self->status.error = model_progress_text(progress);
  self->status.state = CAMERA_WAITING;
  self->status.retry_after = progress->retry_after;
  const Waiting waiting = { news->reason, self->status.since, progress->attempts,
                            progress->retry_after };
  g_mutex_unlock(&self->lock);
  if (!news->is_new)
    return;
  console_print("camera %s: waits for its model: %s", self->config->name, news->reason);
  put_event(event_waiting(self->config->name, &waiting), self);
}

/* Ends the wait for models. */
static void begin_connecting(Camera *self)
{
  g_mutex_lock(&self->lock);
  g_clear_pointer(&self->status.error, g_free);
  self->status.state = CAMERA_CONNECTING;
  g_mutex_unlock(&self->lock);
}

/* Waits until there are models to use.
 * Returns: (transfer full) (nullable): why they cannot be used; NULL if they can, or if the camera
 * was asked to stop */
static char *prepare_models(Camera *self)
{
  gboolean waited = FALSE;
  while (!is_stopping(self)) {
    CameraModelsNews news;
    camera_models_update(self->models, &news);
    char *refused = news.reason && !news.waits ? g_strdup(news.reason) : NULL;
    const gboolean usable = camera_models_get(self->models) != NULL;
    if (!usable && news.waits)
      report_models(self, &news);
    camera_models_news_clear(&news);
    if (usable && waited)
      begin_connecting(self);
    if (usable)
      g_clear_pointer(&refused, g_free);
    if (usable || refused)
      return refused;
    waited = TRUE;
    wait_until(self, next_check());
    check_states(self);
  }
  return NULL;
}

/* Explains why an attempt to connect has failed.
 * @told: (transfer full): what GStreamer or the watchdog says
 * Returns: (transfer full) */
static char *explain_failure(Camera *self, char *told)
{
  char *reason = reach_explain(self->config, self->stopped);
  if (!reason)
    return told;
  g_free(told);
  return reason;
}

/* Returns: whether to connect again */
static gboolean connect_once(Camera *self)
{
  gboolean ended = FALSE, hopeless = FALSE;
  const gint64 start = g_get_monotonic_time();

  set_state(self, CAMERA_CONNECTING);
  self->first = TRUE;
  g_autofree char *told = prepare_models(self);
  hopeless = told != NULL;
  camera_models_note(self->models);
  if (camera_models_get(self->models))
    told = play(self, &ended, &hopeless);
  gboolean connected = !self->first;
  if (told && !connected && !hopeless)
    told = explain_failure(self, told);
  g_autofree char *reason = told ? secrets_hide(told) : NULL;
  gboolean over = ended && config_is_file(self->config);
  if (connected)
    end_connection(self, reason && !over ? "lost" : "ended", reason);
  if (!reason)
    return FALSE;
  if (over && !self->config->repeat)
    return FALSE;
  if (over && connected)
    return TRUE;
  /* An attempt that was given up has failed for no reason that matters. */
  if (!connected && is_stopping(self))
    return FALSE;

  if (hopeless)
    backoff_slow_down(&self->backoff);
  else if (connected)
    backoff_succeeded(&self->backoff, (double)(g_get_monotonic_time() - start) / G_USEC_PER_SEC);
  wait_to_retry(self, reason, connected);
  return TRUE;
}

static gpointer run(gpointer data)
{
  Camera *self = data;
  while (!is_stopping(self) && connect_once(self))
    ;
  g_mutex_lock(&self->lock);
  gboolean stopped = self->stopping;
  self->status.state = CAMERA_ENDED;
  g_cond_broadcast(&self->changed);
  g_mutex_unlock(&self->lock);
  if (!stopped)
    self->on_end(self->user_data);
  return NULL;
}

static GPtrArray *make_watches(Camera *self)
{
  const CameraConfig *config = self->config;
  GPtrArray *watches = g_ptr_array_new_with_free_func((GDestroyNotify)look_watch_free);
  if (config->whole_frame)
    g_ptr_array_add(watches, look_watch_new(config->name, &config->whole, put_event, self));
  for (guint i = 0; i < config->looks->len; i++)
    g_ptr_array_add(watches,
                    look_watch_new(config->name, config->looks->pdata[i], put_event, self));
  return watches;
}

Camera *camera_new(Config *owner, const CameraConfig *config, Outputs *outputs,
                   CameraEndFunc on_end, gpointer user_data)
{
  Camera *self = g_new0(Camera, 1);
  self->owner = config_ref(owner);
  self->config = config;
  self->outputs = outputs;
  self->on_end = on_end;
  self->user_data = user_data;
  self->stopped = g_cancellable_new();
  self->newest_frame = newest_frame_new();
  self->watches = make_watches(self);
  self->live = live_table_new(config, self->watches);
  self->models = camera_models_new(owner, config);
  self->status.since = g_get_real_time();
  backoff_init(&self->backoff, config->retry_min, config->retry_max);
  g_mutex_init(&self->lock);
  g_cond_init(&self->changed);
  self->thread = g_thread_new("camera", run, self);
  return self;
}

const CameraConfig *camera_get_config(Camera *self)
{
  return camera_models_get_wanted(self->models);
}

NewestFrame *camera_get_newest_frame(Camera *self)
{
  return self->newest_frame;
}

LiveTable *camera_get_live(Camera *self)
{
  return self->live;
}

void camera_get_status(Camera *self, CameraStatus *status)
{
  g_mutex_lock(&self->lock);
  *status = self->status;
  status->whole_frame = self->config->whole_frame;
  status->age =
      self->newest ? (double)(g_get_monotonic_time() - self->newest) / G_USEC_PER_SEC : -1;
  status->error = g_strdup(self->status.error);
  g_mutex_unlock(&self->lock);
  status->models = camera_models_get_reason(self->models);
  camera_status_add_looks(status, self->watches, self->config->whole_frame);
}

/* Wakes the thread from waiting for a message. Call with the lock held. */
static void wake_up(Camera *self)
{
  g_cond_broadcast(&self->changed);
  if (self->bus)
    gst_bus_post(self->bus, gst_message_new_application(NULL, gst_structure_new_empty("wake")));
}

void camera_stop(Camera *self)
{
  g_mutex_lock(&self->lock);
  self->stopping = TRUE;
  wake_up(self);
  g_mutex_unlock(&self->lock);
  g_cancellable_cancel(self->stopped);
}

void camera_check_model(Camera *self)
{
  g_mutex_lock(&self->lock);
  self->checking_model = TRUE;
  wake_up(self);
  g_mutex_unlock(&self->lock);
}

void camera_change_models(Camera *self, Config *owner, const CameraConfig *config)
{
  if (strcmp(camera_get_config(self)->fingerprint, config->fingerprint))
    camera_models_want(self->models, owner, config);
  else
    camera_check_model(self);
}

gboolean camera_free(Camera **camera, gint64 end)
{
  Camera *self = *camera;
  *camera = NULL;
  camera_stop(self);
  g_mutex_lock(&self->lock);
  while (self->status.state != CAMERA_ENDED && g_cond_wait_until(&self->changed, &self->lock, end))
    ;
  gboolean over = self->status.state == CAMERA_ENDED;
  g_mutex_unlock(&self->lock);
  if (!over)
    return FALSE;
  g_thread_join(self->thread);
  live_table_free(&self->live);
  camera_models_free(&self->models);
  g_ptr_array_unref(self->watches);
  g_object_unref(self->stopped);
  newest_frame_unref(self->newest_frame);
  g_free(self->status.error);
  g_free(self->last_labels);
  g_mutex_clear(&self->lock);
  g_cond_clear(&self->changed);
  config_unref(self->owner);
  g_free(self);
  return TRUE;
}
