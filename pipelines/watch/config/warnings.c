#include "config/warnings.h"

static gboolean logs_in_unencrypted(const CameraConfig *camera)
{
  return (camera->credentials_file || camera->credentials_env) && !config_uses_tls(camera);
}

static void add_insecure(GPtrArray *warnings, const Config *config)
{
  for (guint i = 0; i < config->cameras->len; i++) {
    const CameraConfig *camera = config->cameras->pdata[i];
    if (camera->insecure && config_uses_tls(camera))
      g_ptr_array_add(warnings, g_strdup_printf("%s: [camera %s] insecure=true: its certificate is "
                                                "not checked; anyone can pretend to be this camera",
                                                config->path, camera->name));
  }
}

/* One line for all cameras, since many cameras have no TLS. */
static void add_unencrypted(GPtrArray *warnings, const Config *config)
{
  g_autoptr(GString) names = g_string_new(NULL);
  for (guint i = 0; i < config->cameras->len; i++) {
    const CameraConfig *camera = config->cameras->pdata[i];
    if (logs_in_unencrypted(camera))
      g_string_append_printf(names, "%s%s", names->len ? ", " : "", camera->name);
  }
  if (names->len)
    g_ptr_array_add(warnings, g_strdup_printf("%s: user and password are sent without TLS to: %s",
                                              config->path, names->str));
}

GPtrArray *config_find_warnings(const Config *config)
{
  GPtrArray *warnings = g_ptr_array_new_with_free_func(g_free);
  const MqttConfig *mqtt = &config->mqtt;
  if ((mqtt->broker.credentials_file || mqtt->broker.credentials_env) && !mqtt->broker.tls)
    g_ptr_array_add(warnings, g_strdup_printf("%s: [mqtt] user and password are sent to %s without "
                                              "TLS; set tls=true",
                                              config->path, mqtt->host));
  const KafkaConfig *kafka = &config->kafka;
  if ((kafka->broker.credentials_file || kafka->broker.credentials_env) && !kafka->broker.tls)
    g_ptr_array_add(warnings,
                    g_strdup_printf("%s: [kafka] user and password are sent to %s without "
                                    "TLS; set tls=true",
                                    config->path, kafka->brokers));
  if (config->log.file && config->log.frames_unset)
    g_ptr_array_add(warnings, g_strdup_printf("%s: [log] frames is not set; only frames whose best "
                                              "label changes are logged. Set frames=all for the "
                                              "former default, or frames=changes",
                                              config->path));
  if (config->page && !config->page->loopback && !config->page->certificate)
    g_ptr_array_add(warnings, g_strdup_printf("%s: [page] without certificate and private-key, "
                                              "anyone on the way to %s can read the password, "
                                              "cookies and pictures",
                                              config->path, config->page->listen));
  add_insecure(warnings, config);
  add_unencrypted(warnings, config);
  return warnings;
}
