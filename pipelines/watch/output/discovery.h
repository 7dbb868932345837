/* Home Assistant's MQTT discovery: retained messages that describe each camera as a device, with
 * its labels, scores, states and events. Home Assistant finds them by itself. */
#pragma once

#include "config/config.h"

/* Returns: whether there are pictures of cameras: snapshots of the page */
gboolean discovery_has_pictures(const Config *config);

/* Adds the messages of all cameras.
 * @messages: of char *: payloads by topic; owns both */
void discovery_add(const Config *config, GHashTable *messages);
