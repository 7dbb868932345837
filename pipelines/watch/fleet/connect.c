#include "fleet/connect.h"

#include "config/credentials.h"

Etcd *fleet_connect(const FleetConfig *config, guint timeout, GCancellable *cancellable,
                    GError **error)
{
  g_autofree char *user = NULL, *password = NULL;
  g_autoptr(GError) wrong = NULL;
  if (!credentials_read(config->credentials_file, config->credentials_env, &user, &password,
                        &wrong)) {
    g_set_error_literal(error, ETCD_ERROR, ETCD_ERROR_CREDENTIALS, wrong->message);
    return NULL;
  }
  const EtcdOptions options = {
    .endpoints = (const char *const *)config->etcd,
    .ca_file = config->ca_file,
    .certificate = config->certificate,
    .key = config->key,
    .user = user,
    .password = password,
    .timeout = timeout,
    .cancellable = cancellable,
  };
  return etcd_new(&options, error);
}

char *fleet_key(const FleetConfig *config, const char *part, const char *name)
{
  return g_strdup_printf("/vitgate/%s/%s%s%s", config->name, part ? part : "", part ? "/" : "",
                         name ? name : "");
}
