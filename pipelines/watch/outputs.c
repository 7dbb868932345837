#include "outputs.h"

struct _Outputs {
  GRWLock lock; /* for writing while outputs are exchanged */
  Config *config;
  LogFile *log; /* or NULL */
  Mqtt *mqtt;   /* or NULL */
};

static gboolean open_log(const Config *config, LogFile **log, GError **error)
{
  const LogFileOptions options = {
    .path = config->log.file,
    .size = config->log.size,
    .files = config->log.files,
  };
  *log = options.path ? log_file_new(&options, error) : NULL;
  return *log || !options.path;
}

static gboolean open_mqtt(const Config *config, Mqtt **mqtt, GError **error)
{
  *mqtt = config->mqtt.host ? mqtt_new(&config->mqtt, error) : NULL;
  return *mqtt || !config->mqtt.host;
}

Outputs *outputs_new(const Config *config, GError **error)
{
  Outputs *self = g_new0(Outputs, 1);
  g_rw_lock_init(&self->lock);
  self->config = config_ref((Config *)config);
  if (!open_log(config, &self->log, error) || !open_mqtt(config, &self->mqtt, error))
    outputs_free(&self);
  return self;
}

static gboolean same_spool(const MqttConfig *a, const MqttConfig *b)
{
  return a->host && b->host && g_strcmp0(a->spool, b->spool) == 0;
}

/* Two cannot have one spool: the old one is closed first, and comes back where the new one fails.
 */
static gboolean change_mqtt(Outputs *self, const Config *config, GError **error)
{
  Mqtt *old = self->mqtt, *fresh = NULL;
  if (config_mqtt_equal(&self->config->mqtt, &config->mqtt))
    return TRUE;
  gboolean first_close = same_spool(&self->config->mqtt, &config->mqtt);
  if (first_close)
    mqtt_free(&old);
  gboolean opened = open_mqtt(config, &fresh, error);
  if (!opened && first_close)
    open_mqtt(self->config, &fresh, NULL);
  else if (!opened)
    return FALSE;
  mqtt_free(&old);
  self->mqtt = fresh;
  return opened;
}

gboolean outputs_change(Outputs *self, const Config *config, GError **error)
{
  LogFile *log;
  if (!open_log(config, &log, error))
    return FALSE;
  g_rw_lock_writer_lock(&self->lock);
  gboolean changed = change_mqtt(self, config, error);
  if (changed) {
    LogFile *old = self->log;
    self->log = log;
    log = old;
    config_unref(self->config);
    self->config = config_ref((Config *)config);
  }
  g_rw_lock_writer_unlock(&self->lock);
  log_file_free(&log);
  return changed;
}

static gboolean wanted(FrameLines lines, gboolean changed)
{
  return lines == FRAME_LINES_ALL || (lines == FRAME_LINES_CHANGES && changed);
}

/* The broker gets the line without its newline. */
static void publish(Outputs *self, const char *camera, const char *kind, const char *line,
                    gsize length)
{
  g_autofree char *topic = g_strdup_printf("%s/%s/%s", self->config->mqtt.topic, camera, kind);
  mqtt_publish(self->mqtt, topic, line, length - 1);
}

void outputs_frame(Outputs *self, const char *camera, const char *line, gsize length,
                   gboolean changed)
{
  g_rw_lock_reader_lock(&self->lock);
  if (self->log && wanted(self->config->log.frames, changed))
    log_file_write(self->log, line, length);
  if (self->mqtt && wanted(self->config->mqtt.frames, changed))
    publish(self, camera, "frame", line, length);
  gboolean sync = self->config->sync_interval <= 0;
  g_rw_lock_reader_unlock(&self->lock);
  if (sync)
    outputs_sync(self);
}

void outputs_event(Outputs *self, const char *camera, const char *line, gsize length)
{
  g_rw_lock_reader_lock(&self->lock);
  if (self->log)
    log_file_write(self->log, line, length);
  if (self->mqtt)
    publish(self, camera, "event", line, length);
  gboolean sync = self->config->sync_interval <= 0;
  g_rw_lock_reader_unlock(&self->lock);
  if (sync)
    outputs_sync(self);
}

void outputs_sync(Outputs *self)
{
  g_rw_lock_reader_lock(&self->lock);
  if (self->log)
    log_file_sync(self->log);
  if (self->mqtt)
    mqtt_sync(self->mqtt);
  g_rw_lock_reader_unlock(&self->lock);
}

void outputs_get_status(Outputs *self, OutputsStatus *status)
{
  g_rw_lock_reader_lock(&self->lock);
  *status = (OutputsStatus){ .has_log = self->log != NULL, .has_mqtt = self->mqtt != NULL };
  if (self->log)
    log_file_get_status(self->log, &status->log);
  if (self->mqtt)
    mqtt_get_status(self->mqtt, &status->mqtt);
  g_rw_lock_reader_unlock(&self->lock);
}

void outputs_free(Outputs **outputs)
{
  Outputs *self = *outputs;
  *outputs = NULL;
  if (!self)
    return;
  mqtt_free(&self->mqtt);
  log_file_free(&self->log);
  config_unref(self->config);
  g_rw_lock_clear(&self->lock);
  g_free(self);
}
