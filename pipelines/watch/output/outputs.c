#include "output/outputs.h"

#include <string.h>

#include "output/discovery.h"
#include "output/spool.h"
#include "output/topics.h"

/* Frames and events in their order, and the events once more: the rotation of frames must not
 * remove them. */
enum {
  ALL_LINES,
  EVENTS,
  N_LOGS,
};

struct _Outputs {
  GRWLock lock; /* held for writing while outputs are replaced */
  Config *config;
  LogFile *logs[N_LOGS]; /* NULL: no log */
  Spool *spool;          /* or NULL */
  Mqtt *mqtt;            /* NULL without a spool */
  Retained *retained;    /* NULL without a spool */
  States *states;

  GMutex online_lock;
  GHashTable *online;       /* claims of cameras that send frames, by name */
  OutputsObserver observer; /* its functions may be NULL */
  KafkaOutput *kafka;
  Ownership *ownership;
};

static LogFileOptions log_options(const Config *config, guint log)
{
  return (LogFileOptions){
    .path = log == EVENTS ? config->log.events_file : config->log.file,
    .size = config->log.size,
    .files = config->log.files,
  };
}

static void free_logs(LogFile **logs)
{
  for (guint i = 0; i < N_LOGS; i++)
    log_file_free(&logs[i]);
}

/* Opens all outputs that only the new configuration has, or none on failure.
 * @same_logs, @same_spool: already open */
static gboolean open_new(const Config *config, const gboolean *same_logs, gboolean same_spool,
                         LogFile **logs, Spool **spool, GError **error)
{
  gboolean opened = TRUE;
  for (guint i = 0; opened && i < N_LOGS; i++) {
    const LogFileOptions options = log_options(config, i);
    if (!same_logs[i] && options.path)
      opened = (logs[i] = log_file_new(&options, error)) != NULL;
  }
  if (opened && !same_spool && config->mqtt.host)
    opened = (*spool = spool_open(config->mqtt.broker.spool, config->mqtt.broker.spool_size,
                                  error)) != NULL;
  if (!opened)
    free_logs(logs);
  return opened;
}

/* ---- Retained messages --------------------------------------------------------------------- */

static gboolean is_online(Outputs *self, const char *camera)
{
  g_mutex_lock(&self->online_lock);
  const gboolean online = g_hash_table_contains(self->online, camera);
  g_mutex_unlock(&self->online_lock);
  return online;
}

static const char *status_text(gboolean online)
{
  return online ? "online" : "offline";
}

/* Adds the topics of a camera, with NULL for those that stay as they are.
 * @messages: of char *: payloads by topic */
static void add_topics(Outputs *self, const Config *config, const CameraConfig *camera,
                       GHashTable *messages)
{
  const MqttConfig *mqtt = &config->mqtt;
  g_hash_table_replace(messages, topic_of_camera(mqtt, camera->name, "status"),
                       g_strdup(status_text(is_online(self, camera->name))));
  if (camera->whole_frame)
    g_hash_table_replace(messages, topic_of_state(mqtt, camera->name, NULL), NULL);
  for (guint i = 0; i < camera->looks->len; i++) {
    const LookConfig *look = camera->looks->pdata[i];
    g_hash_table_replace(messages, topic_of_state(mqtt, camera->name, look->name), NULL);
  }
  if (mqtt->home_assistant && discovery_has_pictures(config))
    g_hash_table_replace(messages, topic_of_camera(mqtt, camera->name, "image"), NULL);
}

void outputs_hand_over(Outputs *self, const char *camera)
{
  g_autoptr(GHashTable) messages = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
  g_autoptr(GPtrArray) cameras = g_ptr_array_new();
  Config only = *self->config;
  GHashTableIter iter;
  gpointer topic;
  if (!self->retained)
    return;
  for (guint i = 0; i < only.cameras->len; i++)
    if (!strcmp(((CameraConfig *)only.cameras->pdata[i])->name, camera))
      g_ptr_array_add(cameras, only.cameras->pdata[i]);
  only.cameras = cameras;
  for (guint i = 0; i < cameras->len; i++)
    add_topics(self, &only, cameras->pdata[i], messages);
  if (only.mqtt.home_assistant)
    discovery_add(&only, messages);
  g_hash_table_iter_init(&iter, messages);
  while (g_hash_table_iter_next(&iter, &topic, NULL))
    retained_forget(self->retained, topic);
}

/* Sets the retained messages of a configuration, and clears those of cameras that are gone. */
static void want_topics(Outputs *self, const Config *config, Retained *retained)
{
  g_autoptr(GHashTable) messages = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
  GHashTableIter iter;
  gpointer topic, payload;
  for (guint i = 0; i < config->cameras->len; i++)
    add_topics(self, config, config->cameras->pdata[i], messages);
  if (config->mqtt.home_assistant)
    discovery_add(config, messages);
  retained_want(retained, messages);
  g_hash_table_iter_init(&iter, messages);
  while (g_hash_table_iter_next(&iter, &topic, &payload))
    if (payload)
      retained_set(retained, topic, payload);
  states_forget(self->states);
}

/* Returns: (transfer full) */
static Retained *make_retained(const MqttConfig *mqtt)
{
  g_autofree char *path = g_build_filename(mqtt->broker.spool, "retained", NULL);
  return retained_new(path);
}

static void set_retained(Outputs *self, const char *topic, const char *payload)
{
  retained_set(self->retained, topic, payload);
  mqtt_wake(self->mqtt);
}

/* A camera that was started for an earlier claim may end after the next one has begun. */
static void set_online(Outputs *self, const char *camera, gint64 claim, gboolean online)
{
  g_mutex_lock(&self->online_lock);
  const gint64 *last = g_hash_table_lookup(self->online, camera);
  if (online)
    g_hash_table_replace(self->online, g_strdup(camera), g_memdup2(&claim, sizeof claim));
  else if (last && *last == claim)
    g_hash_table_remove(self->online, camera);
  g_mutex_unlock(&self->online_lock);
}

void outputs_camera_status(Outputs *self, const char *camera, gint64 claim, gboolean online)
{
  set_online(self, camera, claim, online);
  g_rw_lock_reader_lock(&self->lock);
  if (self->mqtt && ownership_allows(self->ownership, camera, claim)) {
    g_autofree char *topic = topic_of_camera(&self->config->mqtt, camera, "status");
    set_retained(self, topic, status_text(online));
  }
  g_rw_lock_reader_unlock(&self->lock);
}

gboolean outputs_want_looks(Outputs *self)
{
  g_rw_lock_reader_lock(&self->lock);
  const gboolean wanted = self->mqtt != NULL;
  g_rw_lock_reader_unlock(&self->lock);
  return wanted;
}

void outputs_look(Outputs *self, const char *camera, gint64 claim, const LookState *state)
{
  g_rw_lock_reader_lock(&self->lock);
  if (self->mqtt && ownership_allows(self->ownership, camera, claim)) {
    g_autofree char *topic = topic_of_state(&self->config->mqtt, camera, state->look);
    g_autofree char *message = states_see(self->states, topic, state);
    if (message)
      set_retained(self, topic, message);
  }
  g_rw_lock_reader_unlock(&self->lock);
}

void outputs_picture(Outputs *self, const char *camera, GBytes *jpeg)
{
  g_rw_lock_reader_lock(&self->lock);
  const CameraConfig *config = config_find_camera(self->config, camera);
  if (self->mqtt && config && ownership_allows(self->ownership, camera, config->claim)) {
    g_autofree char *topic = topic_of_camera(&self->config->mqtt, camera, "image");
    retained_set_bytes(self->retained, topic, jpeg);
    mqtt_wake(self->mqtt);
  }
  g_rw_lock_reader_unlock(&self->lock);
}

/* ---- Start and changes --------------------------------------------------------------------- */

Outputs *outputs_new(const Config *config, GError **error)
{
  static const gboolean same_logs[N_LOGS];
  LogFile *logs[N_LOGS] = { NULL };
  Spool *spool = NULL, *kafka_spool = NULL;
  KafkaOutput *kafka = kafka_output_new();
  if (!kafka_output_open(kafka, &config->kafka, &kafka_spool, error) ||
      !open_new(config, same_logs, FALSE, logs, &spool, error)) {
    spool_unref(&kafka_spool);
    kafka_output_free(&kafka);
    return NULL;
  }
  Outputs *self = g_new0(Outputs, 1);
  g_rw_lock_init(&self->lock);
  g_mutex_init(&self->online_lock);
  self->online = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
  self->states = states_new();
  self->ownership = ownership_new();
  self->config = config_ref((Config *)config);
  memcpy(self->logs, logs, sizeof logs);
  self->spool = spool;
  if (spool) {
    self->retained = make_retained(&config->mqtt);
    want_topics(self, config, self->retained);
    self->mqtt = mqtt_new(&config->mqtt, spool, self->retained);
  }
  self->kafka = kafka;
  kafka_output_change(kafka, &config->kafka, kafka_spool);
  return self;
}

/* Stops the old Mqtt before the new one starts, since a spool can have only one reader. Between the
 * two, messages still go to the spool. */
static void change_mqtt(Outputs *self, const Config *config, Spool *fresh, gboolean same_spool)
{
  gboolean same = config_mqtt_equal(&self->config->mqtt, &config->mqtt);
  if (same && same_spool) {
    want_topics(self, config, self->retained);
    mqtt_wake(self->mqtt);
    return;
  }
  Spool *spool = same_spool ? spool_ref(self->spool) : fresh;
  Retained *retained = same_spool ? retained_ref(self->retained)
                       : spool    ? make_retained(&config->mqtt)
                                  : NULL;
  if (self->mqtt)
    mqtt_stop(self->mqtt, FALSE);
  if (same_spool)
    spool_set_limit(spool, config->mqtt.broker.spool_size);
  if (retained)
    want_topics(self, config, retained);
  Mqtt *mqtt = spool ? mqtt_new(&config->mqtt, spool, retained) : NULL;

  g_rw_lock_writer_lock(&self->lock);
  Mqtt *old_mqtt = self->mqtt;
  Spool *old_spool = self->spool;
  Retained *old_retained = self->retained;
  self->mqtt = mqtt;
  self->spool = spool;
  self->retained = retained;
  g_rw_lock_writer_unlock(&self->lock);
  mqtt_free(&old_mqtt);
  spool_unref(&old_spool);
  retained_unref(&old_retained);
}

static gboolean change_same_logs(Outputs *self, const Config *config, const gboolean *same,
                                 GError **error)
{
  for (guint i = 0; i < N_LOGS; i++) {
    const LogFileOptions options = log_options(config, i);
    if (same[i] && !log_file_change(self->logs[i], &options, error))
      return FALSE;
  }
  return TRUE;
}

static void find_same_logs(Outputs *self, const Config *config, gboolean *same)
{
  for (guint i = 0; i < N_LOGS; i++) {
    const char *path = log_options(config, i).path;
    same[i] = path && g_strcmp0(path, log_options(self->config, i).path) == 0;
  }
}

gboolean outputs_change(Outputs *self, const Config *config, GError **error)
{
  LogFile *logs[N_LOGS] = { NULL };
  Spool *spool = NULL, *kafka_spool = NULL;
  gboolean same_logs[N_LOGS];
  gboolean same_spool = self->spool && config->mqtt.host &&
                        g_strcmp0(self->config->mqtt.broker.spool, config->mqtt.broker.spool) == 0;
  find_same_logs(self, config, same_logs);
  if (!kafka_output_open(self->kafka, &config->kafka, &kafka_spool, error) ||
      !open_new(config, same_logs, same_spool, logs, &spool, error) ||
      !change_same_logs(self, config, same_logs, error)) {
    free_logs(logs);
    spool_unref(&spool);
    spool_unref(&kafka_spool);
    return FALSE;
  }

  change_mqtt(self, config, spool, same_spool);
  kafka_output_change(self->kafka, &config->kafka, kafka_spool);
  g_rw_lock_writer_lock(&self->lock);
  Config *old_config = self->config;
  self->config = config_ref((Config *)config);
  for (guint i = 0; i < N_LOGS; i++) {
    LogFile *old = self->logs[i];
    if (same_logs[i])
      continue;
    self->logs[i] = logs[i];
    logs[i] = old;
  }
  g_rw_lock_writer_unlock(&self->lock);
  free_logs(logs);
  config_unref(old_config);
  /* A state of a frame between the two has the old topic. */
  states_forget(self->states);
  return TRUE;
}

typedef enum {
  EVENT,
  CHANGED_FRAME,
  SAME_FRAME,
} LineKind;

static gboolean wanted(FrameLines lines, LineKind kind)
{
  return kind == EVENT || lines == FRAME_LINES_ALL ||
         (lines == FRAME_LINES_CHANGES && kind == CHANGED_FRAME);
}

/* Publishes the line without its newline. */
static void publish(Outputs *self, const char *camera, LineKind kind, const char *line,
                    gsize length)
{
  g_autofree char *topic =
      topic_of_camera(&self->config->mqtt, camera, kind == EVENT ? "event" : "frame");
  mqtt_publish(self->mqtt, topic, line, length - 1);
}

Ownership *outputs_get_ownership(Outputs *self)
{
  return self->ownership;
}

static void put(Outputs *self, const char *camera, gint64 claim, LineKind kind, const char *text,
                gsize length)
{
  g_autofree char *own = NULL;
  const char *line = ownership_mark(self->ownership, camera, claim, text, &length, &own);
  if (!line)
    return;
  g_rw_lock_reader_lock(&self->lock);
  if (self->observer.line)
    self->observer.line(camera, kind == EVENT, line, length, self->observer.user_data);
  if (self->logs[ALL_LINES] && wanted(self->config->log.frames, kind))
    log_file_write(self->logs[ALL_LINES], line, length);
  if (self->logs[EVENTS] && kind == EVENT)
    log_file_write(self->logs[EVENTS], line, length);
  if (self->mqtt && wanted(self->config->mqtt.broker.frames, kind))
    publish(self, camera, kind, line, length);
  if (wanted(self->config->kafka.broker.frames, kind))
    kafka_output_put(self->kafka, camera, kind == EVENT ? "event" : "frame", line, length - 1);
  gboolean sync = self->config->sync_interval <= 0;
  g_rw_lock_reader_unlock(&self->lock);
  if (sync)
    outputs_sync(self);
}

void outputs_frame(Outputs *self, const char *camera, gint64 claim, const char *line, gsize length,
                   gboolean changed)
{
  put(self, camera, claim, changed ? CHANGED_FRAME : SAME_FRAME, line, length);
}

void outputs_event(Outputs *self, const char *camera, gint64 claim, const char *line, gsize length)
{
  put(self, camera, claim, EVENT, line, length);
}

void outputs_set_observer(Outputs *self, const OutputsObserver *observer)
{
  g_rw_lock_writer_lock(&self->lock);
  self->observer = observer ? *observer : (OutputsObserver){ 0 };
  g_rw_lock_writer_unlock(&self->lock);
}

void outputs_status_changed(Outputs *self)
{
  g_rw_lock_reader_lock(&self->lock);
  if (self->observer.status)
    self->observer.status(self->observer.user_data);
  g_rw_lock_reader_unlock(&self->lock);
}

void outputs_sync(Outputs *self)
{
  g_rw_lock_reader_lock(&self->lock);
  for (guint i = 0; i < N_LOGS; i++)
    if (self->logs[i])
      log_file_sync(self->logs[i]);
  if (self->spool)
    spool_sync(self->spool);
  kafka_output_sync(self->kafka);
  g_rw_lock_reader_unlock(&self->lock);
}

void outputs_get_status(Outputs *self, OutputsStatus *status)
{
  g_rw_lock_reader_lock(&self->lock);
  *status = (OutputsStatus){
    .has_log = self->logs[ALL_LINES] != NULL,
    .has_mqtt = self->mqtt != NULL,
  };
  if (status->has_log) {
    log_file_get_status(self->logs[ALL_LINES], &status->log);
    log_file_get_status(self->logs[EVENTS], &status->events);
  }
  if (self->mqtt) {
    mqtt_get_status(self->mqtt, &status->mqtt);
    spool_get_status(self->spool, &status->spool);
  }
  kafka_output_get_status(self->kafka, &status->kafka);
  g_rw_lock_reader_unlock(&self->lock);
}

void outputs_free(Outputs **outputs)
{
  Outputs *self = *outputs;
  *outputs = NULL;
  if (!self)
    return;
  if (self->mqtt)
    mqtt_stop(self->mqtt, TRUE);
  mqtt_free(&self->mqtt);
  spool_unref(&self->spool);
  retained_unref(&self->retained);
  states_free(&self->states);
  g_hash_table_unref(self->online);
  g_mutex_clear(&self->online_lock);
  ownership_free(&self->ownership);
  kafka_output_free(&self->kafka);
  free_logs(self->logs);
  config_unref(self->config);
  g_rw_lock_clear(&self->lock);
  g_free(self);
}
