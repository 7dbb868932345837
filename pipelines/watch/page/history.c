#include "page/history.h"

#include <string.h>

#include "base/members.h"
#include "base/times.h"

#define STEP      (HISTORY_STEP * G_USEC_PER_SEC)
#define PER_STEP  5 /* frames of a step that are parsed */
#define MAX_LOOKS 64
#define NONE      (-1.0f)
#define GAP       (STEP * 5 / 2)

typedef struct {
  gint64 time; /* monotonic, µs */
  char *label; /* (nullable): interned by reference: equal labels share their memory */
  char *state; /* (nullable) */
  float score, compute, latency; /* latency in ms; NONE: unknown */
} Sample;

/* The samples of a look, or of the whole frame. */
typedef struct {
  char *look; /* (nullable) */
  char *state;
  Sample *samples; /* a ring */
  guint n, next;

  /* Of the step that has begun: */
  gint64 begin;
  guint n_frames, n_inferences;
  double compute, latency; /* sums */
} Track;

typedef struct {
  GPtrArray *tracks; /* of Track */
  gint64 next_parse; /* monotonic time, µs */
} CameraHistory;

struct _History {
  GMutex lock;
  GHashTable *cameras; /* name → CameraHistory */
};

static void set_text(char **text, const char *value)
{
  if (*text)
    g_ref_string_release(*text);
  *text = value ? g_ref_string_new_intern(value) : NULL;
}

static void track_free(gpointer data)
{
  Track *track = data;
  for (guint i = 0; i < track->n; i++) {
    set_text(&track->samples[i].label, NULL);
    set_text(&track->samples[i].state, NULL);
  }
  set_text(&track->state, NULL);
  g_free(track->samples);
  g_free(track->look);
  g_free(track);
}

static void camera_history_free(gpointer data)
{
  CameraHistory *camera = data;
  g_ptr_array_unref(camera->tracks);
  g_free(camera);
}

History *history_new(void)
{
  History *self = g_new0(History, 1);
  g_mutex_init(&self->lock);
  self->cameras = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, camera_history_free);
  return self;
}

void history_free(History **history)
{
  History *self = *history;
  *history = NULL;
  if (!self)
    return;
  g_hash_table_unref(self->cameras);
  g_mutex_clear(&self->lock);
  g_free(self);
}

void history_keep(History *self, const char *const *cameras)
{
  GHashTableIter iterator;
  gpointer name;
  g_mutex_lock(&self->lock);
  g_hash_table_iter_init(&iterator, self->cameras);
  while (g_hash_table_iter_next(&iterator, &name, NULL))
    if (!g_strv_contains(cameras, name))
      g_hash_table_iter_remove(&iterator);
  g_mutex_unlock(&self->lock);
}

/* ---- Tracks -------------------------------------------------------------------------------- */

static CameraHistory *find_camera(History *self, const char *name)
{
  CameraHistory *camera = g_hash_table_lookup(self->cameras, name);
  if (camera)
    return camera;
  camera = g_new0(CameraHistory, 1);
  camera->tracks = g_ptr_array_new_with_free_func(track_free);
  camera->next_parse = G_MININT64;
  g_hash_table_insert(self->cameras, g_strdup(name), camera);
  return camera;
}

/* Returns: (nullable) */
static Track *find_track(const CameraHistory *camera, const char *look)
{
  for (guint i = 0; i < camera->tracks->len; i++) {
    Track *track = camera->tracks->pdata[i];
    if (g_strcmp0(track->look, look) == 0)
      return track;
  }
  return NULL;
}

static Track *get_track(CameraHistory *camera, const char *look)
{
  Track *track = find_track(camera, look);
  if (track || camera->tracks->len >= MAX_LOOKS)
    return track;
  track = g_new0(Track, 1);
  track->look = g_strdup(look);
  track->samples = g_new0(Sample, HISTORY_SAMPLES);
  track->begin = G_MININT64 / 2; /* long ago */
  g_ptr_array_add(camera->tracks, track);
  return track;
}

/* Ends the step with the result that is shown at its end. */
static void add_sample(Track *track, gint64 now, const char *label, double score)
{
  Sample *sample = &track->samples[track->next];
  sample->time = now;
  set_text(&sample->label, label);
  set_text(&sample->state, track->state);
  sample->score = label ? (float)score : NONE;
  sample->compute = track->n_frames ? (float)(track->compute / track->n_frames) : NONE;
  sample->latency = track->n_inferences ? (float)(track->latency / track->n_inferences) : NONE;
  track->next = (track->next + 1) % HISTORY_SAMPLES;
  track->n = MIN(track->n + 1, HISTORY_SAMPLES);
  track->n_frames = track->n_inferences = 0;
  track->compute = track->latency = 0;
}

/* ---- Lines --------------------------------------------------------------------------------- */

static JsonObject *get_object(JsonNode *node)
{
  return node && JSON_NODE_HOLDS_OBJECT(node) ? json_node_get_object(node) : NULL;
}

/* A frame without an inference costs nothing. */
static void add_compute(Track *track, JsonObject *result)
{
  JsonObject *compute = member_get_object(result, "compute");
  track->n_frames++;
  if (!compute || g_strcmp0(member_get_string(result, "state"), "fresh") != 0)
    return;
  track->n_inferences++;
  track->compute += member_get_double(compute, "ratio", 0);
  track->latency += member_get_double(compute, "time", 0) * 1e-6;
}

static void add_result(CameraHistory *camera, JsonObject *result, gint64 now)
{
  Track *track = get_track(camera, member_get_string(result, "look"));
  if (!track)
    return;
  add_compute(track, result);
  if (now - track->begin < STEP)
    return;
  /* Steps follow each other evenly while there are frames. */
  track->begin = now - track->begin < 2 * STEP ? track->begin + STEP : now;
  add_sample(track, now, member_get_string(result, "label"), member_get_double(result, "score", 0));
}

static JsonObject *parse(JsonParser *parser, const char *line, gsize length)
{
  return json_parser_load_from_data(parser, line, (gssize)length, NULL)
             ? get_object(json_parser_get_root(parser))
             : NULL;
}

static gboolean is_due(History *self, const char *name, gint64 now)
{
  g_mutex_lock(&self->lock);
  CameraHistory *camera = find_camera(self, name);
  gboolean due = now >= camera->next_parse;
  if (due)
    camera->next_parse = now + STEP / PER_STEP;
  g_mutex_unlock(&self->lock);
  return due;
}

void history_frame(History *self, const char *camera, const char *line, gsize length, gint64 now)
{
  if (!is_due(self, camera, now))
    return;
  g_autoptr(JsonParser) parser = json_parser_new_immutable();
  JsonObject *frame = parse(parser, line, length);
  JsonNode *node = frame ? json_object_get_member(frame, "results") : NULL;
  JsonArray *results = node && JSON_NODE_HOLDS_ARRAY(node) ? json_node_get_array(node) : NULL;
  g_mutex_lock(&self->lock);
  CameraHistory *history = find_camera(self, camera);
  for (guint i = 0; results && i < json_array_get_length(results); i++) {
    JsonObject *result = get_object(json_array_get_element(results, i));
    if (result)
      add_result(history, result, now);
  }
  g_mutex_unlock(&self->lock);
}

void history_event(History *self, const char *camera, const char *line, gsize length)
{
  if (!memmem(line, length, "\"state\"", strlen("\"state\"")))
    return;
  g_autoptr(JsonParser) parser = json_parser_new_immutable();
  JsonObject *event = parse(parser, line, length);
  if (!event || g_strcmp0(member_get_string(event, "event"), "state") != 0)
    return;
  g_mutex_lock(&self->lock);
  Track *track = get_track(find_camera(self, camera), member_get_string(event, "look"));
  if (track)
    set_text(&track->state, member_get_string(event, "to"));
  g_mutex_unlock(&self->lock);
}

/* ---- Writing ------------------------------------------------------------------------------- */

/* Numbers are rounded to binary fractions, which have few decimal places: an hour has many of them.
 */
static void write_number(JsonBuilder *builder, const char *member, float value, double parts)
{
  json_builder_set_member_name(builder, member);
  if (value >= 0)
    json_builder_add_double_value(builder, (double)(gint64)((double)value * parts + 0.5) / parts);
  else
    json_builder_add_null_value(builder);
}

static void write_sample(JsonBuilder *builder, const Sample *sample, gint64 wall)
{
  g_autofree char *time = time_to_utc(wall);
  json_builder_begin_object(builder);
  member_add_string(builder, "time", time);
  member_add_string(builder, "label", sample->label);
  write_number(builder, "score", sample->score, 1024);
  write_number(builder, "compute_ratio", sample->compute, 1024);
  write_number(builder, "latency_ms", sample->latency, 64);
  member_add_string(builder, "state", sample->state);
  json_builder_end_object(builder);
}

static void write_samples(const Track *track, gint64 since, gint64 now, gint64 wall,
                          JsonBuilder *builder)
{
  static const Sample gap = { .score = NONE, .compute = NONE, .latency = NONE };
  gint64 last = G_MAXINT64;
  for (guint i = 0; i < track->n; i++) {
    const Sample *sample =
        &track->samples[(track->next + HISTORY_SAMPLES - track->n + i) % HISTORY_SAMPLES];
    if (sample->time < since)
      continue;
    if (last != G_MAXINT64 && sample->time - last > GAP)
      write_sample(builder, &gap, wall - (now - last - STEP));
    write_sample(builder, sample, wall - (now - sample->time));
    last = sample->time;
  }
  if (last != G_MAXINT64 && now - last > GAP)
    write_sample(builder, &gap, wall - (now - last - STEP));
}

void history_write(History *self, const char *name, const char *look, double seconds, gint64 now,
                   gint64 wall, JsonBuilder *builder)
{
  g_autofree char *end = time_to_utc(wall);
  const double longest = (double)HISTORY_SAMPLES * HISTORY_STEP;
  const gint64 since = now - (gint64)(CLAMP(seconds, 0, longest) * G_USEC_PER_SEC);
  json_builder_begin_object(builder);
  member_add_count(builder, "step_seconds", HISTORY_STEP);
  member_add_string(builder, "end", end);
  json_builder_set_member_name(builder, "samples");
  json_builder_begin_array(builder);
  g_mutex_lock(&self->lock);
  CameraHistory *camera = g_hash_table_lookup(self->cameras, name);
  const Track *track = camera ? find_track(camera, look) : NULL;
  if (camera && !track && !look && camera->tracks->len)
    track = camera->tracks->pdata[0];
  if (track)
    write_samples(track, since, now, wall, builder);
  g_mutex_unlock(&self->lock);
  json_builder_end_array(builder);
  json_builder_end_object(builder);
}
