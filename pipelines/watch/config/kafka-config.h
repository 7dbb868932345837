/* The group [kafka] of the key file. */
#pragma once

#include "config/broker-config.h"

typedef struct {
  char *brokers; /* "HOST:PORT,HOST:PORT"; NULL: no Kafka */
  char *topic;
  guint mechanism; /* of SASL: index of kafka_mechanisms */
  BrokerConfig broker;
} KafkaConfig;

/* As librdkafka names them. Ends with NULL. */
extern const char *const kafka_mechanisms[];

/* Reads the group, or its defaults if there is none.
 * Returns: FALSE with an error of key_fail() */
gboolean kafka_config_read(KafkaConfig *self, const KeySource *source, GError **error);

/* @copy: (out): free it with kafka_config_clear() */
void kafka_config_copy(KafkaConfig *copy, const KafkaConfig *self);
void kafka_config_clear(KafkaConfig *self);

/* Returns: whether all keys are the same */
gboolean kafka_config_equal(const KafkaConfig *a, const KafkaConfig *b);
