/* Publishes to an MQTT broker with QoS 1, by a thread of its own: messages go through a spool on
 * disk, so that a broker that is away holds nothing up and loses nothing within the spool's limit.
 * Order is kept. After a cut connection, or the end of the program, messages whose receipt the
 * broker had not confirmed are sent once more. */
#pragma once

#include <gio/gio.h>

#include "config.h"
#include "spool.h"

typedef struct {
  gboolean connected;
  SpoolStatus spool;
  char *error; /* (nullable): why it is not connected, or the last time was not */
} MqttStatus;

typedef struct _Mqtt Mqtt;

/* Opens the spool and starts to connect.
 * Returns: (transfer full): or NULL with an error of G_IO_ERROR that names the spool's folder */
Mqtt *mqtt_new(const MqttConfig *config, GError **error);

/* From any thread. @payload: @length bytes without newlines */
void mqtt_publish(Mqtt *self, const char *topic, const char *payload, gsize length);

/* Brings to the disk what waits. */
void mqtt_sync(Mqtt *self);

/* @status: takes mqtt_status_clear() */
void mqtt_get_status(Mqtt *self, MqttStatus *status);
void mqtt_status_clear(MqttStatus *status);

/* Delivers for two seconds more where the broker is there; the rest stays on disk. */
void mqtt_free(Mqtt **self);
