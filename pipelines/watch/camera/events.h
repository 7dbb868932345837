/* Lines that are not a frame's: a label appears or vanishes, a camera comes or goes. Members that
 * vitgatejson's lines have as well mean the same. */
#pragma once

#include <glib.h>

#include "camera/sightings.h"

/* @lost: whether the label vanishes because the camera does
 * Returns: (transfer full): a line with its newline */
char *event_sighting(const char *camera, const Sighting *sighting, gboolean lost);

/* @event: "connected", "lost" or "ended"
 * @reason: (nullable)
 * Returns: (transfer full): a line with its newline */
char *event_camera(const char *camera, const char *event, const char *reason);
