/* Publishes to a topic of Kafka, in a thread of its own and through a spool on disk, as mqtt.h
 * does. The key of a message is its camera, so that all messages of a camera are in one partition,
 * in order. The producer is idempotent: brokers that come back get each message once. Only messages
 * that were not confirmed when the program ended, or the producer failed, are sent again. */
#pragma once

#include "config/kafka-config.h"
#include "output/delivery.h"

typedef struct _Kafka Kafka;

#ifdef VITGATE_HAVE_KAFKA

/* Starts to connect. A spool must have only one reader at a time. Its topics are CAMERA/KIND; the
 * kind, "event" or "frame", becomes the header "kind" of a message.
 * Returns: (transfer full) */
Kafka *kafka_new(const KafkaConfig *config, Spool *spool);

/* Says that the spool has a message. May be called from any thread. */
void kafka_wake(Kafka *self);

/* @status: (out): free it with delivery_status_clear() */
void kafka_get_status(Kafka *self, DeliveryStatus *status);

/* Stops reading from the spool.
 * @deliver: first send messages for up to two seconds, while there are any */
void kafka_stop(Kafka *self, gboolean deliver);

/* Call kafka_stop() first. */
void kafka_free(Kafka **self);

#else /* nothing makes one */

static inline Kafka *kafka_new(const KafkaConfig *config, Spool *spool)
{
  return NULL;
}

static inline void kafka_wake(Kafka *self)
{
}

static inline void kafka_get_status(Kafka *self, DeliveryStatus *status)
{
}

static inline void kafka_stop(Kafka *self, gboolean deliver)
{
}

static inline void kafka_free(Kafka **self)
{
}
#endif
