#include "config/kafka-config.h"

#include <string.h>

#define GROUP     "kafka"
#define MAX_TOPIC 249 /* characters, of Kafka */

const char *const kafka_mechanisms[] = { "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", NULL };

static const char *const mechanism_names[] = { "plain", "scram-sha-256", "scram-sha-512", NULL };

#define OFFSET(field) G_STRUCT_OFFSET(KafkaConfig, field)

static const Key own_keys[] = {
  { "brokers", KEY_TEXT, OFFSET(brokers) },
  { "topic", KEY_TEXT, OFFSET(topic) },
  { "mechanism", KEY_CHOICE, OFFSET(mechanism), .choices = mechanism_names },
  { NULL },
};

static const Key *kafka_keys(void)
{
  static gsize keys;
  if (g_once_init_enter(&keys))
    g_once_init_leave(&keys, (gsize)keys_join(own_keys, broker_keys, OFFSET(broker)));
  return (const Key *)keys;
}

static gboolean check_brokers(const KeySource *source, const KafkaConfig *self, GError **error)
{
  if (!self->brokers)
    return key_fail(source, GROUP, "brokers", error, "is missing");
  g_auto(GStrv) brokers = g_strsplit(self->brokers, ",", -1);
  for (guint i = 0; brokers[i]; i++) {
    const char *broker = g_strstrip(brokers[i]), *colon = strrchr(broker, ':');
    gboolean has_port = colon && *broker != '[' ? TRUE : colon && strchr(broker, ']') < colon;
    guint64 port;
    if (!*broker || broker[strcspn(broker, "@/ ;")] || *broker == ':' ||
        (has_port && !g_ascii_string_to_unsigned(colon + 1, 10, 1, 65535, &port, NULL)))
      return key_fail(source, GROUP, "brokers", error,
                      "\"%s\": expected HOST or HOST:PORT, separated by commas; credentials have "
                      "their own keys",
                      broker);
  }
  return TRUE;
}

static gboolean check_topic(const KeySource *source, const KafkaConfig *self, GError **error)
{
  const gsize length = strlen(self->topic);
  if (length <= MAX_TOPIC && strcmp(self->topic, ".") && strcmp(self->topic, "..") &&
      strspn(self->topic, G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "._-") == length)
    return TRUE;
  return key_fail(source, GROUP, "topic", error,
                  "\"%s\": expected at most %d letters, digits, dots, underscores and hyphens",
                  self->topic, MAX_TOPIC);
}

gboolean kafka_config_read(KafkaConfig *self, const KeySource *source, GError **error)
{
  *self = (KafkaConfig){
    .topic = g_strdup("vitgate"),
    .broker = broker_defaults,
  };
  if (!g_key_file_has_group(source->file, GROUP))
    return TRUE;
#ifndef VITGATE_HAVE_KAFKA
  return key_fail(source, GROUP, NULL, error,
                  "this vitgate-watch was built without Kafka (librdkafka is missing)");
#endif
  return keys_read(source, GROUP, kafka_keys(), self, error) &&
         check_brokers(source, self, error) && check_topic(source, self, error) &&
         broker_config_check(&self->broker, source, GROUP, error);
}

void kafka_config_copy(KafkaConfig *copy, const KafkaConfig *self)
{
  keys_copy(kafka_keys(), copy, self, sizeof *self);
}

void kafka_config_clear(KafkaConfig *self)
{
  keys_clear(kafka_keys(), self);
}

gboolean kafka_config_equal(const KafkaConfig *a, const KafkaConfig *b)
{
  g_autofree char *one = keys_fingerprint(kafka_keys(), a),
                  *other = keys_fingerprint(kafka_keys(), b);
  return !strcmp(one, other);
}
