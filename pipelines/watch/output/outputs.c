#include "output/outputs.h"

#include "output/spool.h"

struct _Outputs {
  GRWLock lock; /* held for writing while outputs are replaced */
  Config *config;
  LogFile *log; /* or NULL */
  Spool *spool; /* or NULL */
  Mqtt *mqtt;   /* NULL without a spool */
};

static LogFileOptions log_options(const Config *config)
{
  return (LogFileOptions){
    .path = config->log.file,
    .size = config->log.size,
    .files = config->log.files,
  };
}

/* Opens all outputs that only the new configuration has, or none on failure. */
static gboolean open_new(const Config *config, gboolean new_log, gboolean new_spool, LogFile **log,
                         Spool **spool, GError **error)
{
  const LogFileOptions options = log_options(config);
  if (new_log && options.path && !(*log = log_file_new(&options, error)))
    return FALSE;
  if (new_spool && config->mqtt.host &&
      !(*spool = spool_open(config->mqtt.spool, config->mqtt.spool_size, error))) {
    log_file_free(log);
    return FALSE;
  }
  return TRUE;
}

Outputs *outputs_new(const Config *config, GError **error)
{
  LogFile *log = NULL;
  Spool *spool = NULL;
  if (!open_new(config, TRUE, TRUE, &log, &spool, error))
    return NULL;
  Outputs *self = g_new0(Outputs, 1);
  g_rw_lock_init(&self->lock);
  self->config = config_ref((Config *)config);
  self->log = log;
  self->spool = spool;
  self->mqtt = spool ? mqtt_new(&config->mqtt, spool) : NULL;
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

gboolean outputs_change(Outputs *self, const Config *config, GError **error)
{
  const Config *old = self->config;
  const LogFileOptions options = log_options(config);
  LogFile *log = NULL;
  Spool *spool = NULL;
  gboolean same_log = options.path && g_strcmp0(old->log.file, options.path) == 0;
  gboolean same_spool =
      self->spool && config->mqtt.host && g_strcmp0(old->mqtt.spool, config->mqtt.spool) == 0;
  if (!open_new(config, !same_log, !same_spool, &log, &spool, error))
    return FALSE;
  if (same_log && !log_file_change(self->log, &options, error)) {
    spool_unref(&spool);
    return FALSE;
  }

  change_mqtt(self, config, spool, same_spool);
  g_rw_lock_writer_lock(&self->lock);
  Config *old_config = self->config;
  LogFile *old_log = same_log ? NULL : self->log;
  self->config = config_ref((Config *)config);
  self->log = same_log ? self->log : log;
  g_rw_lock_writer_unlock(&self->lock);
  log_file_free(&old_log);
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
  if (self->log && wanted(self->config->log.frames, kind))
    log_file_write(self->log, line, length);
  if (self->mqtt && wanted(self->config->mqtt.frames, kind))
    publish(self, camera, kind, line, length);
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
  if (self->log)
    log_file_sync(self->log);
  if (self->spool)
    spool_sync(self->spool);
  g_rw_lock_reader_unlock(&self->lock);
}

void outputs_get_status(Outputs *self, OutputsStatus *status)
{
  g_rw_lock_reader_lock(&self->lock);
  *status = (OutputsStatus){ .has_log = self->log != NULL, .has_mqtt = self->mqtt != NULL };
  if (self->log)
    log_file_get_status(self->log, &status->log);
  if (self->mqtt) {
    mqtt_get_status(self->mqtt, &status->mqtt);
    spool_get_status(self->spool, &status->spool);
  }
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
  log_file_free(&self->log);
  config_unref(self->config);
  g_rw_lock_clear(&self->lock);
  g_free(self);
}
