#include "config/kafka-config.h"

#include <string.h>

#include "config/checks.h"

#define GROUP     "kafka"
#define MAX_TOPIC 249 /* characters, of Kafka */

const char *const kafka_mechanisms[] = { "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", NULL };

static const char *const mechanism_names[] = { "plain", "scram-sha-256", "scram-sha-512", NULL };

#define OFFSET(field) G_STRUCT_OFFSET(KafkaConfig, field)

static const Key kafka_keys[] = {
  { "brokers", KEY_TEXT, OFFSET(brokers) },
  { "topic", KEY_TEXT, OFFSET(topic) },
  { "tls", KEY_SWITCH, OFFSET(tls) },
  { "ca-file", KEY_PATH, OFFSET(ca_file) },
  { "client-certificate", KEY_PATH, OFFSET(client_certificate) },
  { "client-key", KEY_PATH, OFFSET(client_key) },
  { "credentials-file", KEY_PATH, OFFSET(credentials_file) },
  { "credentials-env", KEY_TEXT, OFFSET(credentials_env) },
  { "mechanism", KEY_CHOICE, OFFSET(mechanism), .choices = mechanism_names },
  { "client-id", KEY_TEXT, OFFSET(client_id) },
  { "spool", KEY_PATH, OFFSET(spool) },
  { "spool-size", KEY_SIZE, OFFSET(spool_size), 16384, 1099511627776.0 },
  { "frames", KEY_CHOICE, OFFSET(frames), .choices = frame_line_names },
  { "retry-least", KEY_SECONDS, OFFSET(retry_min), 0.01, DAY },
  { "retry-most", KEY_SECONDS, OFFSET(retry_max), 0.01, DAY },
  { NULL },
};

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

static gboolean check(const KeySource *source, const KafkaConfig *self, GError **error)
{
  const ClientTls tls = {
    .tls = self->tls,
    .ca_file = self->ca_file,
    .client_certificate = self->client_certificate,
    .client_key = self->client_key,
  };
  if (!check_brokers(source, self, error) || !check_topic(source, self, error))
    return FALSE;
  if (!self->spool)
    return key_fail(source, GROUP, "spool", error, "is missing (a folder for waiting messages)");
  return check_client_tls(source, GROUP, &tls, error) &&
         check_retries(source, GROUP, self->retry_min, self->retry_max, error) &&
         check_credentials(source, GROUP, self->credentials_file, self->credentials_env, error) &&
         check_writable(source, GROUP, "spool", self->spool, self->spool, error);
}

gboolean kafka_config_read(KafkaConfig *self, const KeySource *source, GError **error)
{
  *self = (KafkaConfig){
    .topic = g_strdup("vitgate"),
    .spool_size = 64 << 20,
    .retry_min = 1,
    .retry_max = 60,
  };
  if (!g_key_file_has_group(source->file, GROUP))
    return TRUE;
#ifndef VITGATE_HAVE_KAFKA
  return key_fail(source, GROUP, NULL, error,
                  "this vitgate-watch was built without Kafka (librdkafka is missing)");
#endif
  return keys_read(source, GROUP, kafka_keys, self, error) && check(source, self, error);
}

void kafka_config_copy(KafkaConfig *copy, const KafkaConfig *self)
{
  *copy = *self;
  for (const Key *key = kafka_keys; key->name; key++) {
    char **field = (char **)((char *)copy + key->offset);
    if (key->kind == KEY_TEXT || key->kind == KEY_PATH)
      *field = g_strdup(*field);
  }
}

void kafka_config_clear(KafkaConfig *self)
{
  keys_clear(kafka_keys, self);
}

gboolean kafka_config_equal(const KafkaConfig *a, const KafkaConfig *b)
{
  g_autofree char *one = keys_fingerprint(kafka_keys, a), *other = keys_fingerprint(kafka_keys, b);
  return !strcmp(one, other);
}
