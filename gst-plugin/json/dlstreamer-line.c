/* dlstreamer-line.c: writes a frame as DL Streamer's gvametaconvert does. */
#include "json/dlstreamer-line.h"

#include "common/visible.h"
#include "json/objects.h"
#include "json/values.h"

/* Name of vitgate's results; that of its parameter of a region of interest. */
#define ATTRIBUTE GST_VITGATE_PARAMETER

/* ---- Classifications ----------------------------------------------------------------------- */

/* Adds a classification. If @object has one of that name, a number makes the name another. */
static void add_classification(JsonObject *object, const char *name, JsonObject *classification)
{
  g_autofree char *valid = g_utf8_make_valid(name, -1);
  g_autofree char *free_name = g_strdup(valid);

  for (guint i = 2; json_object_has_member(object, free_name); i++) {
    g_free(free_name);
    free_name = g_strdup_printf("%s_%u", valid, i);
  }
  json_object_set_object_member(object, free_name, classification);
}

static JsonObject *new_classification(const char *label, const char *model)
{
  JsonObject *classification = json_object_new(), *object = json_object_new();

  gst_vitgate_json_add_string(classification, "label", label);
  gst_vitgate_json_add_string(object, "name", model);
  json_object_set_object_member(classification, "model", object);
  return classification;
}

/* Adds the best class of @s: a result of @model, or one of its regions. */
static void add_result(JsonObject *object, const GstStructure *s, const char *model)
{
  const char *label = gst_structure_get_string(s, "label");
  JsonObject *classification;
  double score;
  guint index;

  if (!label)
    return;
  classification = new_classification(label, model);
  if (gst_structure_get_double(s, "score", &score))
    gst_vitgate_json_add_double(classification, "confidence", score);
  if (gst_structure_get_uint(s, "index", &index))
    gst_vitgate_json_add_uint(classification, "label_id", index);
  add_classification(object, ATTRIBUTE, classification);
}

/* Adds what another element found: a parameter of a region of interest that names its model. */
static void add_parameter(JsonObject *object, const GstStructure *s)
{
  const char *label = gst_structure_get_string(s, "label"),
             *model = gst_structure_get_string(s, "model_name"),
             *attribute = gst_structure_get_string(s, "attribute_name");
  JsonObject *classification;
  double confidence;
  gint label_id;

  if (!label || !model)
    return;
  classification = new_classification(label, model);
  if (gst_structure_get_double(s, "confidence", &confidence))
    gst_vitgate_json_add_double(classification, "confidence", confidence);
  if (gst_structure_get_int(s, "label_id", &label_id))
    json_object_set_int_member(classification, "label_id", label_id);
  add_classification(object, attribute ? attribute : gst_structure_get_name(s), classification);
}

/* ---- Objects ------------------------------------------------------------------------------- */

/* Scaling a frame rounds the places of regions and of objects each for itself. */
static gboolean is_near(gint64 a, gint64 b)
{
  return ABS(a - b) <= 1;
}

/* Whether @region, which is within the frame, is the result of @object. */
static gboolean is_result_of(const GstStructure *region, const GstVitgateObject *object,
                             const GstVitgateJsonFrame *frame)
{
  const gint64 right = (gint64)object->x + object->width,
               bottom = (gint64)object->y + object->height;
  const gint64 left = MAX(object->x, 0), top = MAX(object->y, 0);
  const char *type = gst_structure_get_string(region, "type");
  guint x, y, width, height;
  gint id = -1;

  gst_structure_get_int(region, "id", &id);
  return gst_structure_get(region, "x", G_TYPE_UINT, &x, "y", G_TYPE_UINT, &y, "width", G_TYPE_UINT,
                           &width, "height", G_TYPE_UINT, &height, NULL) &&
         g_strcmp0(type, g_quark_to_string(object->type)) == 0 &&
         (id < 0 || !object->tracked || (guint64)id == object->id) && is_near(x, left) &&
         is_near(y, top) &&
         is_near((gint64)x + width, frame->width > 0 ? MIN(right, frame->width) : right) &&
         is_near((gint64)y + height, frame->height > 0 ? MIN(bottom, frame->height) : bottom);
}

/* Adds vitgate's results of @detected, which are in VitgateMeta even where the parameters of
 * regions of interest are lost. */
static void add_results(JsonObject *object, const GstVitgateObject *detected,
                        const GstVitgateJsonFrame *frame, GstBuffer *buffer)
{
  const GstStructure *s, *region;
  gpointer state = NULL;

  while ((s = gst_vitgate_results_next(buffer, &state))) {
    guint i = 0;

    while ((region = gst_vitgate_results_next_region(s, &i))) {
      if (!is_result_of(region, detected, frame))
        continue;
      add_result(object, region, gst_structure_get_string(s, "model-name"));
      break;
    }
  }
}

/* Whether @s is vitgate's own parameter, whose result @object has from VitgateMeta. */
static gboolean is_known(JsonObject *object, const GstStructure *s)
{
  const char *model = gst_structure_get_string(s, "model_name");
  g_autoptr(GList) members = json_object_get_members(object);
  gboolean known = FALSE;

  for (GList *item = members; item && !known; item = item->next) {
    JsonObject *result;

    if (!g_str_has_prefix(item->data, ATTRIBUTE))
      continue;
    result = json_object_get_object_member(object, item->data);
    known = g_strcmp0(json_object_get_string_member_with_default(
                          json_object_get_object_member(result, "model"), "name", NULL),
                      model) == 0;
  }
  return known && gst_structure_has_name(s, ATTRIBUTE);
}

static double share(gint64 position, gint size)
{
  return CLAMP((double)position / size, 0, 1);
}

static void add_detection(JsonObject *object, const GstVitgateObject *detected,
                          const GstVitgateJsonFrame *frame)
{
  JsonObject *detection = json_object_new(), *box = json_object_new();
  const gint64 right = (gint64)detected->x + detected->width,
               bottom = (gint64)detected->y + detected->height;

  if (frame->width > 0 && frame->height > 0) {
    gst_vitgate_json_add_double(box, "x_min", share(detected->x, frame->width));
    gst_vitgate_json_add_double(box, "y_min", share(detected->y, frame->height));
    gst_vitgate_json_add_double(box, "x_max", share(right, frame->width));
    gst_vitgate_json_add_double(box, "y_max", share(bottom, frame->height));
    json_object_set_object_member(detection, "bounding_box", json_object_ref(box));
  }
  json_object_unref(box);
  if (detected->confidence >= 0)
    gst_vitgate_json_add_double(detection, "confidence", detected->confidence);
  if (detected->label_id >= 0)
    json_object_set_int_member(detection, "label_id", detected->label_id);
  gst_vitgate_json_add_string(detection, "label", g_quark_to_string(detected->type));
  json_object_set_object_member(object, "detection", detection);
}

static void add_place(JsonObject *object, gint x, gint y, gint width, gint height)
{
  json_object_set_int_member(object, "x", x);
  json_object_set_int_member(object, "y", y);
  json_object_set_int_member(object, "w", width);
  json_object_set_int_member(object, "h", height);
}

static JsonObject *new_object(const GstVitgateObject *detected, const GstVitgateJsonFrame *frame,
                              GstBuffer *buffer)
{
  JsonObject *object = json_object_new();

  add_place(object, detected->x, detected->y, detected->width, detected->height);
  if (detected->region_id >= 0)
    json_object_set_int_member(object, "region_id", detected->region_id);
  if (detected->parent_id >= 0)
    json_object_set_int_member(object, "parent_id", detected->parent_id);
  if (detected->tracked)
    gst_vitgate_json_add_uint(object, "id", detected->id);
  gst_vitgate_json_add_string(object, "roi_type", g_quark_to_string(detected->type));
  add_detection(object, detected, frame);
  add_results(object, detected, frame, buffer);
  for (const GList *item = detected->parameters; item; item = item->next) {
    if (!is_known(object, item->data))
      add_parameter(object, item->data);
  }
  return object;
}

/* Extends @seen by the place of the result @s. A result without a place is for the whole frame. */
static void extend(GstVideoRectangle *seen, const GstStructure *s, const GstVitgateJsonFrame *frame)
{
  GstVideoRectangle place = { 0, 0, frame->width, frame->height };
  VitgateRectangle view;

  if (gst_vitgate_results_get_place(s, &view) && view.width > 0 && view.height > 0 &&
      MAX(MAX(view.x, view.y), MAX(view.width, view.height)) <= GST_VITGATE_MAX_SIZE)
    place = (GstVideoRectangle){ (gint)view.x, (gint)view.y, (gint)view.width, (gint)view.height };
  if (seen->w > 0) {
    const gint right = MAX(seen->x + seen->w, place.x + place.w);
    const gint bottom = MAX(seen->y + seen->h, place.y + place.h);

    place.x = MIN(place.x, seen->x);
    place.y = MIN(place.y, seen->y);
    place.w = right - place.x;
    place.h = bottom - place.y;
  }
  *seen = place;
}

/* Adds the result @s of the frame, if it has a label, and extends @seen by its place. */
static void add_frame_result(JsonObject *object, const GstStructure *s,
                             const GstVitgateJsonFrame *frame, GstVideoRectangle *seen)
{
  const guint before = json_object_get_size(object);

  add_result(object, s, gst_structure_get_string(s, "model-name"));
  if (json_object_get_size(object) > before)
    extend(seen, s, frame);
}

/* Adds @object (transfer full), unless it has no results. */
static void add_seen(JsonArray *objects, JsonObject *object, const GstVideoRectangle *seen)
{
  if (json_object_get_size(object) > 0) {
    add_place(object, seen->x, seen->y, seen->w, seen->h);
    json_array_add_object_element(objects, json_object_ref(object));
  }
  json_object_unref(object);
}

/* Adds one object for the results of the frame that have no name, if there are any: the part that
 * was seen; and one for each that has. */
static void add_whole_frame(JsonArray *objects, const GstVitgateJsonFrame *frame, GstBuffer *buffer)
{
  JsonObject *unnamed = json_object_new();
  GstVideoRectangle seen = { 0 };
  const GstStructure *s;
  gpointer state = NULL;

  while ((s = gst_vitgate_results_next(buffer, &state)))
    if (!gst_structure_get_string(s, "look"))
      add_frame_result(unnamed, s, frame, &seen);
  add_seen(objects, unnamed, &seen);
  for (state = NULL; (s = gst_vitgate_results_next(buffer, &state));) {
    const char *look = gst_structure_get_string(s, "look");
    GstVideoRectangle place = { 0 };
    JsonObject *object;

    if (!look)
      continue;
    object = json_object_new();
    add_frame_result(object, s, frame, &place);
    if (json_object_get_size(object) > 0)
      gst_vitgate_json_add_string(object, "look", look);
    add_seen(objects, object, &place);
  }
}

static void add_objects(JsonObject *line, const GstVitgateJsonFrame *frame, GstBuffer *buffer)
{
  g_autoptr(GArray) detected = gst_vitgate_objects_read(buffer);
  JsonArray *objects = json_array_new();

  for (guint i = 0; i < detected->len; i++)
    json_array_add_object_element(
        objects, new_object(&g_array_index(detected, GstVitgateObject, i), frame, buffer));
  add_whole_frame(objects, frame, buffer);
  json_object_set_array_member(line, "objects", objects);
}

/* ---- The frame ----------------------------------------------------------------------------- */

static void add_resolution(JsonObject *line, const GstVitgateJsonFrame *frame)
{
  JsonObject *resolution;

  if (frame->width <= 0 || frame->height <= 0)
    return;
  resolution = json_object_new();
  json_object_set_int_member(resolution, "width", frame->width);
  json_object_set_int_member(resolution, "height", frame->height);
  json_object_set_object_member(line, "resolution", resolution);
}

/* The time by the sender's clock; not that of this machine. */
static void add_sender_time(JsonObject *line, const GstVitgateWallClock *wall_clock)
{
  JsonObject *rtp;

  if (g_strcmp0(wall_clock->source, "ntp") != 0 && g_strcmp0(wall_clock->source, "unix") != 0)
    return;
  rtp = json_object_new();
  gst_vitgate_json_add_time(rtp, "sender_ntp_unix_timestamp_ns", wall_clock->time);
  json_object_set_object_member(line, "rtp", rtp);
}

char *gst_vitgate_dlstreamer_line(const GstVitgateJsonFrame *frame, GstBuffer *buffer,
                                  gsize *length)
{
  JsonObject *line = json_object_new();

  add_resolution(line, frame);
  gst_vitgate_json_add_string(line, "source", frame->source);
  gst_vitgate_json_add_time(line, "timestamp", frame->times.stream_time);
  gst_vitgate_json_add_tags(line, frame->tags);
  add_sender_time(line, &frame->wall_clock);
  add_objects(line, frame, buffer);
  return gst_vitgate_json_to_line(line, length);
}
