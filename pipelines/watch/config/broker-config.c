#include "config/broker-config.h"

#include "config/checks.h"
#include "config/credentials.h"

#define OFFSET(field) G_STRUCT_OFFSET(BrokerConfig, field)

const Key broker_keys[] = {
  { "tls", KEY_SWITCH, OFFSET(tls) },
  { "ca-file", KEY_PATH, OFFSET(ca_file) },
  { "client-certificate", KEY_PATH, OFFSET(client_certificate) },
  { "client-key", KEY_PATH, OFFSET(client_key) },
  { "credentials-file", KEY_PATH, OFFSET(credentials_file) },
  { "credentials-env", KEY_TEXT, OFFSET(credentials_env) },
  { "client-id", KEY_TEXT, OFFSET(client_id) },
  { "spool", KEY_PATH, OFFSET(spool) },
  { "spool-size", KEY_SIZE, OFFSET(spool_size), 16384, 1099511627776.0 },
  { "frames", KEY_CHOICE, OFFSET(frames), .choices = frame_line_names },
  { "retry-least", KEY_SECONDS, OFFSET(retry_min), 0.01, DAY },
  { "retry-most", KEY_SECONDS, OFFSET(retry_max), 0.01, DAY },
  { NULL },
};

const BrokerConfig broker_defaults = { .spool_size = 64 << 20, .retry_min = 1, .retry_max = 60 };

static gboolean check_tls(const BrokerConfig *self, const KeySource *source, const char *group,
                          GError **error)
{
  const char *key = self->ca_file              ? "ca-file"
                    : self->client_certificate ? "client-certificate"
                    : self->client_key         ? "client-key"
                                               : NULL;
  g_autoptr(GError) wrong = NULL;
  if (key && !self->tls)
    return key_fail(source, group, key, error, "is set, but tls is not true");
  if (!self->client_certificate != !self->client_key)
    return key_fail(source, group, key, error, "client-certificate and client-key need each other");
  if (self->client_key && !credentials_check_file(self->client_key, &wrong))
    return key_fail(source, group, "client-key", error, "%s", wrong->message);
  return check_readable(source, group, "ca-file", self->ca_file, error) &&
         check_readable(source, group, "client-certificate", self->client_certificate, error);
}

gboolean broker_config_check(const BrokerConfig *self, const KeySource *source, const char *group,
                             GError **error)
{
  if (!self->spool)
    return key_fail(source, group, "spool", error, "is missing (a folder for waiting messages)");
  return check_tls(self, source, group, error) &&
         check_retries(source, group, self->retry_min, self->retry_max, error) &&
         check_credentials(source, group, self->credentials_file, self->credentials_env, error) &&
         check_writable(source, group, "spool", self->spool, self->spool, error);
}

void broker_config_copy(BrokerConfig *copy, const BrokerConfig *self)
{
  keys_copy(broker_keys, copy, self, sizeof *self);
}

void broker_config_clear(BrokerConfig *self)
{
  keys_clear(broker_keys, self);
}
