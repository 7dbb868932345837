/* Reads any bytes as the key file of vitgate-watch. Accepted values are within their limits. */
#include <string.h>

#include "config/config.h"
#include "fuzz.h"

static void check_look(const LookConfig *look)
{
  require(look->top_k >= 1);
  require(look->threshold >= 0 && look->threshold <= 1);
  require(look->keep_threshold >= 0 && look->keep_threshold <= look->threshold);
  require(look->state_lead >= 1 && look->interval >= 0);
}

static void check_camera(const CameraConfig *camera)
{
  require(*camera->name && !strpbrk(camera->name, "/+#\\\""));
  require(camera->url && g_str_has_prefix(strchr(camera->url, ':'), ":/"));
  require(*camera->fingerprint != '\0');
  require(camera->threads >= 1 && camera->threads <= 64);
  require(camera->interval >= 1);
  require(camera->latency_budget >= 0 && camera->latency_budget <= 60);
  require(camera->retry_min <= camera->retry_max);
  require(!camera->credentials_file || !camera->credentials_env);
  check_look(&camera->whole);
  for (guint i = 0; i < camera->looks->len; i++) {
    const LookConfig *look = camera->looks->pdata[i];
    require(look->name && !strcmp(look->camera, camera->name));
    check_look(look);
  }
}

int LLVMFuzzerTestOneInput(const guint8 *data, gsize size)
{
  const char *path = fuzz_file(data, size);
  g_autoptr(GError) error = NULL;
  g_autoptr(Config) config = config_load(path, &error);
  if (!fuzz_succeeded(config != NULL, error)) {
    require(strstr(error->message, path) != NULL);
    return 0;
  }
  require(config->cameras->len > 0);
  for (guint i = 0; i < config->cameras->len; i++)
    check_camera(config->cameras->pdata[i]);
  require(!config->mqtt.host || (config->mqtt.port >= 1 && config->mqtt.port <= 65535));
  require(config_mqtt_equal(&config->mqtt, &config->mqtt));
  return 0;
}
