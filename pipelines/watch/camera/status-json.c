#include "camera/status-json.h"

#include <unistd.h>

#include "base/members.h"
#include "base/times.h"
#include "camera/region-shares.h"

/* Adds null for 0. */
static void add_size(JsonBuilder *builder, const char *member, guint value)
{
  if (value)
    member_add_count(builder, member, value);
  else
    member_add_string(builder, member, NULL);
}

static void add_latency(JsonBuilder *builder, const LookStatus *look)
{
  if (look->latency > 0)
    member_add_double(builder, "latency_ms", look->latency * 1000);
  else
    member_add_string(builder, "latency_ms", NULL);
}

static void add_region(JsonBuilder *builder, const LookStatus *look, const CameraStatus *camera)
{
  double shares[4];
  json_builder_set_member_name(builder, "region");
  if (!region_shares(look->region, camera->width, camera->height, shares)) {
    json_builder_add_null_value(builder);
    return;
  }
  json_builder_begin_array(builder);
  for (guint i = 0; i < 4; i++)
    json_builder_add_double_value(builder, shares[i]);
  json_builder_end_array(builder);
}

static void add_looks(JsonBuilder *builder, const CameraStatus *camera)
{
  const GArray *looks = camera->looks;
  json_builder_set_member_name(builder, "looks");
  json_builder_begin_array(builder);
  for (guint i = 0; i < looks->len; i++) {
    const LookStatus *look = &g_array_index(looks, LookStatus, i);
    json_builder_begin_object(builder);
    member_add_string(builder, "name", look->name);
    add_region(builder, look, camera);
    member_add_string(builder, "label", look->label);
    member_add_double(builder, "score", look->score);
    member_add_string(builder, "scene_state", look->state);
    member_add_double(builder, "compute_ratio", look->compute);
    add_latency(builder, look);
    json_builder_end_object(builder);
  }
  json_builder_end_array(builder);
}

/* @all: also members without a value that not every camera can have */
static void add_camera(JsonBuilder *builder, const StatusCamera *entry, gboolean all)
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
  if (all || camera->whole.state)
    member_add_string(builder, "scene_state", camera->whole.state);
  if (all || camera->looks->len > 0)
    add_looks(builder, camera);
  member_add_count(builder, "reconnects", camera->connects ? camera->connects - 1 : 0);
  gboolean waiting = camera->since && camera->state != CAMERA_ENDED;
  add_size(builder, "width", camera->width);
  add_size(builder, "height", camera->height);
  add_latency(builder, &camera->whole);
  if (camera->age >= 0)
    member_add_double(builder, "age_seconds", camera->age);
  else
    member_add_string(builder, "age_seconds", NULL);
  g_autofree char *since = waiting ? time_to_utc(camera->since) : NULL;
  member_add_string(builder, "waiting_since", since);
  member_add_count(builder, "attempts", waiting ? camera->attempts : 0);
  member_add_string(builder, "last_error", camera->error);
  if (all || camera->models)
    member_add_string(builder, "models_wait", camera->models);
  if (entry->claim)
    member_add_count(builder, "claim", (guint64)entry->claim);
  json_builder_end_object(builder);
}

void status_add_camera(JsonBuilder *builder, const StatusCamera *entry)
{
  add_camera(builder, entry, TRUE);
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

void status_add_outputs(JsonBuilder *builder, const OutputsStatus *outputs)
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

void status_add_fleet(JsonBuilder *builder, const Status *status)
{
  const FleetNodeStatus *fleet = &status->fleet;
  if (!status->has_fleet)
    return;
  json_builder_set_member_name(builder, "fleet");
  json_builder_begin_object(builder);
  member_add_string(builder, "name", status->fleet_name);
  member_add_string(builder, "node", status->fleet_node);
  member_add_boolean(builder, "connected", fleet->connected);
  member_add_boolean(builder, "member", fleet->member);
  member_add_boolean(builder, "draining", fleet->draining);
  member_add_double(builder, "capacity", fleet->capacity);
  member_add_double(builder, "load", fleet->load);
  member_add_count(builder, "owned", fleet->owned);
  member_add_count(builder, "refused", fleet->refused);
  member_add_count(builder, "cameras", fleet->cameras);
  member_add_count(builder, "unowned", fleet->unowned);
  member_add_count(builder, "nodes", fleet->nodes);
  member_add_double(builder, "lease_seconds", fleet->lease_left);
  if (fleet->renewal_age < 0)
    member_add_string(builder, "renewal_age_seconds", NULL);
  else
    member_add_double(builder, "renewal_age_seconds", fleet->renewal_age);
  member_add_count(builder, "claims_won", fleet->won);
  member_add_count(builder, "claims_lost", fleet->lost);
  member_add_count(builder, "etcd_errors", fleet->etcd_errors);
  member_add_string(builder, "last_error", fleet->error);
  json_builder_end_object(builder);
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
    add_camera(builder, &g_array_index(status->cameras, StatusCamera, i), FALSE);
  json_builder_end_array(builder);
  status_add_outputs(builder, &status->outputs);
  status_add_fleet(builder, status);
  member_add_count(builder, "memory", status->memory);
  json_builder_end_object(builder);
  return member_to_line(builder);
}
