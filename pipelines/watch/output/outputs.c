#include "output/outputs.h"

#include <string.h>

#include "output/spool.h"

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
  KafkaOutput *kafka;
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
    opened = (*spool = spool_open(config->mqtt.spool, config->mqtt.spool_size, error)) != NULL;
  if (!opened)
    free_logs(logs);
  return opened;
}

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
  self->config = config_ref((Config *)config);
  memcpy(self->logs, logs, sizeof logs);
  self->spool = spool;
  self->mqtt = spool ? mqtt_new(&config->mqtt, spool) : NULL;
  self->kafka = kafka;
  kafka_output_change(kafka, &config->kafka, kafka_spool);
  return self;
}

/* Stops the old Mqtt before the new one starts, since a spool can have only one reader. Between the
 * two, messages still go to the spool. */
static void change_mqtt(Outputs *self, const Config *config, Spool *fresh, gboolean same_spool)
{
  gboolean same = config_mqtt_equal(&self->config->mqtt, &config->mqtt);
  if (same && same_spool)
    return;
  Spool *spool = same_spool ? spool_ref(self->spool) : fresh;
  if (self->mqtt)
    mqtt_stop(self->mqtt, FALSE);
  if (same_spool)
    spool_set_limit(spool, config->mqtt.spool_size);
  Mqtt *mqtt = spool ? mqtt_new(&config->mqtt, spool) : NULL;

  g_rw_lock_writer_lock(&self->lock);
  Mqtt *old_mqtt = self->mqtt;
  Spool *old_spool = self->spool;
  self->mqtt = mqtt;
  self->spool = spool;
  g_rw_lock_writer_unlock(&self->lock);
  mqtt_free(&old_mqtt);
  spool_unref(&old_spool);
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
                        g_strcmp0(self->config->mqtt.spool, config->mqtt.spool) == 0;
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
  g_autofree char *topic = g_strdup_printf("%s/%s/%s", self->config->mqtt.topic, camera,
                                           kind == EVENT ? "event" : "frame");
  mqtt_publish(self->mqtt, topic, line, length - 1);
}

static void put(Outputs *self, const char *camera, LineKind kind, const char *line, gsize length)
{
  g_rw_lock_reader_lock(&self->lock);
  if (self->logs[ALL_LINES] && wanted(self->config->log.frames, kind))
    log_file_write(self->logs[ALL_LINES], line, length);
  if (self->logs[EVENTS] && kind == EVENT)
    log_file_write(self->logs[EVENTS], line, length);
  if (self->mqtt && wanted(self->config->mqtt.frames, kind))
    publish(self, camera, kind, line, length);
  if (wanted(self->config->kafka.frames, kind))
    kafka_output_put(self->kafka, camera, kind == EVENT ? "event" : "frame", line, length - 1);
  gboolean sync = self->config->sync_interval <= 0;
  g_rw_lock_reader_unlock(&self->lock);
  if (sync)
    outputs_sync(self);
}

void outputs_frame(Outputs *self, const char *camera, const char *line, gsize length,
                   gboolean changed)
{
  put(self, camera, changed ? CHANGED_FRAME : SAME_FRAME, line, length);
}

void outputs_event(Outputs *self, const char *camera, const char *line, gsize length)
{
  put(self, camera, EVENT, line, length);
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
  kafka_output_free(&self->kafka);
  free_logs(self->logs);
  config_unref(self->config);
  g_rw_lock_clear(&self->lock);
  g_free(self);
}
