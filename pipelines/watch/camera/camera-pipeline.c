#include "camera/camera-pipeline.h"

#include <string.h>

#include <gst/app/gstappsink.h>

#include "camera/analysis.h"
#include "camera/tls-check.h"

/* Holds the newest frames of a live camera that wait for inference. A longer queue would only hold
 * older frames. */
#define LIVE_QUEUE                                                                                 \
  "queue name=queue leaky=downstream max-size-buffers=2 max-size-bytes=0 max-size-time=0"
#define FILE_QUEUE "queue name=queue max-size-buffers=4 max-size-bytes=0 max-size-time=0"
#define LINES                                                                                      \
  "vitgatejson name=json "                                                                         \
  "! appsink name=lines max-buffers=8 enable-last-sample=false wait-on-eos=false"

#define NO_VIDEO "the camera sends no video"

struct _CameraPipeline {
  GstElement *pipeline, *decoder;
  Transport transport;
  const CameraConfig *config;
  Analysis *analysis;
  NewestFrame *newest; /* (nullable) */
  CameraLineFunc func;
  gpointer user_data;
  gboolean has_credentials;
  TlsCheck *tls; /* NULL: without TLS */

  GMutex lock;
  gboolean linked;     /* there is decoded video */
  guint n_offered;     /* streams offered by an RTSP camera */
  gboolean has_video;  /* one of them is video */
  char *unknown_codec; /* of the video, or NULL */
  guint64 skipped;
};

/* Returns: the name of decoded or encoded video; NULL for anything else. */
static const char *video_name(const GstCaps *caps)
{
  if (!caps || gst_caps_get_size(caps) == 0)
    return NULL;
  const GstStructure *s = gst_caps_get_structure(caps, 0);
  const char *name = gst_structure_get_name(s);
  if (g_str_has_prefix(name, "video/") || g_str_has_prefix(name, "image/"))
    return name;
  if (g_strcmp0(gst_structure_get_string(s, "media"), "video") == 0)
    return gst_structure_get_string(s, "encoding-name");
  return NULL;
}

/* ---- The decoder --------------------------------------------------------------------------- */

static void on_decoded_pad(GstElement *decoder, GstPad *pad, gpointer user_data)
{
  CameraPipeline *self = user_data;
  g_autoptr(GstCaps) caps = gst_pad_get_current_caps(pad);
  g_autoptr(GstElement) queue = gst_bin_get_by_name(GST_BIN(self->pipeline), "queue");
  g_autoptr(GstPad) sink = gst_element_get_static_pad(queue, "sink");
  if (!video_name(caps) || gst_pad_is_linked(sink))
    return;
  gboolean linked = GST_PAD_LINK_SUCCESSFUL(gst_pad_link(pad, sink));
  g_mutex_lock(&self->lock);
  self->linked = self->linked || linked;
  g_mutex_unlock(&self->lock);
}

static void on_no_more_decoded_pads(GstElement *decoder, gpointer user_data)
{
  CameraPipeline *self = user_data;
  g_mutex_lock(&self->lock);
  gboolean none = !self->linked && !self->unknown_codec;
  g_mutex_unlock(&self->lock);
  if (none)
    gst_element_message_full(self->pipeline, GST_MESSAGE_ERROR, GST_STREAM_ERROR,
                             GST_STREAM_ERROR_WRONG_TYPE, g_strdup(NO_VIDEO), NULL, __FILE__,
                             G_STRFUNC, __LINE__);
}

/* Sets up an element that the decoder has added. */
static void on_decoder_element(GstBin *decoder, GstElement *element, gpointer user_data)
{
  GstElementFactory *factory = gst_element_get_factory(element);
  /* Many cameras share the cores, so threads of one decoder would only take memory. */
  if (g_object_class_find_property(G_OBJECT_GET_CLASS(element), "max-threads"))
    g_object_set(element, "max-threads", 1, NULL);
  /* MJPEG over HTTP: the demuxer must not wait for further streams. Without this, nothing is
   * decoded until megabytes have arrived. */
  if (factory && !strcmp(GST_OBJECT_NAME(factory), "multipartdemux"))
    g_object_set(element, "single-stream", TRUE, NULL);
}

/* Audio and subtitles are not decoded, since nothing uses them. */
static gboolean on_autoplug_continue(GstElement *decoder, GstPad *pad, GstCaps *caps,
                                     gpointer user_data)
{
  const char *name = gst_structure_get_name(gst_caps_get_structure(caps, 0));
  return !g_str_has_prefix(name, "audio/") && !g_str_has_prefix(name, "text/") &&
         !g_str_has_prefix(name, "subpicture/");
}

static void on_unknown_type(GstElement *decoder, GstPad *pad, GstCaps *caps, gpointer user_data)
{
  CameraPipeline *self = user_data;
  const char *name = video_name(caps);
  if (!name)
    return;
  g_mutex_lock(&self->lock);
  g_free(self->unknown_codec);
  self->unknown_codec = g_strdup(name);
  g_mutex_unlock(&self->lock);
}

/* ---- The source ---------------------------------------------------------------------------- */

/* Selects only the first video stream of an RTSP camera. */
static gboolean on_select_stream(GstElement *source, guint number, GstCaps *caps,
                                 gpointer user_data)
{
  CameraPipeline *self = user_data;
  const char *media = gst_structure_get_string(gst_caps_get_structure(caps, 0), "media");
  g_mutex_lock(&self->lock);
  gboolean wanted = g_strcmp0(media, "video") == 0 && !self->has_video;
  self->n_offered++;
  self->has_video = self->has_video || wanted;
  g_mutex_unlock(&self->lock);
  return wanted;
}

static void on_source_pad(GstElement *source, GstPad *pad, gpointer user_data)
{
  CameraPipeline *self = user_data;
  g_autoptr(GstPad) sink = gst_element_get_static_pad(self->decoder, "sink");
  if (!gst_pad_is_linked(sink))
    gst_pad_link(pad, sink);
}

static void set_up_rtsp(CameraPipeline *self, GstElement *source, const CameraConfig *config,
                        const char *user, const char *password)
{
  static const char *const protocols[] = {
    [TRANSPORT_AUTO] = "udp+udp-mcast+tcp",
    [TRANSPORT_TCP] = "tcp",
    [TRANSPORT_UDP] = "udp+udp-mcast",
  };
  const guint64 second = G_USEC_PER_SEC;
  gst_util_set_object_arg(G_OBJECT(source), "protocols", protocols[config->transport]);
  g_object_set(source, "latency", (guint)(config->latency * 1000), "drop-on-latency", TRUE,
               "tcp-timeout", (guint64)(config->connect_timeout * (double)second), NULL);
  /* rtspsrc handles silence only if it may change to TCP; otherwise the watchdog does. */
  if (config->transport != TRANSPORT_AUTO)
    g_object_set(source, "timeout", (guint64)0, NULL);
  if (user)
    g_object_set(source, "user-id", user, "user-pw", password, NULL);
  g_signal_connect(source, "select-stream", G_CALLBACK(on_select_stream), self);
  g_signal_connect(source, "pad-added", G_CALLBACK(on_source_pad), self);
}

static gboolean add_source(CameraPipeline *self, const CameraConfig *config, const char *user,
                           const char *password, GError **error)
{
  GstElement *source = gst_element_make_from_uri(GST_URI_SRC, config->url, "source", error);
  if (!source)
    return FALSE;
  gst_bin_add(GST_BIN(self->pipeline), source);
  if (config_uses_tls(config)) {
    if (!(self->tls = tls_check_new(config, error)))
      return FALSE;
    g_object_set(source, "tls-database", self->tls, NULL);
  }
  if (g_signal_lookup("select-stream", G_OBJECT_TYPE(source))) {
    set_up_rtsp(self, source, config, user, password);
    return TRUE;
  }
  if (user && g_object_class_find_property(G_OBJECT_GET_CLASS(source), "user-pw"))
    g_object_set(source, "user-id", user, "user-pw", password, NULL);
  if (gst_element_link(source, self->decoder))
    return TRUE;
  g_set_error(error, GST_CORE_ERROR, GST_CORE_ERROR_PAD, "the output of %s cannot be decoded",
              config->shown_url);
  return FALSE;
}

/* ---- The analysis -------------------------------------------------------------------------- */

/* A leaky queue drops one frame each time it is full. */
static void on_overrun(GstElement *queue, gpointer user_data)
{
  CameraPipeline *self = user_data;
  g_mutex_lock(&self->lock);
  self->skipped++;
  g_mutex_unlock(&self->lock);
}

/* Gives a frame without a timestamp, as of MJPEG over HTTP, the time of its arrival. */
static GstPadProbeReturn on_frame(GstPad *pad, GstPadProbeInfo *info, gpointer user_data)
{
  CameraPipeline *self = user_data;
  GstBuffer *buffer = GST_PAD_PROBE_INFO_BUFFER(info);
  if (GST_BUFFER_PTS_IS_VALID(buffer))
    return GST_PAD_PROBE_OK;
  g_autoptr(GstEvent) event = gst_pad_get_sticky_event(pad, GST_EVENT_SEGMENT, 0);
  GstClockTime now = gst_element_get_current_running_time(self->pipeline);
  const GstSegment *segment;
  if (!event)
    return GST_PAD_PROBE_OK;
  gst_event_parse_segment(event, &segment);
  buffer = gst_buffer_make_writable(buffer);
  /* There is no running time until the first frame has arrived. */
  GST_BUFFER_PTS(buffer) = gst_segment_position_from_running_time(
      segment, GST_FORMAT_TIME, GST_CLOCK_TIME_IS_VALID(now) ? now : 0);
  GST_PAD_PROBE_INFO_DATA(info) = buffer;
  return GST_PAD_PROBE_OK;
}

static GstFlowReturn on_sample(GstAppSink *sink, gpointer user_data)
{
  CameraPipeline *self = user_data;
  g_autoptr(GstSample) sample = gst_app_sink_pull_sample(sink);
  GstMapInfo map;
  if (!sample)
    return GST_FLOW_EOS;
  analysis_note_models(self->analysis);
  GstBuffer *buffer = gst_sample_get_buffer(sample);
  GstClockTime time = gst_segment_to_running_time(gst_sample_get_segment(sample), GST_FORMAT_TIME,
                                                  GST_BUFFER_PTS(buffer));
  if (!gst_buffer_map(buffer, &map, GST_MAP_READ))
    return GST_FLOW_ERROR;
  self->func((const char *)map.data, map.size, time, self->user_data);
  gst_buffer_unmap(buffer, &map);
  return GST_FLOW_OK;
}

static void set_up_lines(CameraPipeline *self, const CameraConfig *config)
{
  GstBin *bin = GST_BIN(self->pipeline);
  g_autoptr(GstElement) json = gst_bin_get_by_name(bin, "json");
  g_autoptr(GstElement) queue = gst_bin_get_by_name(bin, "queue");
  g_autoptr(GstElement) lines = gst_bin_get_by_name(bin, "lines");
  g_object_set(json, "stream-id", config->name, NULL);
  g_object_set(lines, "sync", config->real_time, NULL);
  g_autoptr(GstPad) entry = gst_element_get_static_pad(queue, "sink");
  gst_pad_add_probe(entry, GST_PAD_PROBE_TYPE_BUFFER, on_frame, self, NULL);
  if (!config_is_file(config))
    g_signal_connect(queue, "overrun", G_CALLBACK(on_overrun), self);
  /* vitgate adds metadata to a frame, for which it must be the only owner; vitgatejson only reads.
   */
  g_autoptr(GstPad) analysed = gst_element_get_static_pad(json, "sink");
  if (self->newest)
    newest_frame_watch(self->newest, analysed);
  GstAppSinkCallbacks callbacks = { .new_sample = on_sample };
  gst_app_sink_set_callbacks(GST_APP_SINK(lines), &callbacks, self, NULL);
}

/* ---- The pipeline -------------------------------------------------------------------------- */

static gboolean build(CameraPipeline *self, const CameraConfig *config, const char *user,
                      const char *password, GError **error)
{
  g_autofree char *analysis = analysis_describe(config);
  g_autofree char *line =
      g_strdup_printf("%s ! videoconvert ! %s ! " LINES,
                      config_is_file(config) ? FILE_QUEUE : LIVE_QUEUE, analysis);
  self->pipeline = gst_parse_launch_full(line, NULL, GST_PARSE_FLAG_FATAL_ERRORS, error);
  if (!self->pipeline)
    return FALSE;
  self->analysis = analysis_new(GST_BIN(self->pipeline), config);
  self->decoder = gst_element_factory_make("decodebin", NULL);
  if (!self->decoder) {
    g_set_error(error, GST_CORE_ERROR, GST_CORE_ERROR_MISSING_PLUGIN,
                "GStreamer has no element decodebin (install gstreamer1.0-plugins-base)");
    return FALSE;
  }
  gst_bin_add(GST_BIN(self->pipeline), self->decoder);
  g_signal_connect(self->decoder, "pad-added", G_CALLBACK(on_decoded_pad), self);
  g_signal_connect(self->decoder, "no-more-pads", G_CALLBACK(on_no_more_decoded_pads), self);
  g_signal_connect(self->decoder, "element-added", G_CALLBACK(on_decoder_element), self);
  g_signal_connect(self->decoder, "autoplug-continue", G_CALLBACK(on_autoplug_continue), self);
  g_signal_connect(self->decoder, "unknown-type", G_CALLBACK(on_unknown_type), self);
  set_up_lines(self, config);
  return add_source(self, config, user, password, error);
}

CameraPipeline *camera_pipeline_new(const CameraConfig *config, const char *user,
                                    const char *password, NewestFrame *newest, CameraLineFunc func,
                                    gpointer user_data, GError **error)
{
  CameraPipeline *self = g_new0(CameraPipeline, 1);
  g_mutex_init(&self->lock);
  self->newest = newest ? newest_frame_ref(newest) : NULL;
  self->func = func;
  self->user_data = user_data;
  self->transport = config->transport;
  self->config = config;
  self->has_credentials = user != NULL;
  if (!build(self, config, user, password, error))
    camera_pipeline_free(&self);
  return self;
}

GstElement *camera_pipeline_get_element(CameraPipeline *self)
{
  return self->pipeline;
}

gboolean camera_pipeline_check_models(CameraPipeline *self)
{
  return analysis_check_models(self->analysis);
}

void camera_pipeline_set_models(CameraPipeline *self, const CameraConfig *config)
{
  analysis_set_models(self->analysis, config);
}

Analysis *camera_pipeline_get_analysis(CameraPipeline *self)
{
  return self->analysis;
}

guint64 camera_pipeline_take_skipped(CameraPipeline *self)
{
  g_mutex_lock(&self->lock);
  guint64 skipped = self->skipped;
  self->skipped = 0;
  g_mutex_unlock(&self->lock);
  return skipped;
}

void camera_pipeline_free(CameraPipeline **pipeline)
{
  CameraPipeline *self = *pipeline;
  *pipeline = NULL;
  if (!self)
    return;
  if (self->newest)
    newest_frame_stop(self->newest);
  if (self->pipeline) {
    gst_element_set_state(self->pipeline, GST_STATE_NULL);
    gst_object_unref(self->pipeline);
  }
  analysis_free(&self->analysis);
  g_clear_pointer(&self->newest, newest_frame_unref);
  g_clear_object(&self->tls);
  g_mutex_clear(&self->lock);
  g_free(self->unknown_codec);
  g_free(self);
}

/* ---- Errors -------------------------------------------------------------------------------- */

/* Joins the message and the reason, which elements put into the debug text after "file.c(1):
 * function (): /path:". */
static char *join_reason(const GError *error, const char *debug)
{
  const char *reason = debug ? strstr(debug, ":\n") : NULL;
  g_autofree char *message = g_strchomp(g_strdup(error->message));
  return reason && reason[2] ? g_strdup_printf("%s %s", message, reason + 2)
                             : g_steal_pointer(&message);
}

/* The debug text of vitgate's errors only has their number.
 * Returns: (transfer full) (nullable): NULL: the error is not one of vitgate's */
static char *explain_analysis(GstMessage *message, const GError *error)
{
  g_autofree char *look = NULL;
  if (!analysis_is_source(GST_MESSAGE_SRC(message), &look))
    return NULL;
  return look ? g_strdup_printf("look %s: %s", look, error->message) : g_strdup(error->message);
}

char *camera_pipeline_explain(CameraPipeline *self, GstMessage *message, gboolean *hopeless)
{
  g_autoptr(GError) error = NULL;
  g_autofree char *debug = NULL;
  gst_message_parse_error(message, &error, &debug);
  *hopeless = TRUE;
  char *reason = explain_analysis(message, error);
  if (reason)
    return reason;
  char *refused = self->tls ? tls_check_get_reason(self->tls) : NULL;
  if (refused)
    return refused;
  if (g_error_matches(error, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_NOT_AUTHORIZED))
    return g_strdup(self->has_credentials ? "the camera refuses the credentials"
                                          : "the camera requires credentials, but none are set");

  g_mutex_lock(&self->lock);
  gboolean refused_transport =
      self->has_video && self->transport != TRANSPORT_AUTO && !self->unknown_codec &&
      g_error_matches(error, GST_STREAM_ERROR, GST_STREAM_ERROR_CODEC_NOT_FOUND);
  gboolean no_video = (self->n_offered > 0 && !self->has_video) ||
                      (!self->linked && g_strcmp0(error->message, NO_VIDEO) == 0);
  const gboolean linked = self->linked;
  g_autofree char *codec = self->linked ? NULL : g_strdup(self->unknown_codec);
  g_mutex_unlock(&self->lock);
  if (refused_transport)
    return g_strdup_printf("the camera does not send over %s (set transport=auto)",
                           self->transport == TRANSPORT_TCP ? "TCP" : "UDP");
  if (no_video)
    return g_strdup(NO_VIDEO);
  if (codec)
    return g_strdup_printf("GStreamer has no decoder for the camera's video (%s)", codec);
  *hopeless = error->domain == GST_LIBRARY_ERROR;
  if (g_error_matches(error, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_NOT_FOUND) &&
      config_is_on_network(self->config))
    return g_strdup("stream not found (is the path of the URL right?)");
  /* rtspsrc and the watchdog wait equally long, and should say the same. */
  if (g_error_matches(error, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_READ) && debug &&
      strstr(debug, "Timeout") && !linked)
    return g_strdup_printf("no frame within %g s", self->config->connect_timeout);
  if (g_error_matches(error, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_READ) && debug &&
      strstr(debug, "Parse error") && !linked)
    return g_strdup("the answer is not RTSP (is the port right?)");
  return *hopeless ? g_strdup(error->message) : join_reason(error, debug);
}
