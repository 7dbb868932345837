#include "camera/events.h"

#include "base/members.h"
#include "base/times.h"

#define LOST "camera lost"

/* @look: (nullable) */
static JsonBuilder *begin(const char *camera, const char *look, const char *event)
{
  JsonBuilder *builder = json_builder_new();
  g_autofree char *time = time_to_utc(g_get_real_time());
  json_builder_begin_object(builder);
  member_add_string(builder, "event", event);
  member_add_string(builder, "stream_id", camera);
  member_add_string(builder, "wall_clock", time);
  if (look)
    member_add_string(builder, "look", look);
  return builder;
}

static char *end(JsonBuilder *builder)
{
  json_builder_end_object(builder);
  g_autofree char *line = member_to_line(builder);
  return g_strconcat(line, "\n", NULL);
}

char *event_sighting(const char *camera, const char *look, const Sighting *sighting, gboolean lost)
{
  g_autoptr(JsonBuilder) builder =
      begin(camera, look, sighting->appeared ? "appeared" : "vanished");
  member_add_string(builder, "label", sighting->label);
  member_add_double(builder, "score", sighting->score);
  member_add_count(builder, "running_time", sighting->appeared ? sighting->since : sighting->until);
  if (!sighting->appeared)
    member_add_double(builder, "seconds", (double)(sighting->until - sighting->since) * 1e-9);
  if (lost)
    member_add_string(builder, "reason", LOST);
  return end(builder);
}

char *event_state(const char *camera, const char *look, const StateChange *change)
{
  g_autoptr(JsonBuilder) builder = begin(camera, look, "state");
  member_add_string(builder, "from", change->from);
  member_add_string(builder, "to", change->to);
  if (change->score >= 0)
    member_add_double(builder, "score", change->score);
  member_add_count(builder, "running_time", change->since);
  return end(builder);
}

char *event_state_lost(const char *camera, const char *look, const char *from)
{
  g_autoptr(JsonBuilder) builder = begin(camera, look, "state");
  member_add_string(builder, "from", from);
  member_add_string(builder, "to", UNKNOWN);
  member_add_string(builder, "reason", LOST);
  return end(builder);
}

char *event_camera(const char *camera, const char *event, const char *reason)
{
  g_autoptr(JsonBuilder) builder = begin(camera, NULL, event);
  if (reason)
    member_add_string(builder, "reason", reason);
  return end(builder);
}

char *event_waiting(const char *camera, const Waiting *waiting)
{
  g_autoptr(JsonBuilder) builder = begin(camera, NULL, "waiting");
  g_autofree char *since = time_to_utc(waiting->since);
  member_add_string(builder, "reason", waiting->reason);
  member_add_string(builder, "waiting_since", since);
  member_add_count(builder, "attempts", waiting->attempts);
  member_add_double(builder, "retry_after", waiting->retry_after);
  return end(builder);
}
