/* Writes events as lines of JSON: a label appears or vanishes, a camera connects, is lost, cannot
 * be reached or ends. Members with the same name as in vitgatejson's lines have the same meaning.
 */
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

/* A camera that cannot be reached. */
typedef struct {
  const char *reason;
  gint64 since;       /* since when there are no frames, as of g_get_real_time() */
  guint attempts;     /* failed since then */
  double retry_after; /* wait before the next attempt, seconds */
} Waiting;

/* Returns: (transfer full): a line with a newline */
char *event_waiting(const char *camera, const Waiting *waiting);
