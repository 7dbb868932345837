#include "output/kafka-output.h"

#include "output/kafka.h"

struct _KafkaOutput {
  GRWLock lock; /* held for writing while the rest is replaced */
  KafkaConfig config;
  Spool *spool; /* or NULL */
  Kafka *kafka; /* NULL without a spool */
};

KafkaOutput *kafka_output_new(void)
{
  KafkaOutput *self = g_new0(KafkaOutput, 1);
  g_rw_lock_init(&self->lock);
  return self;
}

static gboolean is_same_spool(const KafkaOutput *self, const KafkaConfig *config)
{
  return self->spool && config->brokers &&
         g_strcmp0(self->config.broker.spool, config->broker.spool) == 0;
}

gboolean kafka_output_open(KafkaOutput *self, const KafkaConfig *config, Spool **spool,
                           GError **error)
{
  *spool = NULL;
  if (!config->brokers || is_same_spool(self, config))
    return TRUE;
  *spool = spool_open(config->broker.spool, config->broker.spool_size, error);
  return *spool != NULL;
}

/* Stops the old Kafka before the new one starts, since a spool can have only one reader. Between
 * the two, messages still go to the spool. */
void kafka_output_change(KafkaOutput *self, const KafkaConfig *config, Spool *spool)
{
  const gboolean same_spool = is_same_spool(self, config);
  if ((same_spool && kafka_config_equal(&self->config, config)) || (!self->spool && !spool))
    return;
  Spool *next = same_spool ? spool_ref(self->spool) : spool;
  if (self->kafka)
    kafka_stop(self->kafka, FALSE);
  if (same_spool)
    spool_set_limit(next, config->broker.spool_size);
  Kafka *kafka = next ? kafka_new(config, next) : NULL;

  g_rw_lock_writer_lock(&self->lock);
  Kafka *old_kafka = self->kafka;
  Spool *old_spool = self->spool;
  self->kafka = kafka;
  self->spool = next;
  kafka_config_clear(&self->config);
  kafka_config_copy(&self->config, config);
  g_rw_lock_writer_unlock(&self->lock);
  kafka_free(&old_kafka);
  spool_unref(&old_spool);
}

void kafka_output_put(KafkaOutput *self, const char *camera, const char *kind, const char *payload,
                      gsize length)
{
  g_rw_lock_reader_lock(&self->lock);
  if (self->kafka) {
    g_autofree char *topic = g_strdup_printf("%s/%s", camera, kind);
    spool_append(self->spool, topic, payload, length);
    kafka_wake(self->kafka);
  }
  g_rw_lock_reader_unlock(&self->lock);
}

void kafka_output_sync(KafkaOutput *self)
{
  g_rw_lock_reader_lock(&self->lock);
  if (self->spool)
    spool_sync(self->spool);
  g_rw_lock_reader_unlock(&self->lock);
}

void kafka_output_get_status(KafkaOutput *self, KafkaOutputStatus *status)
{
  g_rw_lock_reader_lock(&self->lock);
  *status = (KafkaOutputStatus){ .used = self->kafka != NULL };
  if (self->kafka) {
    kafka_get_status(self->kafka, &status->delivery);
    spool_get_status(self->spool, &status->spool);
  }
  g_rw_lock_reader_unlock(&self->lock);
}

void kafka_output_free(KafkaOutput **output)
{
  KafkaOutput *self = *output;
  *output = NULL;
  if (!self)
    return;
  if (self->kafka)
    kafka_stop(self->kafka, TRUE);
  kafka_free(&self->kafka);
  spool_unref(&self->spool);
  kafka_config_clear(&self->config);
  g_rw_lock_clear(&self->lock);
  g_free(self);
}
