/* Writes events as lines of JSON: a label appears or vanishes, a state changes, a camera connects,
 * is lost, cannot be reached or ends. Members with the same name as in vitgatejson's lines have the
 * same meaning.
 */
#pragma once

#include <glib.h>

#include "camera/sightings.h"
#include "camera/state-tracker.h"

/* @look: (nullable): NULL: the whole frame
 * @lost: whether the label vanishes because the camera is lost
 * Returns: (transfer full): a line with a newline */
char *event_sighting(const char *camera, const char *look, const Sighting *sighting, gboolean lost);

/* @look: (nullable): NULL: the whole frame
 * Returns: (transfer full): a line with a newline */
char *event_state(const char *camera, const char *look, const StateChange *change);

/* Reports that the state is unknown because the camera was lost.
 * @look: (nullable): NULL: the whole frame
 * @from: the former state
 * Returns: (transfer full): a line with a newline */
char *event_state_lost(const char *camera, const char *look, const char *from);

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
