#include "status.h"

#include <stdio.h>
#include <unistd.h>

#include "base/members.h"
#include "base/times.h"

guint64 status_memory(void)
{
  g_autofree char *text = NULL;
  unsigned long pages = 0;
  if (!g_file_get_contents("/proc/self/statm", &text, NULL, NULL) ||
      sscanf(text, "%*u %lu", &pages) != 1)
    return 0;
  return (guint64)pages * (guint64)sysconf(_SC_PAGESIZE);
}

/* ---- For people ---------------------------------------------------------------------------- */

/* Appends since when a camera is without frames, once an attempt has failed. */
static void append_waiting(GString *line, const CameraStatus *camera)
{
  if (!camera->since || camera->state == CAMERA_ENDED || !camera->attempts)
    return;
  g_autofree char *since = time_to_local(camera->since);
  g_string_append_printf(line, " since %s (failed attempts: %u)", since, camera->attempts);
}

static void append_camera(GString *line, const StatusCamera *entry)
{
  const CameraStatus *camera = &entry->camera;
  g_string_append_printf(line, " | %s %s", entry->name, camera_state_name(camera->state));
  append_waiting(line, camera);
  if (camera->state == CAMERA_PLAYING) {
    g_string_append_printf(line, " %.1f/s", entry->frame_rate);
    if (camera->whole.label)
      g_string_append_printf(line, " %s %.0f%%", camera->whole.label, camera->whole.score * 100);
  } else if (camera->state == CAMERA_WAITING) {
    g_string_append_printf(line, ": %s", camera->error);
  }
}

/* A narrow terminal shows only the start of the line, so the short fixed parts come first. */
char *status_line(const Status *status)
{
  const OutputsStatus *outputs = &status->outputs;
  GString *line = g_string_new(NULL);
  g_string_append_printf(line, "%" G_GUINT64_FORMAT " MB", status->memory / 1000000);
  if (outputs->has_mqtt)
    g_string_append_printf(line, " | MQTT %s, %" G_GUINT64_FORMAT " wait",
                           outputs->mqtt.connected ? "connected" : "away", outputs->spool.queued);
  if (outputs->kafka.used)
    g_string_append_printf(line, " | Kafka %s, %" G_GUINT64_FORMAT " wait",
                           outputs->kafka.delivery.connected ? "connected" : "away",
                           outputs->kafka.spool.queued);
  if (outputs->has_log && outputs->log.waiting)
    g_string_append_printf(line, " | log: %u lines wait", outputs->log.waiting);
  for (guint i = 0; i < status->cameras->len; i++)
    append_camera(line, &g_array_index(status->cameras, StatusCamera, i));
  return g_string_free(line, FALSE);
}

/* ---- For people who ask -------------------------------------------------------------------- */

static int longest_name(const Status *status)
{
  glong longest = 0;
  for (guint i = 0; i < status->cameras->len; i++) {
    const char *name = g_array_index(status->cameras, StatusCamera, i).name;
    longest = MAX(longest, g_utf8_strlen(name, -1));
  }
  return (int)longest;
}

/* @what: what is seen in a look or in the whole frame */
static void append_seen(GString *text, const LookStatus *what)
{
  if (what->label)
    g_string_append_printf(text, ", %s %.0f %%", what->label, what->score * 100);
  if (what->state)
    g_string_append_printf(text, ", state: %s", what->state);
}

static void append_look_text(GString *text, const LookStatus *look, int width)
{
  g_string_append_printf(text, "  %*s  look %s: %.0f %% compute", width, "", look->name,
                         100 * look->compute);
  append_seen(text, look);
  g_string_append_c(text, '\n');
}

static void append_camera_text(GString *text, const StatusCamera *entry, int width)
{
  const CameraStatus *camera = &entry->camera;
  const int padding = width - (int)g_utf8_strlen(entry->name, -1);
  g_string_append_printf(text, "  %s%*s  %s", entry->name, padding, "",
                         camera_state_name(camera->state));
  append_waiting(text, camera);
  if (camera->state == CAMERA_PLAYING) {
    g_string_append_printf(text, ", %.1f frames/s, %.0f %% compute", entry->frame_rate,
                           100 * camera->whole.compute);
    append_seen(text, &camera->whole);
  }
  g_string_append_printf(text, "; frames: %" G_GUINT64_FORMAT ", skipped: %" G_GUINT64_FORMAT,
                         camera->frames, camera->skipped);
  if (camera->connects > 1)
    g_string_append_printf(text, ", reconnects: %u", camera->connects - 1);
  if (camera->error && camera->state != CAMERA_PLAYING && camera->state != CAMERA_ENDED)
    g_string_append_printf(text, "\n  %*s  %s", width, "", camera->error);
  g_string_append_c(text, '\n');
  for (guint i = 0; camera->state == CAMERA_PLAYING && i < camera->looks->len; i++)
    append_look_text(text, &g_array_index(camera->looks, LookStatus, i), width);
}

static void append_log_text(GString *text, const char *name, const LogFileStatus *log)
{
  g_string_append_printf(text, "%s: %" G_GUINT64_FORMAT " lines written", name, log->lines);
  if (log->waiting)
    g_string_append_printf(text, ", %u wait in memory", log->waiting);
  if (log->dropped)
    g_string_append_printf(text, ", %" G_GUINT64_FORMAT " lost", log->dropped);
  g_string_append_c(text, '\n');
}

static void append_broker_text(GString *text, const char *name, const DeliveryStatus *status,
                               const SpoolStatus *spool)
{
  g_string_append_printf(text, "%s: %s, %" G_GUINT64_FORMAT " messages wait", name,
                         status->connected ? "connected" : "away", spool->queued);
  if (spool->dropped)
    g_string_append_printf(text, ", %" G_GUINT64_FORMAT " lost", spool->dropped);
  if (!status->connected && status->error)
    g_string_append_printf(text, ": %s", status->error);
  g_string_append_c(text, '\n');
}

char *status_text(const Status *status)
{
  const OutputsStatus *outputs = &status->outputs;
  const int width = longest_name(status);
  g_autofree char *since = time_to_local(status->since);
  GString *text = g_string_new(NULL);
  g_string_append_printf(text,
                         "vitgate-watch %s, process %d, since %s, %" G_GUINT64_FORMAT " MB\n"
                         "cameras: %u\n",
                         VITGATE_VERSION, (int)getpid(), since, status->memory / 1000000,
                         status->cameras->len);
  for (guint i = 0; i < status->cameras->len; i++)
    append_camera_text(text, &g_array_index(status->cameras, StatusCamera, i), width);
  if (outputs->has_log) {
    append_log_text(text, "log", &outputs->log);
    append_log_text(text, "events", &outputs->events);
  }
  if (outputs->has_mqtt)
    append_broker_text(text, "MQTT", &outputs->mqtt, &outputs->spool);
  if (outputs->kafka.used)
    append_broker_text(text, "Kafka", &outputs->kafka.delivery, &outputs->kafka.spool);
  return g_string_free(text, FALSE);
}

/* ---- For programs -------------------------------------------------------------------------- */

static void add_looks(JsonBuilder *builder, const GArray *looks)
{
  json_builder_set_member_name(builder, "looks");
  json_builder_begin_array(builder);
  for (guint i = 0; i < looks->len; i++) {
    const LookStatus *look = &g_array_index(looks, LookStatus, i);
    json_builder_begin_object(builder);
    member_add_string(builder, "name", look->name);
    member_add_string(builder, "label", look->label);
    member_add_double(builder, "score", look->score);
    member_add_string(builder, "scene_state", look->state);
    member_add_double(builder, "compute_ratio", look->compute);
    json_builder_end_object(builder);
  }
  json_builder_end_array(builder);
}

static void add_camera(JsonBuilder *builder, const StatusCamera *entry)
{
  const CameraStatus *camera = &entry->camera;
  json_builder_begin_object(builder);
  member_add_string(builder, "name", entry->name);
  member_add_string(builder, "state", camera_state_name(camera->state));
  member_add_count(builder, "frames", camera->frames);
  member_add_double(builder, "frames_per_second", entry->frame_rate);
  member_add_double(builder, "compute_ratio", camera->whole.compute);
  member_add_count(builder, "skipped", camera->skipped);
  member_add_string(builder, "label", camera->whole.label);
  member_add_double(builder, "score", camera->whole.score);
  if (camera->whole.state)
    member_add_string(builder, "scene_state", camera->whole.state);
  if (camera->looks->len > 0)
    add_looks(builder, camera->looks);
  member_add_count(builder, "reconnects", camera->connects ? camera->connects - 1 : 0);
  gboolean waiting = camera->since && camera->state != CAMERA_ENDED;
  g_autofree char *since = waiting ? time_to_utc(camera->since) : NULL;
  member_add_string(builder, "waiting_since", since);
  member_add_count(builder, "attempts", waiting ? camera->attempts : 0);
  member_add_string(builder, "last_error", camera->error);
  json_builder_end_object(builder);
}

static void add_log(JsonBuilder *builder, const char *name, const LogFileStatus *log)
{
  json_builder_set_member_name(builder, name);
  json_builder_begin_object(builder);
  member_add_count(builder, "lines", log->lines);
  member_add_count(builder, "waiting", log->waiting);
  member_add_count(builder, "dropped", log->dropped);
  json_builder_end_object(builder);
}

static void add_broker(JsonBuilder *builder, const char *name, const DeliveryStatus *status,
                       const SpoolStatus *spool)
{
  json_builder_set_member_name(builder, name);
  json_builder_begin_object(builder);
  json_builder_set_member_name(builder, "connected");
  json_builder_add_boolean_value(builder, status->connected);
  member_add_count(builder, "queued", spool->queued);
  member_add_count(builder, "queued_bytes", spool->bytes);
  member_add_count(builder, "dropped", spool->dropped);
  member_add_string(builder, "last_error", status->error);
  json_builder_end_object(builder);
}

static void add_outputs(JsonBuilder *builder, const OutputsStatus *outputs)
{
  if (outputs->has_log) {
    add_log(builder, "log", &outputs->log);
    add_log(builder, "events", &outputs->events);
  }
  if (outputs->has_mqtt)
    add_broker(builder, "mqtt", &outputs->mqtt, &outputs->spool);
  if (outputs->kafka.used)
    add_broker(builder, "kafka", &outputs->kafka.delivery, &outputs->kafka.spool);
}

char *status_json(const Status *status)
{
  g_autoptr(JsonBuilder) builder = json_builder_new();
  g_autofree char *since = time_to_utc(status->since);
  json_builder_begin_object(builder);
  member_add_string(builder, "version", VITGATE_VERSION);
  member_add_count(builder, "pid", (guint64)getpid());
  member_add_string(builder, "since", since);
  json_builder_set_member_name(builder, "cameras");
  json_builder_begin_array(builder);
  for (guint i = 0; i < status->cameras->len; i++)
    add_camera(builder, &g_array_index(status->cameras, StatusCamera, i));
  json_builder_end_array(builder);
  add_outputs(builder, &status->outputs);
  member_add_count(builder, "memory", status->memory);
  json_builder_end_object(builder);
  return member_to_line(builder);
}

void status_clear(Status *status)
{
  for (guint i = 0; i < status->cameras->len; i++)
    camera_status_clear(&g_array_index(status->cameras, StatusCamera, i).camera);
  g_array_unref(status->cameras);
  delivery_status_clear(&status->outputs.mqtt);
  delivery_status_clear(&status->outputs.kafka.delivery);
}
