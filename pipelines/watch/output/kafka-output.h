/* The output to Kafka: a spool and what delivers it. Does nothing if the program was built without
 * librdkafka. May be called from any thread. */
#pragma once

#include "config/kafka-config.h"
#include "output/delivery.h"

typedef struct _KafkaOutput KafkaOutput;

/* Makes an output without brokers.
 * Returns: (transfer full) */
KafkaOutput *kafka_output_new(void);

/* Opens the spool of a new configuration, if it is another one.
 * @spool: (out) (transfer full) (nullable): for kafka_output_change()
 * Returns: FALSE with an error that names the folder */
gboolean kafka_output_open(KafkaOutput *self, const KafkaConfig *config, Spool **spool,
                           GError **error);

/* Applies a configuration.
 * @spool: (transfer full): of kafka_output_open() */
void kafka_output_change(KafkaOutput *self, const KafkaConfig *config, Spool *spool);

/* @kind: "event" or "frame"
 * @payload: @length bytes without newlines */
void kafka_output_put(KafkaOutput *self, const char *camera, const char *kind, const char *payload,
                      gsize length);

void kafka_output_sync(KafkaOutput *self);

typedef struct {
  gboolean used;
  DeliveryStatus delivery;
  SpoolStatus spool;
} KafkaOutputStatus;

/* @status: (out): free its delivery with delivery_status_clear() */
void kafka_output_get_status(KafkaOutput *self, KafkaOutputStatus *status);

/* Delivers what waits, for up to two seconds. */
void kafka_output_free(KafkaOutput **self);
