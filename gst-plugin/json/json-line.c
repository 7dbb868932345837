/* json-line.c: writes a frame's results as a line of JSON. */
#include "json/json-line.h"

#include <math.h>

#include "json/values.h"

/* A field of a VitgateMeta, and its name in JSON. */
typedef struct {
  const char *field, *member;
} Field;

static const Field model_fields[] = {
  { "look", "look" },
  { "model-name", "model" },
  { "class-count", "class_count" },
};
static const Field place_fields[] = {
  { "x", "x" },
  { "y", "y" },
  { "width", "width" },
  { "height", "height" },
};
static const Field object_fields[] = {
  { "type", "type" },
  { "id", "id" },
};
static const Field best_fields[] = {
  { "activation", "activation" }, { "label", "label" },     { "index", "index" },
  { "score", "score" },           { "unknown", "unknown" },
};
static const Field raw_fields[] = {
  { "raw-label", "raw_label" },
  { "raw-index", "raw_index" },
  { "raw-score", "raw_score" },
};
static const Field age_fields[] = {
  { "age", "age" },
  { "age-time", "age_time" },
  { "state", "state" },
};
static const Field compute_fields[] = {
  { "views", "views" },         { "compute-ratio", "ratio" }, { "gmacs", "gmacs" },
  { "compute", "dial" },        { "modules", "modules" },     { "tokens", "tokens" },
  { "pass", "pass" },           { "pass-reason", "reason" },  { "patches", "patches" },
  { "inference-time", "time" },
};

static void write_fields(JsonObject *object, const GstStructure *s, const Field *fields, gsize n)
{
  for (gsize i = 0; i < n; i++) {
    const GValue *value = gst_structure_get_value(s, fields[i].field);

    if (value)
      gst_vitgate_json_add_value(object, fields[i].member, value);
  }
}

/* ---- Results ------------------------------------------------------------------------------- */

static void write_item(JsonObject *object, const char *member, const GValue *array, guint i)
{
  if (array && i < gst_value_array_get_size(array))
    gst_vitgate_json_add_value(object, member, gst_value_array_get_value(array, i));
}

/* The fields that hold classes, and their member in JSON. */
typedef struct {
  const char *labels, *indices, *scores, *member;
} ClassFields;

static const ClassFields found_classes = { "labels", "indices", "scores", "classes" };
static const ClassFields raw_classes = { "raw-labels", "raw-indices", "raw-scores", "raw_classes" };

static void write_classes(JsonObject *object, const GstStructure *s, const ClassFields *fields)
{
  const GValue *labels = gst_vitgate_results_get_array(s, fields->labels),
               *indices = gst_vitgate_results_get_array(s, fields->indices),
               *scores = gst_vitgate_results_get_array(s, fields->scores);
  JsonArray *classes;

  if (!labels)
    return;
  classes = json_array_new();
  for (guint i = 0; i < gst_value_array_get_size(labels); i++) {
    JsonObject *class = json_object_new();

    write_item(class, "label", labels, i);
    write_item(class, "index", indices, i);
    write_item(class, "score", scores, i);
    json_array_add_object_element(classes, class);
  }
  json_object_set_array_member(object, fields->member, classes);
}

static void write_features(JsonObject *object, const GstStructure *s)
{
  const GValue *features = gst_vitgate_results_get_array(s, "features");
  JsonArray *array;

  if (!features)
    return;
  array = json_array_new();
  for (guint i = 0; i < gst_value_array_get_size(features); i++) {
    const GValue *value = gst_value_array_get_value(features, i);

    if (G_VALUE_HOLDS_DOUBLE(value) && isfinite(g_value_get_double(value)))
      json_array_add_double_element(array, g_value_get_double(value));
    else
      json_array_add_null_element(array);
  }
  json_object_set_array_member(object, "features", array);
}

static void write_compute(JsonObject *object, const GstStructure *s)
{
  JsonObject *compute;

  if (!gst_structure_has_field(s, "compute-ratio") && !gst_structure_has_field(s, "gmacs"))
    return;
  compute = json_object_new();
  write_fields(compute, s, compute_fields, G_N_ELEMENTS(compute_fields));
  json_object_set_object_member(object, "compute", compute);
}

/* Writes the members that a frame and a region have in common. */
static void write_result(JsonObject *object, const GstStructure *s)
{
  write_fields(object, s, best_fields, G_N_ELEMENTS(best_fields));
  write_classes(object, s, &found_classes);
  write_fields(object, s, raw_fields, G_N_ELEMENTS(raw_fields));
  write_classes(object, s, &raw_classes);
  write_features(object, s);
  write_fields(object, s, age_fields, G_N_ELEMENTS(age_fields));
  write_compute(object, s);
}

static void write_regions(JsonObject *object, const GstStructure *s)
{
  const GstStructure *region;
  JsonArray *regions;
  guint i = 0;

  if (!gst_vitgate_results_get_array(s, "regions"))
    return;
  regions = json_array_new();
  while ((region = gst_vitgate_results_next_region(s, &i))) {
    JsonObject *element = json_object_new();

    write_fields(element, region, place_fields, G_N_ELEMENTS(place_fields));
    write_fields(element, region, object_fields, G_N_ELEMENTS(object_fields));
    write_result(element, region);
    json_array_add_object_element(regions, element);
  }
  json_object_set_array_member(object, "regions", regions);
}

static void write_results(JsonObject *object, GstBuffer *buffer)
{
  JsonArray *results = json_array_new();
  const GstStructure *s;
  gpointer state = NULL;

  while ((s = gst_vitgate_results_next(buffer, &state))) {
    JsonObject *result = json_object_new();

    write_fields(result, s, model_fields, G_N_ELEMENTS(model_fields));
    write_fields(result, s, place_fields, G_N_ELEMENTS(place_fields));
    write_result(result, s);
    write_regions(result, s);
    json_array_add_object_element(results, result);
  }
  json_object_set_array_member(object, "results", results);
}

/* ---- The frame ----------------------------------------------------------------------------- */

static void write_size(JsonObject *object, const char *member, gint size)
{
  if (size > 0)
    json_object_set_int_member(object, member, size);
}

static void write_wall_clock(JsonObject *object, const GstVitgateWallClock *wall_clock)
{
  g_autofree char *text = gst_vitgate_wall_clock_to_string(wall_clock);

  if (!text)
    return;
  json_object_set_string_member(object, "wall_clock", text);
  json_object_set_string_member(object, "wall_clock_source", wall_clock->source);
}

static void write_frame(JsonObject *object, const GstVitgateJsonFrame *frame)
{
  json_object_set_int_member(object, "version", GST_VITGATE_JSON_VERSION);
  gst_vitgate_json_add_string(object, "stream_id", frame->stream_id);
  gst_vitgate_json_add_string(object, "source", frame->source);
  gst_vitgate_json_add_tags(object, frame->tags);
  gst_vitgate_json_add_uint(object, "frame", frame->number);
  write_size(object, "width", frame->width);
  write_size(object, "height", frame->height);
  gst_vitgate_json_add_time(object, "timestamp", frame->times.timestamp);
  gst_vitgate_json_add_time(object, "duration", frame->times.duration);
  gst_vitgate_json_add_time(object, "stream_time", frame->times.stream_time);
  gst_vitgate_json_add_time(object, "running_time", frame->times.running_time);
  write_wall_clock(object, &frame->wall_clock);
}

char *gst_vitgate_json_line(const GstVitgateJsonFrame *frame, GstBuffer *buffer, gsize *length)
{
  JsonObject *object = json_object_new();

  write_frame(object, frame);
  write_results(object, buffer);
  return gst_vitgate_json_to_line(object, length);
}
