/* Publishes to an MQTT broker with QoS 1, in a thread of its own. Messages go through a spool on
 * disk. While the broker is away, nothing is delayed, and nothing is lost within the spool's limit.
 * Messages keep their order. After a broken connection, or a restart of the program, messages that
 * the broker did not confirm are sent again.
 *
 * Retained messages do not wait in the spool: only the newest of each topic counts. One of them,
 * TOPIC/status, is "online" while there is a connection, and "offline" otherwise, which the broker
 * itself sends if the program or the network fails. */
#pragma once

#include <gio/gio.h>

#include "config/config.h"
#include "output/delivery.h"
#include "output/retained.h"

typedef struct _Mqtt Mqtt;

/* Starts to connect. A spool must have only one reader at a time, and so must @retained.
 * Returns: (transfer full) */
Mqtt *mqtt_new(const MqttConfig *config, Spool *spool, Retained *retained);

/* May be called from any thread.
 * @payload: @length bytes without newlines */
void mqtt_publish(Mqtt *self, const char *topic, const char *payload, gsize length);

/* Wakes it up after retained messages were set. May be called from any thread. */
void mqtt_wake(Mqtt *self);

/* @status: (out): free it with delivery_status_clear() */
void mqtt_get_status(Mqtt *self, DeliveryStatus *status);

/* Stops reading from the spool. mqtt_publish() still writes to it.
 * @deliver: first send messages for up to two seconds, while there are any and the broker accepts
 * them or has yet to answer */
void mqtt_stop(Mqtt *self, gboolean deliver);

/* Call mqtt_stop() first. */
void mqtt_free(Mqtt **self);
