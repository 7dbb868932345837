/* json-line.c: writes a frame's results as a line of JSON. */
#include "json/json-line.h"

#include <json-glib/json-glib.h>
#include <math.h>
#include <string.h>

#include "base/json-write.h"

/* A field of a VitgateMeta, and its name in JSON. */
typedef struct {
  const char *field, *member;
} Field;

static const Field model_fields[] = {
  { "model-name", "model" },
  { "class-count", "class_count" },
};
static const Field place_fields[] = {
  { "x", "x" },           { "y", "y" },       { "width", "width" },
  { "height", "height" }, { "type", "type" }, { "id", "id" },
};
static const Field best_fields[] = {
  { "activation", "activation" },
  { "label", "label" },
  { "index", "index" },
  { "score", "score" },
};
static const Field age_fields[] = {
  { "age", "age" },
  { "age-time", "age_time" },
  { "state", "state" },
};
static const Field compute_fields[] = {
  { "compute-ratio", "ratio" }, { "gmacs", "gmacs" },   { "compute", "dial" },
  { "modules", "modules" },     { "tokens", "tokens" }, { "inference-time", "time" },
};

/* ---- Values -------------------------------------------------------------------------------- */

/* The generator escapes what JSON requires, but does not check that the rest is UTF-8. */
static void write_string(JsonBuilder *builder, const char *value)
{
  g_autofree char *valid = g_utf8_make_valid(value, -1);

  json_builder_add_string_value(builder, valid);
}

static void write_uint64(JsonBuilder *builder, guint64 value)
{
  json_builder_add_int_value(builder, MIN(value, G_MAXINT64));
}

/* JSON cannot express numbers that are not finite. */
static void write_double(JsonBuilder *builder, double value)
{
  if (isfinite(value))
    json_builder_add_double_value(builder, value);
  else
    json_builder_add_null_value(builder);
}

static void write_value(JsonBuilder *builder, const GValue *value)
{
  if (G_VALUE_HOLDS_STRING(value) && g_value_get_string(value))
    write_string(builder, g_value_get_string(value));
  else if (G_VALUE_HOLDS_UINT64(value))
    write_uint64(builder, g_value_get_uint64(value));
  else if (G_VALUE_HOLDS_UINT(value))
    write_uint64(builder, g_value_get_uint(value));
  else if (G_VALUE_HOLDS_INT(value))
    json_builder_add_int_value(builder, g_value_get_int(value));
  else if (G_VALUE_HOLDS_DOUBLE(value))
    write_double(builder, g_value_get_double(value));
  else
    json_builder_add_null_value(builder);
}

static void write_fields(JsonBuilder *builder, const GstStructure *s, const Field *fields, gsize n)
{
  for (gsize i = 0; i < n; i++) {
    const GValue *value = gst_structure_get_value(s, fields[i].field);

    if (value) {
      json_builder_set_member_name(builder, fields[i].member);
      write_value(builder, value);
    }
  }
}

/* ---- Results ------------------------------------------------------------------------------- */

static void write_item(JsonBuilder *builder, const char *member, const GValue *array, guint i)
{
  if (!array || i >= gst_value_array_get_size(array))
    return;
  json_builder_set_member_name(builder, member);
  write_value(builder, gst_value_array_get_value(array, i));
}

static void write_classes(JsonBuilder *builder, const GstStructure *s)
{
  const GValue *labels = gst_vitgate_results_get_array(s, "labels"),
               *indices = gst_vitgate_results_get_array(s, "indices"),
               *scores = gst_vitgate_results_get_array(s, "scores");

  if (!labels)
    return;
  json_builder_set_member_name(builder, "classes");
  json_builder_begin_array(builder);
  for (guint i = 0; i < gst_value_array_get_size(labels); i++) {
    json_builder_begin_object(builder);
    write_item(builder, "label", labels, i);
    write_item(builder, "index", indices, i);
    write_item(builder, "score", scores, i);
    json_builder_end_object(builder);
  }
  json_builder_end_array(builder);
}

static void write_compute(JsonBuilder *builder, const GstStructure *s)
{
  if (!gst_structure_has_field(s, "compute-ratio") && !gst_structure_has_field(s, "gmacs"))
    return;
  json_builder_set_member_name(builder, "compute");
  json_builder_begin_object(builder);
  write_fields(builder, s, compute_fields, G_N_ELEMENTS(compute_fields));
  json_builder_end_object(builder);
}

/* Writes the members that a frame and a region have in common. */
static void write_result(JsonBuilder *builder, const GstStructure *s)
{
  write_fields(builder, s, best_fields, G_N_ELEMENTS(best_fields));
  write_classes(builder, s);
  write_fields(builder, s, age_fields, G_N_ELEMENTS(age_fields));
  write_compute(builder, s);
}

static void write_regions(JsonBuilder *builder, const GstStructure *s)
{
  const GstStructure *region;
  guint i = 0;

  if (!gst_vitgate_results_get_array(s, "regions"))
    return;
  json_builder_set_member_name(builder, "regions");
  json_builder_begin_array(builder);
  while ((region = gst_vitgate_results_next_region(s, &i))) {
    json_builder_begin_object(builder);
    write_fields(builder, region, place_fields, G_N_ELEMENTS(place_fields));
    write_result(builder, region);
    json_builder_end_object(builder);
  }
  json_builder_end_array(builder);
}

static void write_results(JsonBuilder *builder, GstBuffer *buffer)
{
  const GstStructure *s;
  gpointer state = NULL;

  json_builder_set_member_name(builder, "results");
  json_builder_begin_array(builder);
  while ((s = gst_vitgate_results_next(buffer, &state))) {
    json_builder_begin_object(builder);
    write_fields(builder, s, model_fields, G_N_ELEMENTS(model_fields));
    write_result(builder, s);
    write_regions(builder, s);
    json_builder_end_object(builder);
  }
  json_builder_end_array(builder);
}

/* ---- The frame ----------------------------------------------------------------------------- */

static void write_time(JsonBuilder *builder, const char *member, GstClockTime time)
{
  if (!GST_CLOCK_TIME_IS_VALID(time))
    return;
  json_builder_set_member_name(builder, member);
  write_uint64(builder, time);
}

static void write_size(JsonBuilder *builder, const char *member, gint size)
{
  if (size <= 0)
    return;
  json_builder_set_member_name(builder, member);
  json_builder_add_int_value(builder, size);
}

static void write_wall_clock(JsonBuilder *builder, const GstVitgateWallClock *wall_clock)
{
  g_autofree char *text = gst_vitgate_wall_clock_to_string(wall_clock);

  if (!text)
    return;
  json_builder_set_member_name(builder, "wall_clock");
  json_builder_add_string_value(builder, text);
  json_builder_set_member_name(builder, "wall_clock_source");
  json_builder_add_string_value(builder, wall_clock->source);
}

static void write_frame(JsonBuilder *builder, const GstVitgateJsonFrame *frame)
{
  json_builder_set_member_name(builder, "version");
  json_builder_add_int_value(builder, GST_VITGATE_JSON_VERSION);
  json_builder_set_member_name(builder, "stream_id");
  write_string(builder, frame->stream_id);
  json_builder_set_member_name(builder, "frame");
  write_uint64(builder, frame->number);
  write_size(builder, "width", frame->width);
  write_size(builder, "height", frame->height);
  write_time(builder, "timestamp", frame->times.timestamp);
  write_time(builder, "duration", frame->times.duration);
  write_time(builder, "stream_time", frame->times.stream_time);
  write_time(builder, "running_time", frame->times.running_time);
  write_wall_clock(builder, &frame->wall_clock);
}

char *gst_vitgate_json_line(const GstVitgateJsonFrame *frame, GstBuffer *buffer, gsize *length)
{
  g_autoptr(JsonBuilder) builder = json_builder_new();
  g_autoptr(JsonNode) root = NULL;
  g_autofree char *text = NULL;
  char *line;

  json_builder_begin_object(builder);
  write_frame(builder, frame);
  write_results(builder, buffer);
  json_builder_end_object(builder);
  root = json_builder_get_root(builder);
  text = vitgate__json_write(root, FALSE);
  line = g_strconcat(text, "\n", NULL);
  *length = strlen(line);
  return line;
}
