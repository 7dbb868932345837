/* gstvitgatejson.c: the element vitgatejson. */
/**
 * SECTION:element-vitgatejson
 * @title: vitgatejson
 * @short_description: writes the results of vitgate as a line of JSON for each frame
 *
 * vitgatejson takes video and writes one JSON object and a newline for each frame, for a file, a
 * socket or an application: any element that takes application/x-json, or bytes.
 * gst-plugin/JSON.md documents all members. Pixels are not read, so frames may have any format and
 * be in any memory.
 *
 * With #GstVitgateJson:format=dlstreamer a line has the members that DL Streamer's gvametaconvert
 * writes, for consumers of that element: all detected objects, with and without a result. With
 * #GstVitgateJson:format=text it is text for people: the time, the score and the label.
 *
 * A frame without results is written too, with an empty array. If the first frame with content has
 * none, an element warning is posted: most likely there is no vitgate upstream.
 *
 * With #GstVitgateJson:only-changes a frame is written only if the best label of the frame or of a
 * region differs from the frame before, or if a region appeared or disappeared. If each class has a
 * probability of its own, all labels count, not only the best. The first frame
 * after a start, a pause, a flush or the start of a stream is always written, since sinks wait for
 * one buffer then. For the other frames nothing is sent, not even a GAP event, which an appsink
 * would keep until the next buffer.
 *
 * ## Example launch lines
 * |[
 * gst-launch-1.0 -q filesrc location=cars.mp4 ! decodebin ! vitgate ! vitgatejson format=text ! \
 *   fdsink
 * ]| Prints the label of each frame of a clip.
 * |[
 * gst-launch-1.0 filesrc location=cars.mp4 ! decodebin ! vitgate ! vitgatejson ! \
 *   filesink location=cars.jsonl
 * ]| Writes a line for each frame of a clip.
 * |[
 * gst-launch-1.0 rtspsrc location=rtsp://camera/stream add-reference-timestamp-meta=true ! \
 *   decodebin ! vitgate ! vitgatejson stream-id=door only-changes=true ! \
 *   tcpserversink host=127.0.0.1 port=4000
 * ]| Sends a line to every client of port 4000 when what is at the door changes, with the time by
 * the camera's clock.
 */
#include "json/gstvitgatejson.h"

#include "common/frame.h"
#include "json/dlstreamer-line.h"
#include "json/json-line.h"
#include "json/text-line.h"
#include "json/top-labels.h"
#include "json/values.h"

GST_DEBUG_CATEGORY_STATIC(gst_vitgate_json_debug);
#define GST_CAT_DEFAULT gst_vitgate_json_debug

enum {
  PROP_0,
  PROP_FORMAT,
  PROP_STREAM_ID,
  PROP_SOURCE,
  PROP_TAGS,
  PROP_ONLY_CHANGES,
};

#define JSON_CAPS "application/x-json"
#define TEXT_CAPS "text/x-raw, format=utf8"

#define DEFAULT_FORMAT       GST_VITGATE_JSON_FORMAT_VITGATE
#define DEFAULT_ONLY_CHANGES FALSE

static GstStaticPadTemplate sink_template = GST_STATIC_PAD_TEMPLATE(
    "sink", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS("video/x-raw; video/x-raw(ANY)"));
static GstStaticPadTemplate src_template = GST_STATIC_PAD_TEMPLATE(
    "src", GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS(JSON_CAPS "; " TEXT_CAPS));

G_DEFINE_TYPE(GstVitgateJson, gst_vitgate_json, GST_TYPE_BASE_TRANSFORM)
GST_ELEMENT_REGISTER_DEFINE(vitgatejson, "vitgatejson", GST_RANK_NONE, GST_TYPE_VITGATE_JSON)

/* ---- Properties ---------------------------------------------------------------------------- */

#define GST_TYPE_VITGATE_JSON_FORMAT (gst_vitgate_json_format_get_type())

static GType gst_vitgate_json_format_get_type(void)
{
  static const GEnumValue values[] = {
    { GST_VITGATE_JSON_FORMAT_VITGATE, "Everything about the results", "vitgate" },
    { GST_VITGATE_JSON_FORMAT_DLSTREAMER, "As DL Streamer's gvametaconvert", "dlstreamer" },
    { GST_VITGATE_JSON_FORMAT_TEXT, "Text for people: time, score and label", "text" },
    { 0, NULL, NULL },
  };
  static gsize type;

  if (g_once_init_enter(&type))
    g_once_init_leave(&type, g_enum_register_static("GstVitgateJsonFormat", values));
  return type;
}

static void set_string(char **field, const GValue *value)
{
  g_free(*field);
  *field = g_value_dup_string(value);
}

static void gst_vitgate_json_set_property(GObject *object, guint id, const GValue *value,
                                          GParamSpec *spec)
{
  GstVitgateJson *self = GST_VITGATE_JSON(object);

  GST_OBJECT_LOCK(self);
  switch (id) {
  case PROP_FORMAT:
    self->format = (GstVitgateJsonFormat)g_value_get_enum(value);
    break;
  case PROP_STREAM_ID:
    set_string(&self->stream_id, value);
    break;
  case PROP_SOURCE:
    set_string(&self->source, value);
    break;
  case PROP_TAGS:
    set_string(&self->tags, value);
    break;
  case PROP_ONLY_CHANGES:
    self->only_changes = g_value_get_boolean(value);
    break;
  default:
    G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
    break;
  }
  GST_OBJECT_UNLOCK(self);
}

static void gst_vitgate_json_get_property(GObject *object, guint id, GValue *value,
                                          GParamSpec *spec)
{
  GstVitgateJson *self = GST_VITGATE_JSON(object);

  GST_OBJECT_LOCK(self);
  switch (id) {
  case PROP_FORMAT:
    g_value_set_enum(value, (gint)self->format);
    break;
  case PROP_STREAM_ID:
    g_value_set_string(value, self->stream_id);
    break;
  case PROP_SOURCE:
    g_value_set_string(value, self->source);
    break;
  case PROP_TAGS:
    g_value_set_string(value, self->tags);
    break;
  case PROP_ONLY_CHANGES:
    g_value_set_boolean(value, self->only_changes);
    break;
  default:
    G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
    break;
  }
  GST_OBJECT_UNLOCK(self);
}

/* ---- Start, stop and caps ------------------------------------------------------------------ */

static void write_next(GstVitgateJson *self)
{
  GST_OBJECT_LOCK(self);
  self->write_always = TRUE;
  GST_OBJECT_UNLOCK(self);
}

/* Posts an error if @text is no JSON object.
 * @tags: (out): NULL if there is no text */
static gboolean read_tags(GstVitgateJson *self, const char *text, JsonObject **tags)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(JsonNode) node = NULL;

  *tags = NULL;
  if (!text)
    return TRUE;
  node = gst_vitgate_json_parse(text, &error);
  if (node && JSON_NODE_HOLDS_OBJECT(node)) {
    *tags = json_node_dup_object(node);
    return TRUE;
  }
  GST_ELEMENT_ERROR(self, RESOURCE, SETTINGS,
                    ("Property tags: expected a JSON object such as {\"site\": \"gate 3\"}: %s",
                     error ? error->message : "this is no object"),
                    ("%s", text));
  return FALSE;
}

static gboolean gst_vitgate_json_start(GstBaseTransform *trans)
{
  GstVitgateJson *self = GST_VITGATE_JSON(trans);
  g_autofree char *tags = NULL;

  GST_OBJECT_LOCK(self);
  tags = g_strdup(self->tags);
  self->current_format = self->format;
  GST_OBJECT_UNLOCK(self);
  if (!read_tags(self, tags, &self->current_tags))
    return FALSE;
  self->frames = 0;
  self->width = self->height = 0;
  self->has_results = FALSE;
  self->live_known = FALSE;
  write_next(self);
  return TRUE;
}

static gboolean gst_vitgate_json_stop(GstBaseTransform *trans)
{
  GstVitgateJson *self = GST_VITGATE_JSON(trans);

  g_clear_pointer(&self->top_labels, g_strfreev);
  g_clear_pointer(&self->current_tags, json_object_unref);
  return TRUE;
}

/* A sink needs a buffer to complete its change to PAUSED. */
static GstStateChangeReturn gst_vitgate_json_change_state(GstElement *element,
                                                          GstStateChange transition)
{
  if (transition == GST_STATE_CHANGE_PLAYING_TO_PAUSED)
    write_next(GST_VITGATE_JSON(element));
  return GST_ELEMENT_CLASS(gst_vitgate_json_parent_class)->change_state(element, transition);
}

static GstCaps *output_caps(GstVitgateJson *self)
{
  gboolean text;

  GST_OBJECT_LOCK(self);
  text = self->format == GST_VITGATE_JSON_FORMAT_TEXT;
  GST_OBJECT_UNLOCK(self);
  return gst_caps_from_string(text ? TEXT_CAPS : JSON_CAPS);
}

static GstCaps *gst_vitgate_json_transform_caps(GstBaseTransform *trans, GstPadDirection direction,
                                                GstCaps *caps, GstCaps *filter)
{
  GstCaps *all = direction == GST_PAD_SINK ? output_caps(GST_VITGATE_JSON(trans))
                                           : gst_pad_get_pad_template_caps(trans->sinkpad),
          *result = all;

  if (filter) {
    result = gst_caps_intersect_full(filter, all, GST_CAPS_INTERSECT_FIRST);
    gst_caps_unref(all);
  }
  return result;
}

static gboolean gst_vitgate_json_set_caps(GstBaseTransform *trans, GstCaps *in, GstCaps *out)
{
  GstVitgateJson *self = GST_VITGATE_JSON(trans);
  const GstStructure *s = gst_caps_get_structure(in, 0);

  self->width = self->height = 0;
  gst_structure_get_int(s, "width", &self->width);
  gst_structure_get_int(s, "height", &self->height);
  return TRUE;
}

/* Any layout of pixels will do, since nothing reads them. Crop metas are not asked for: videocrop
 * would then leave regions where they are, and cut only the caps. */
static gboolean gst_vitgate_json_propose_allocation(GstBaseTransform *trans, GstQuery *decide,
                                                    GstQuery *query)
{
  gst_query_add_allocation_meta(query, GST_VIDEO_META_API_TYPE, NULL);
  gst_query_add_allocation_meta(query, GST_VIDEO_OVERLAY_COMPOSITION_META_API_TYPE, NULL);
  return TRUE;
}

/* ---- Frames -------------------------------------------------------------------------------- */

/* Queries upstream with the first frame of a segment, when the answer is known. */
static gboolean is_live(GstVitgateJson *self)
{
  GstQuery *query;

  if (self->live_known)
    return self->live;
  query = gst_query_new_latency();
  self->live = FALSE;
  if (gst_pad_peer_query(GST_BASE_TRANSFORM_SINK_PAD(self), query))
    gst_query_parse_latency(query, &self->live, NULL, NULL);
  gst_query_unref(query);
  self->live_known = TRUE;
  return self->live;
}

static char *get_source(GstVitgateJson *self)
{
  char *source;

  GST_OBJECT_LOCK(self);
  source = g_strdup(self->source);
  GST_OBJECT_UNLOCK(self);
  return source;
}

/* Returns: (transfer full): the property; if unset, the stream's id; if there is none, the
 * element's name. */
static char *find_stream_id(GstVitgateJson *self)
{
  char *id;

  GST_OBJECT_LOCK(self);
  id = g_strdup(self->stream_id);
  GST_OBJECT_UNLOCK(self);
  if (!id)
    id = gst_pad_get_stream_id(GST_BASE_TRANSFORM_SINK_PAD(self));
  return id ? id : gst_object_get_name(GST_OBJECT(self));
}

static char *write_line(GstVitgateJson *self, GstBuffer *buffer, gsize *length)
{
  g_autofree char *stream_id = find_stream_id(self), *source = get_source(self);
  GstVitgateJsonFrame frame = {
    .stream_id = stream_id,
    .source = source,
    .tags = self->current_tags,
    .number = self->frames,
    .width = self->width,
    .height = self->height,
    .times = gst_vitgate_frame_times(GST_ELEMENT(self), &GST_BASE_TRANSFORM(self)->segment, buffer),
    .wall_clock = gst_vitgate_wall_clock_of_buffer(buffer),
  };

  if (!frame.wall_clock.source && is_live(self))
    frame.wall_clock =
        gst_vitgate_wall_clock_of_running_time(GST_ELEMENT(self), frame.times.running_time);
  if (self->current_format == GST_VITGATE_JSON_FORMAT_DLSTREAMER)
    return gst_vitgate_dlstreamer_line(&frame, buffer, length);
  if (self->current_format == GST_VITGATE_JSON_FORMAT_TEXT)
    return gst_vitgate_text_line(&frame, buffer, length);
  return gst_vitgate_json_line(&frame, buffer, length);
}

/* Warns once if frames carry no results. Empty frames are not counted: at the start of a stream
 * vitgate attaches nothing to them. */
static void warn_without_results(GstVitgateJson *self, GstBuffer *buffer)
{
  gpointer state = NULL;

  if (self->has_results)
    return;
  if (gst_vitgate_results_next(buffer, &state)) {
    self->has_results = TRUE;
    return;
  }
  if (gst_vitgate_frame_is_empty(buffer))
    return;
  self->has_results = TRUE;
  GST_ELEMENT_WARNING(
      self, STREAM, WRONG_TYPE,
      ("The frames carry no results. Is there a vitgate element before %s?", GST_OBJECT_NAME(self)),
      ("%" GST_PTR_FORMAT, buffer));
}

/* Returns: whether to write a line for @buffer. */
static gboolean should_write(GstVitgateJson *self, GstBuffer *buffer)
{
  GStrv labels, before = self->top_labels;
  gboolean only_changes, write_always, changed;

  GST_OBJECT_LOCK(self);
  only_changes = self->only_changes;
  write_always = self->write_always;
  self->write_always = FALSE;
  GST_OBJECT_UNLOCK(self);

  labels = only_changes ? gst_vitgate_top_labels(buffer) : NULL;
  changed =
      !labels || !before || !g_strv_equal((const char *const *)labels, (const char *const *)before);
  g_strfreev(before);
  self->top_labels = labels;
  return write_always || changed;
}

/* Makes an empty buffer. transform() fills it if there is something to write. */
static GstFlowReturn gst_vitgate_json_prepare_output_buffer(GstBaseTransform *trans, GstBuffer *in,
                                                            GstBuffer **out)
{
  *out = gst_buffer_new();
  gst_buffer_copy_into(*out, in, GST_BUFFER_COPY_TIMESTAMPS, 0, -1);
  if (GST_BUFFER_FLAG_IS_SET(in, GST_BUFFER_FLAG_DISCONT))
    GST_BUFFER_FLAG_SET(*out, GST_BUFFER_FLAG_DISCONT);
  return GST_FLOW_OK;
}

static GstFlowReturn gst_vitgate_json_transform(GstBaseTransform *trans, GstBuffer *in,
                                                GstBuffer *out)
{
  GstVitgateJson *self = GST_VITGATE_JSON(trans);
  GstFlowReturn flow = GST_BASE_TRANSFORM_FLOW_DROPPED;

  warn_without_results(self, in);
  if (should_write(self, in)) {
    gsize length;
    char *line = write_line(self, in, &length);

    gst_buffer_append_memory(out, gst_memory_new_wrapped(0, line, length, 0, length, line, g_free));
    flow = GST_FLOW_OK;
  }
  self->frames++;
  return flow;
}

/* ---- Events -------------------------------------------------------------------------------- */

static gboolean gst_vitgate_json_sink_event(GstBaseTransform *trans, GstEvent *event)
{
  GstVitgateJson *self = GST_VITGATE_JSON(trans);

  switch (GST_EVENT_TYPE(event)) {
  case GST_EVENT_STREAM_START:
  case GST_EVENT_FLUSH_STOP:
    write_next(self);
    break;
  case GST_EVENT_SEGMENT:
    self->live_known = FALSE;
    break;
  default:
    break;
  }
  return GST_BASE_TRANSFORM_CLASS(gst_vitgate_json_parent_class)->sink_event(trans, event);
}

/* ---- Class --------------------------------------------------------------------------------- */

static void gst_vitgate_json_finalize(GObject *object)
{
  GstVitgateJson *self = GST_VITGATE_JSON(object);

  g_free(self->stream_id);
  g_free(self->source);
  g_free(self->tags);
  G_OBJECT_CLASS(gst_vitgate_json_parent_class)->finalize(object);
}

static void install_properties(GObjectClass *class)
{
  const GParamFlags ready = G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_READY;
  const GParamFlags playing =
      G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_PLAYING;

  gst_type_mark_as_plugin_api(GST_TYPE_VITGATE_JSON_FORMAT, 0);
  g_object_class_install_property(class, PROP_FORMAT,
                                  g_param_spec_enum("format", "Format", "Members of a line",
                                                    GST_TYPE_VITGATE_JSON_FORMAT, DEFAULT_FORMAT,
                                                    ready));
  g_object_class_install_property(
      class, PROP_STREAM_ID,
      g_param_spec_string("stream-id", "Stream ID",
                          "Name of the stream, written to each line (unset = the stream's own id, "
                          "or the element's name if it has none)",
                          NULL, playing));
  g_object_class_install_property(
      class, PROP_SOURCE,
      g_param_spec_string("source", "Source",
                          "Where the stream comes from, such as a URI, written to each line as it "
                          "is (unset = not written)",
                          NULL, playing));
  g_object_class_install_property(
      class, PROP_TAGS,
      g_param_spec_string("tags", "Tags",
                          "A JSON object with anything, written to each line (unset = not written)",
                          NULL, ready));
  g_object_class_install_property(
      class, PROP_ONLY_CHANGES,
      g_param_spec_boolean("only-changes", "Only changes",
                           "Write only frames whose best label, or the best label of a region, "
                           "differs from the frame before",
                           DEFAULT_ONLY_CHANGES, playing));
}

static void gst_vitgate_json_class_init(GstVitgateJsonClass *class)
{
  GObjectClass *object_class = G_OBJECT_CLASS(class);
  GstElementClass *element_class = GST_ELEMENT_CLASS(class);
  GstBaseTransformClass *trans_class = GST_BASE_TRANSFORM_CLASS(class);

  GST_DEBUG_CATEGORY_INIT(gst_vitgate_json_debug, "vitgatejson", 0, "results of vitgate as JSON");

  object_class->set_property = gst_vitgate_json_set_property;
  object_class->get_property = gst_vitgate_json_get_property;
  object_class->finalize = gst_vitgate_json_finalize;
  install_properties(object_class);

  gst_element_class_set_static_metadata(element_class, "vitgate results as JSON",
                                        "Converter/Analyzer/Video",
                                        "Writes the results that vitgate attached to each frame as "
                                        "a line of JSON",
                                        "The vitgate authors");
  gst_element_class_add_static_pad_template(element_class, &sink_template);
  gst_element_class_add_static_pad_template(element_class, &src_template);

  element_class->change_state = GST_DEBUG_FUNCPTR(gst_vitgate_json_change_state);
  trans_class->start = GST_DEBUG_FUNCPTR(gst_vitgate_json_start);
  trans_class->stop = GST_DEBUG_FUNCPTR(gst_vitgate_json_stop);
  trans_class->transform_caps = GST_DEBUG_FUNCPTR(gst_vitgate_json_transform_caps);
  trans_class->set_caps = GST_DEBUG_FUNCPTR(gst_vitgate_json_set_caps);
  trans_class->propose_allocation = GST_DEBUG_FUNCPTR(gst_vitgate_json_propose_allocation);
  trans_class->prepare_output_buffer = GST_DEBUG_FUNCPTR(gst_vitgate_json_prepare_output_buffer);
  trans_class->transform = GST_DEBUG_FUNCPTR(gst_vitgate_json_transform);
  trans_class->sink_event = GST_DEBUG_FUNCPTR(gst_vitgate_json_sink_event);
}

static void gst_vitgate_json_init(GstVitgateJson *self)
{
  self->format = DEFAULT_FORMAT;
  self->only_changes = DEFAULT_ONLY_CHANGES;
}
