/* Sends results to the log and the brokers. May be called from any thread. */
#pragma once

#include "config/config.h"
#include "output/kafka-output.h"
#include "output/log-file.h"
#include "output/mqtt.h"

typedef struct {
  gboolean has_log, has_mqtt;
  LogFileStatus log, events;
  DeliveryStatus mqtt;
  SpoolStatus spool;
  KafkaOutputStatus kafka;
} OutputsStatus;

typedef struct _Outputs Outputs;

/* Returns: (transfer full) (nullable): NULL with an error that names the file or folder */
Outputs *outputs_new(const Config *config, GError **error);

/* Applies a new configuration. Outputs that are the same continue; the log file is opened again, in
 * case it was moved.
 * Returns: FALSE with an error if a new output cannot be opened; nothing has changed then */
gboolean outputs_change(Outputs *self, const Config *config, GError **error);

/* Writes a frame's line.
 * @line: as vitgatejson writes it, with a newline
 * @changed: whether its best label differs from that of the frame before */
void outputs_frame(Outputs *self, const char *camera, const char *line, gsize length,
                   gboolean changed);

/* Writes an event, to the log and to the file of events.
 * @line: a JSON object with a newline */
void outputs_event(Outputs *self, const char *camera, const char *line, gsize length);

void outputs_sync(Outputs *self);

/* @status: (out): if it has a broker, free its part with delivery_status_clear() */
void outputs_get_status(Outputs *self, OutputsStatus *status);

void outputs_free(Outputs **self);
