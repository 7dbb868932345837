#include "camera/status.h"

#include <stdio.h>
#include <unistd.h>

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
  if (status->has_fleet)
    g_string_append_printf(line, " | fleet %s, %u of %u cameras",
                           status->fleet.member ? "member" : "away", status->fleet.owned,
                           status->fleet.cameras);
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
  if (camera->models && camera->state == CAMERA_PLAYING)
    g_string_append_printf(text, "\n  %*s  other models wait: %s", width, "", camera->models);
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

static void append_fleet_text(GString *text, const Status *status)
{
  const FleetNodeStatus *fleet = &status->fleet;
  g_string_append_printf(text, "fleet %s: node %s %s%s; cameras: %u of %u", status->fleet_name,
                         status->fleet_node, fleet->member ? "is a member" : "is no member",
                         fleet->draining ? ", drained" : "", fleet->owned, fleet->cameras);
  g_string_append_printf(text, ", without an owner: %u; nodes: %u", fleet->unowned, fleet->nodes);
  if (fleet->refused)
    g_string_append_printf(text, "; cameras that this node cannot run: %u", fleet->refused);
  if (fleet->error)
    g_string_append_printf(text, "; %s", fleet->error);
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
  if (status->has_fleet)
    append_fleet_text(text, status);
  return g_string_free(text, FALSE);
}

void status_clear(Status *status)
{
  for (guint i = 0; i < status->cameras->len; i++)
    camera_status_clear(&g_array_index(status->cameras, StatusCamera, i).camera);
  g_array_unref(status->cameras);
  delivery_status_clear(&status->outputs.mqtt);
  delivery_status_clear(&status->outputs.kafka.delivery);
  g_free(status->fleet_name);
  g_free(status->fleet_node);
  g_free(status->fleet.error);
}
