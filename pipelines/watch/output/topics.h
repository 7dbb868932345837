/* Names of MQTT topics. */
#pragma once

#include "config/config.h"

/* Returns: (transfer full): TOPIC/CAMERA/NAME
 * @name: such as "event", "frame", "status" or "image" */
char *topic_of_camera(const MqttConfig *config, const char *camera, const char *name);

/* @look: (nullable): NULL: the whole frame
 * Returns: (transfer full): TOPIC/CAMERA/LOOK/state, or TOPIC/CAMERA/state */
char *topic_of_state(const MqttConfig *config, const char *camera, const char *look);
