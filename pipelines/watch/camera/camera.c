#include "camera/camera.h"

#include <string.h>

#include <gst/gst.h>

#include "base/backoff.h"
#include "base/console.h"
#include "base/secrets.h"
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
  CameraEndFunc on_end;
  gpointer user_data;
  GThread *thread;
  GCancellable *stopped;

  LookWatch *whole;

  /* Used by the thread, and by the streaming thread while a pipeline plays. */
  char *last_label; /* of the connection's last frame */
  gboolean first;   /* the connection's next frame is its first */
  Backoff backoff;

  GMutex lock;
  GCond changed;
  gboolean stopping, checking_model;
  GstBus *bus;       /* of the pipeline, or NULL */
  gint64 last_frame; /* monotonic time, µs; 0: no frame of this connection yet */
  gint64 lost_since; /* monotonic time, µs; 0: not lost, or never connected */
  CameraStatus status;
};

const char *camera_state_name(CameraState state)
{
  static const char *const names[] = {
    [CAMERA_CONNECTING] = "connecting",
    [CAMERA_PLAYING] = "playing",
    [CAMERA_WAITING] = "waiting",
    [CAMERA_ENDED] = "ended",
  };
  return names[state];
}

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
  outputs_event(self->outputs, self->config->name, line, strlen(line));
  g_free(line);
}

/* Makes states unknown that are too old. */
static void check_states(Camera *self)
{
  g_mutex_lock(&self->lock);
  gint64 since = self->lost_since;
  g_mutex_unlock(&self->lock);
  if (since)
    look_watch_check_lost(self->whole, (double)(g_get_monotonic_time() - since) / G_USEC_PER_SEC);
}

static void begin_connection(Camera *self)
{
  console_print("camera %s: connected", self->config->name);
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

static void count_frame(Camera *self)
{
  g_mutex_lock(&self->lock);
  self->last_frame = g_get_monotonic_time();
  self->status.frames++;
  g_mutex_unlock(&self->lock);
}

/* Called by a streaming thread. */
static void on_line(const char *line, gsize length, GstClockTime time, gpointer user_data)
{
  Camera *self = user_data;
  FrameLine frame;
  if (!frame_line_parse(&frame, line, length))
    return;
  const FrameResult *result = frame_line_find(&frame, NULL);
  if (self->first)
    begin_connection(self);
  count_frame(self);
  const char *label = result ? result->label : NULL;
  gboolean changed = self->first || g_strcmp0(label, self->last_label) != 0;
  outputs_frame(self->outputs, self->config->name, line, length, changed);
  look_watch_see(self->whole, result, time);
  self->first = FALSE;
  g_free(self->last_label);
  self->last_label = g_strdup(label);
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

static void check_model(Camera *self, CameraPipeline *pipeline)
{
  g_mutex_lock(&self->lock);
  gboolean wanted = self->checking_model;
  self->checking_model = FALSE;
  g_mutex_unlock(&self->lock);
  if (wanted && camera_pipeline_check_model(pipeline))
    console_print("camera %s: its model or labels have changed and are loaded again",
                  self->config->name);
}

/* Reports vitgate's warnings. Those of other elements say nothing that a user could change. */
static void report_warning(Camera *self, GstMessage *message)
{
  g_autoptr(GError) warning = NULL;
  if (g_strcmp0(GST_OBJECT_NAME(GST_MESSAGE_SRC(message)), "vitgate"))
    return;
  gst_message_parse_warning(message, &warning, NULL);
  console_print("camera %s: %s", self->config->name, warning->message);
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
  const CameraConfig *config = self->config;
  g_autofree char *user = NULL, *password = NULL;
  g_autoptr(GError) error = NULL;
  CameraPipeline *pipeline;
  *hopeless = TRUE;
  if (!credentials_read(config->credentials_file, config->credentials_env, &user, &password,
                        &error) ||
      !(pipeline = camera_pipeline_new(config, user, password, on_line, self, &error)))
    return g_strdup(error->message);

  *hopeless = FALSE;
  GstElement *element = camera_pipeline_get_element(pipeline);
  set_bus(self, gst_element_get_bus(element));
  gst_element_set_state(element, GST_STATE_PLAYING);
  char *reason = watch_over(self, pipeline, ended, hopeless);
  camera_pipeline_free(&pipeline);
  set_bus(self, NULL);
  return reason;
}

/* Reports the end of a connection. All present labels vanish with it. */
static void end_connection(Camera *self, const char *event, const char *reason)
{
  look_watch_end(self->whole, strcmp(event, "lost") == 0);
  g_clear_pointer(&self->last_label, g_free);
  g_mutex_lock(&self->lock);
  self->status.since = g_get_real_time();
  self->lost_since = g_get_monotonic_time();
  g_mutex_unlock(&self->lock);
  put_event(event_camera(self->config->name, event, reason), self);
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

/* @connected: whether the camera was lost; otherwise this attempt has failed */
static void wait_to_retry(Camera *self, const char *reason, gboolean connected)
{
  double wait = backoff_step(&self->backoff, g_random_double());
  const gint64 end = g_get_monotonic_time() + (gint64)(wait * G_USEC_PER_SEC);
  g_mutex_lock(&self->lock);
  /* The same error again is not reported. */
  gboolean news = connected || g_strcmp0(self->status.error, reason) != 0;
  g_free(self->status.error);
  self->status.error = g_strdup(reason);
  self->status.state = CAMERA_WAITING;
  self->status.retry_after = wait;
  self->status.attempts += !connected;
  const Waiting waiting = { reason, self->status.since, self->status.attempts, wait };
  g_mutex_unlock(&self->lock);
  if (news)
    console_print("camera %s, %s: %s; next attempt in %.1f s", self->config->name,
                  self->config->shown_url, reason, wait);
  /* If the camera was lost, the event for that has said why. */
  if (!connected && (news || waiting.attempts == 1))
    put_event(event_waiting(self->config->name, &waiting), self);

  while (g_get_monotonic_time() < end && !wait_until(self, MIN(end, next_check())))
    check_states(self);
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
  g_autofree char *told = play(self, &ended, &hopeless);
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
  self->whole = look_watch_new(config->name, &config->whole, put_event, self);
  self->status.since = g_get_real_time();
  backoff_init(&self->backoff, config->retry_min, config->retry_max);
  g_mutex_init(&self->lock);
  g_cond_init(&self->changed);
  self->thread = g_thread_new("camera", run, self);
  return self;
}

const CameraConfig *camera_get_config(Camera *self)
{
  return self->config;
}

void camera_get_status(Camera *self, CameraStatus *status)
{
  g_mutex_lock(&self->lock);
  *status = self->status;
  status->error = g_strdup(self->status.error);
  g_mutex_unlock(&self->lock);
  look_watch_get_status(self->whole, &status->whole);
}

void camera_status_clear(CameraStatus *status)
{
  look_status_clear(&status->whole);
  g_clear_pointer(&status->error, g_free);
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
  look_watch_free(self->whole);
  g_object_unref(self->stopped);
  g_free(self->status.error);
  g_free(self->last_label);
  g_mutex_clear(&self->lock);
  g_cond_clear(&self->changed);
  config_unref(self->owner);
  g_free(self);
  return TRUE;
}
