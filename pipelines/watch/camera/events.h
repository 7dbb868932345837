/* Writes events as lines of JSON: a label appears or vanishes, a camera connects, is lost or ends.
 * Members with the same name as in vitgatejson's lines have the same meaning. */
#pragma once

#include <glib.h>

#include "camera/sightings.h"

/* @lost: whether the label vanishes because the camera is lost
 * Returns: (transfer full): a line with a newline */
char *event_sighting(const char *camera, const Sighting *sighting, gboolean lost);

/* @event: "connected", "lost" or "ended"
 * @reason: (nullable)
 * Returns: (transfer full): a line with a newline */
char *event_camera(const char *camera, const char *event, const char *reason);
