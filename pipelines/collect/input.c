#include "input.h"

#include <string.h>

#include <gst/app/gstappsink.h>

#include "base/secrets.h"
#include "camera/reach.h"
#include "pick/picker.h"

/* A source that sends no frame for this long is given up. */
#define SILENCE (10 * G_USEC_PER_SEC)

/* How long one call waits for a frame. */
#define PATIENCE (100 * GST_MSECOND)

/* Milliseconds by which packets of a camera may be late. */
#define LATENCY 200

/* Newest frames of a live source wait; a longer queue would only hold older ones. */
#define LIVE_QUEUE "queue name=queue leaky=downstream max-size-buffers=2"
#define FILE_QUEUE "queue name=queue max-size-buffers=4"

struct _Input {
  InputOptions options;
  char *url;
  GstElement *pipeline, *sink;
  GstVideoOrientationMethod orientation;

  GMutex lock;
  guint64 frames;
  gint64 last_frame; /* when it was decoded, by the monotonic clock */
  GstClockTime last; /* stream time of the last frame that was passed on */
  gboolean linked;
};

/* ---- Frames -------------------------------------------------------------------------------- */

static GstClockTime stream_time(GstPad *pad, GstBuffer *buffer)
{
  g_autoptr(GstEvent) event = gst_pad_get_sticky_event(pad, GST_EVENT_SEGMENT, 0);
  const GstSegment *segment;
  if (!event)
    return GST_CLOCK_TIME_NONE;
  gst_event_parse_segment(event, &segment);
  return gst_segment_to_stream_time(segment, GST_FORMAT_TIME, GST_BUFFER_PTS(buffer));
}

/* Returns: the time from which the next frame is due in options.every. Frames late by less keep the
 * rhythm. */
static GstClockTime next_start(const Input *self, GstClockTime time)
{
  if (!GST_CLOCK_TIME_IS_VALID(self->last) || time < self->last ||
      time - self->last >= 2 * self->options.every)
    return time;
  return self->last + self->options.every;
}

/* Passes on only frames that are due, so that no others are classified. */
static GstPadProbeReturn on_frame(GstPad *pad, GstPadProbeInfo *info, gpointer user_data)
{
  Input *self = user_data;
  GstClockTime time = stream_time(pad, GST_PAD_PROBE_INFO_BUFFER(info));
  if (!GST_CLOCK_TIME_IS_VALID(time))
    time = (GstClockTime)g_get_monotonic_time() * GST_USECOND;
  g_mutex_lock(&self->lock);
  const gboolean due = !GST_CLOCK_TIME_IS_VALID(self->last) || time < self->last ||
                       time - self->last >= self->options.every;
  self->frames++;
  self->last_frame = g_get_monotonic_time();
  if (due)
    self->last = next_start(self, time);
  g_mutex_unlock(&self->lock);
  return due ? GST_PAD_PROBE_OK : GST_PAD_PROBE_DROP;
}

guint64 input_count(Input *self)
{
  g_mutex_lock(&self->lock);
  const guint64 frames = self->frames;
  g_mutex_unlock(&self->lock);
  return frames;
}

gboolean input_is_clip(Input *self)
{
  gint64 duration = 0;
  return gst_element_query_duration(self->pipeline, GST_FORMAT_TIME, &duration) && duration > 0;
}

GstVideoOrientationMethod input_get_orientation(const Input *self)
{
  return self->orientation;
}

/* ---- The source ---------------------------------------------------------------------------- */

static void on_pad(GstElement *decoder, GstPad *pad, gpointer user_data)
{
  Input *self = user_data;
  g_autoptr(GstCaps) caps = gst_pad_query_caps(pad, NULL);
  g_autoptr(GstElement) queue = gst_bin_get_by_name(GST_BIN(self->pipeline), "queue");
  g_autoptr(GstPad) sink = gst_element_get_static_pad(queue, "sink");
  if (gst_caps_is_empty(caps) || gst_pad_is_linked(sink) ||
      !g_str_has_prefix(gst_structure_get_name(gst_caps_get_structure(caps, 0)), "video/"))
    return;
  const gboolean linked = GST_PAD_LINK_SUCCESSFUL(gst_pad_link(pad, sink));
  g_mutex_lock(&self->lock);
  self->linked = self->linked || linked;
  g_mutex_unlock(&self->lock);
}

static void on_no_more_pads(GstElement *decoder, gpointer user_data)
{
  Input *self = user_data;
  g_mutex_lock(&self->lock);
  const gboolean linked = self->linked;
  g_mutex_unlock(&self->lock);
  if (!linked)
    gst_element_message_full(self->pipeline, GST_MESSAGE_ERROR, GST_STREAM_ERROR,
                             GST_STREAM_ERROR_WRONG_TYPE, g_strdup("it has no video"), NULL,
                             __FILE__, G_STRFUNC, __LINE__);
}

static gboolean has_property(GstElement *element, const char *name)
{
  return g_object_class_find_property(G_OBJECT_GET_CLASS(element), name) != NULL;
}

static void on_source(GstElement *decoder, GstElement *source, gpointer user_data)
{
  Input *self = user_data;
  if (self->options.user && has_property(source, "user-pw"))
    g_object_set(source, "user-id", self->options.user, "user-pw", self->options.password, NULL);
  if (has_property(source, "drop-on-latency"))
    g_object_set(source, "latency", LATENCY, "drop-on-latency", TRUE, NULL);
}

/* Returns: (transfer full) (nullable): the URL of a file, a device or a URL */
static char *find_url(const char *source, GError **error)
{
  if (gst_uri_is_valid(source))
    return g_strdup(source);
  if (g_str_has_prefix(source, "/dev/video"))
    return g_strconcat("v4l2://", source, NULL);
  g_autofree char *shown = secrets_hide(source); /* it may be meant as a URL */
  if (g_file_test(source, G_FILE_TEST_IS_DIR)) {
    g_set_error(error, G_IO_ERROR, G_IO_ERROR_IS_DIRECTORY, "%s is a folder, expected a clip",
                shown);
    return NULL;
  }
  if (!g_file_test(source, G_FILE_TEST_EXISTS)) {
    g_set_error(error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND, "no such file: %s", shown);
    return NULL;
  }
  return gst_filename_to_uri(source, error);
}

/* ---- The pipeline -------------------------------------------------------------------------- */

static void set_up_vitgate(Input *self, const char *name, const char *model)
{
  g_autoptr(GstElement) vitgate = gst_bin_get_by_name(GST_BIN(self->pipeline), name);
  if (!vitgate)
    return;
  g_object_set(vitgate, "model", model, "region", self->options.region, "smoothing", 0.0,
               "hysteresis", 0.0, "look", name, NULL);
  gst_util_set_object_arg(G_OBJECT(vitgate), "fit", "squash");
  gst_util_set_object_arg(G_OBJECT(vitgate), "temporal", "off");
  if (!strcmp(name, PICKER_FEATURES))
    g_object_set(vitgate, "features", TRUE, NULL);
  if (!strcmp(name, PICKER_FEATURES) && self->options.changes)
    g_object_set(vitgate, "reuse-threshold", 8.0 / 255, "max-age", (guint64)0, NULL);
}

static gboolean build(Input *self, GError **error)
{
  const gboolean is_file =
      g_str_has_prefix(self->url, "file:") || g_str_has_prefix(self->url, "http");
  g_autofree char *line = g_strdup_printf(
      "%s ! videoconvert name=convert ! vitgate name=" PICKER_FEATURES " %s ! "
      "appsink name=sink sync=false max-buffers=2 enable-last-sample=false",
      is_file ? FILE_QUEUE : LIVE_QUEUE, self->options.sort ? "! vitgate name=" PICKER_LABELS : "");
  GstElement *decoder = gst_element_factory_make("uridecodebin", NULL);
  self->pipeline = gst_parse_launch_full(line, NULL, GST_PARSE_FLAG_FATAL_ERRORS, error);
  if (!self->pipeline || !decoder) {
    g_clear_object(&decoder);
    if (self->pipeline)
      g_set_error(error, GST_CORE_ERROR, GST_CORE_ERROR_MISSING_PLUGIN,
                  "GStreamer has no element uridecodebin (install gstreamer1.0-plugins-base)");
    return FALSE;
  }
  g_object_set(decoder, "uri", self->url, NULL);
  g_signal_connect(decoder, "source-setup", G_CALLBACK(on_source), self);
  g_signal_connect(decoder, "pad-added", G_CALLBACK(on_pad), self);
  g_signal_connect(decoder, "no-more-pads", G_CALLBACK(on_no_more_pads), self);
  gst_bin_add(GST_BIN(self->pipeline), decoder);
  set_up_vitgate(self, PICKER_FEATURES, self->options.model);
  set_up_vitgate(self, PICKER_LABELS, self->options.sort);
  self->sink = gst_bin_get_by_name(GST_BIN(self->pipeline), "sink");
  g_autoptr(GstElement) convert = gst_bin_get_by_name(GST_BIN(self->pipeline), "convert");
  g_autoptr(GstPad) entry = gst_element_get_static_pad(convert, "sink");
  gst_pad_add_probe(entry, GST_PAD_PROBE_TYPE_BUFFER, on_frame, self, NULL);
  return TRUE;
}

/* ---- Messages ------------------------------------------------------------------------------ */

/* Sets @error to what an error message says; for a camera that cannot be reached, to why. */
static void explain(Input *self, GstMessage *message, GError **error)
{
  const CameraConfig camera = { .url = self->url };
  g_autoptr(GError) reported = NULL;
  g_autofree char *shown = secrets_hide_url(self->url), *reason = NULL;
  gst_message_parse_error(message, &reported, NULL);
  const gboolean by_vitgate =
      g_strcmp0(G_OBJECT_TYPE_NAME(GST_MESSAGE_SRC(message)), "GstVitgate") == 0;
  if (by_vitgate) {
    g_set_error_literal(error, reported->domain, reported->code, reported->message);
    return;
  }
  if (input_count(self) == 0)
    reason = reach_explain(&camera, NULL);
  if (!reason)
    reason = secrets_hide(reported->message);
  g_set_error(error, reported->domain, reported->code, "%s: %s", shown, reason);
}

/* Returns: FALSE with an error */
static gboolean read_messages(Input *self, GError **error)
{
  g_autoptr(GstBus) bus = gst_element_get_bus(self->pipeline);
  GstMessage *message;
  gboolean failed = FALSE;
  while (!failed && (message = gst_bus_pop_filtered(bus, GST_MESSAGE_ERROR | GST_MESSAGE_TAG))) {
    if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_TAG) {
      g_autoptr(GstTagList) tags = NULL;
      gst_message_parse_tag(message, &tags);
      gst_video_orientation_from_tag(tags, &self->orientation);
    } else {
      explain(self, message, error);
      failed = TRUE;
    }
    gst_message_unref(message);
  }
  return !failed;
}

/* Returns: FALSE with an error */
static gboolean check_silence(Input *self, GError **error)
{
  g_mutex_lock(&self->lock);
  const gboolean silent = g_get_monotonic_time() - self->last_frame > SILENCE;
  g_mutex_unlock(&self->lock);
  if (!silent)
    return TRUE;
  const CameraConfig camera = { .url = self->url };
  g_autofree char *shown = secrets_hide_url(self->url), *reason = reach_explain(&camera, NULL);
  g_set_error(error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT, "%s: %s", shown,
              reason ? reason : "no frame for 10 s");
  return FALSE;
}

GstSample *input_pull(Input *self, gboolean *ended, GError **error)
{
  *ended = FALSE;
  GstSample *sample = gst_app_sink_try_pull_sample(GST_APP_SINK(self->sink), PATIENCE);
  if (!read_messages(self, error)) {
    g_clear_pointer(&sample, gst_sample_unref);
    return NULL;
  }
  if (sample)
    return sample;
  *ended = gst_app_sink_is_eos(GST_APP_SINK(self->sink));
  if (!*ended)
    check_silence(self, error);
  return NULL;
}

/* ---- Start and end ------------------------------------------------------------------------- */

Input *input_new(const InputOptions *options, GError **error)
{
  Input *self = g_new0(Input, 1);
  g_mutex_init(&self->lock);
  self->options = *options;
  self->last = GST_CLOCK_TIME_NONE;
  self->url = find_url(options->source, error);
  if (!self->url || !build(self, error)) {
    input_free(&self);
    return NULL;
  }
  const gboolean failed =
      gst_element_set_state(self->pipeline, GST_STATE_PLAYING) == GST_STATE_CHANGE_FAILURE;
  self->last_frame = g_get_monotonic_time();
  if (failed) {
    if (read_messages(self, error))
      g_set_error(error, G_IO_ERROR, G_IO_ERROR_FAILED, "GStreamer cannot play the source");
    input_free(&self);
  }
  return self;
}

void input_free(Input **input)
{
  Input *self = g_steal_pointer(input);
  if (!self)
    return;
  if (self->pipeline) {
    gst_element_set_state(self->pipeline, GST_STATE_NULL);
    gst_object_unref(self->pipeline);
  }
  g_clear_object(&self->sink);
  g_mutex_clear(&self->lock);
  g_free(self->url);
  g_free(self);
}
