/* Where results go: the log, the broker, or both. May be called from any thread. */
#pragma once

#include "config/config.h"
#include "output/log-file.h"
#include "output/mqtt.h"

typedef struct {
  gboolean has_log, has_mqtt;
  LogFileStatus log;
  MqttStatus mqtt;
  SpoolStatus spool;
} OutputsStatus;

typedef struct _Outputs Outputs;

/* Returns: (transfer full): or NULL with an error that names the file or folder */
Outputs *outputs_new(const Config *config, GError **error);

/* Takes over a new configuration. What is the same goes on; the log in a file of its name, should
 * that have been moved away.
 * Returns: FALSE with an error where a new output cannot be opened; then nothing has changed */
gboolean outputs_change(Outputs *self, const Config *config, GError **error);

/* @line: as vitgatejson writes it, with a newline
 * @changed: whether its best label differs from that of the frame before */
void outputs_frame(Outputs *self, const char *camera, const char *line, gsize length,
                   gboolean changed);

/* @line: an object, with a newline */
void outputs_event(Outputs *self, const char *camera, const char *line, gsize length);

void outputs_sync(Outputs *self);

/* @status: takes mqtt_status_clear() of its part where there is a broker */
void outputs_get_status(Outputs *self, OutputsStatus *status);

void outputs_free(Outputs **self);
