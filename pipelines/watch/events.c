#include "events.h"

#include <json-glib/json-glib.h>

static void add_string(JsonBuilder *builder, const char *member, const char *value)
{
  json_builder_set_member_name(builder, member);
  json_builder_add_string_value(builder, value);
}

static void add_double(JsonBuilder *builder, const char *member, double value)
{
  json_builder_set_member_name(builder, member);
  json_builder_add_double_value(builder, value);
}

static JsonBuilder *begin(const char *camera, const char *event)
{
  JsonBuilder *builder = json_builder_new();
  g_autoptr(GDateTime) now = g_date_time_new_now_utc();
  g_autofree char *time = g_date_time_format(now, "%Y-%m-%dT%H:%M:%S.%fZ");
  json_builder_begin_object(builder);
  add_string(builder, "event", event);
  add_string(builder, "stream_id", camera);
  add_string(builder, "wall_clock", time);
  return builder;
}

static char *end(JsonBuilder *builder)
{
  json_builder_end_object(builder);
  g_autoptr(JsonNode) root = json_builder_get_root(builder);
  g_autofree char *line = json_to_string(root, FALSE);
  return g_strconcat(line, "\n", NULL);
}

char *event_sighting(const char *camera, const Sighting *sighting, gboolean lost)
{
  g_autoptr(JsonBuilder) builder = begin(camera, sighting->appeared ? "appeared" : "vanished");
  add_string(builder, "label", sighting->label);
  add_double(builder, "score", sighting->score);
  json_builder_set_member_name(builder, "running_time");
  json_builder_add_int_value(builder,
                             (gint64)(sighting->appeared ? sighting->since : sighting->until));
  if (!sighting->appeared)
    add_double(builder, "seconds", (double)(sighting->until - sighting->since) * 1e-9);
  if (lost)
    add_string(builder, "reason", "camera lost");
  return end(builder);
}

char *event_camera(const char *camera, const char *event, const char *reason)
{
  g_autoptr(JsonBuilder) builder = begin(camera, event);
  if (reason)
    add_string(builder, "reason", reason);
  return end(builder);
}
