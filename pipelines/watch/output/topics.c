#include "output/topics.h"

char *topic_of_camera(const MqttConfig *config, const char *camera, const char *name)
{
  return g_strdup_printf("%s/%s/%s", config->topic, camera, name);
}

char *topic_of_state(const MqttConfig *config, const char *camera, const char *look)
{
  return look ? g_strdup_printf("%s/%s/%s/state", config->topic, camera, look)
              : topic_of_camera(config, camera, "state");
}
