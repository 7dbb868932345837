/* Publishes to an MQTT broker with QoS 1, by a thread of its own: messages go through a spool on
 * disk, so that a broker that is away holds nothing up and loses nothing within the spool's limit.
 * Order is kept. After a cut connection, or the end of the program, messages whose receipt the
 * broker had not confirmed are sent once more. */
#pragma once

#include <gio/gio.h>

#include "config/config.h"
#include "output/spool.h"

typedef struct {
  gboolean connected;
  char *error; /* (nullable): why it is not connected, or the last time was not */
} MqttStatus;

typedef struct _Mqtt Mqtt;

/* Starts to connect. A spool has one that reads it at a time.
 * Returns: (transfer full) */
Mqtt *mqtt_new(const MqttConfig *config, Spool *spool);

/* From any thread. @payload: @length bytes without newlines */
void mqtt_publish(Mqtt *self, const char *topic, const char *payload, gsize length);

/* @status: takes mqtt_status_clear() */
void mqtt_get_status(Mqtt *self, MqttStatus *status);
void mqtt_status_clear(MqttStatus *status);

/* Takes nothing out of the spool any more. mqtt_publish() still puts in.
 * @deliver: goes on for up to two seconds while there are messages and the broker takes them */
void mqtt_stop(Mqtt *self, gboolean deliver);

/* After mqtt_stop(). */
void mqtt_free(Mqtt **self);
