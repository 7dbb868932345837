/* Finds out why a camera on the network cannot be reached. GStreamer's sources report the same
 * error for a wrong name, a wrong port and a camera that is off. */
#pragma once

#include <gio/gio.h>

#include "config/config.h"

/* Connects to the camera's port for a moment, for at most a few seconds.
 * Returns: (transfer full) (nullable): why that fails, one line; NULL if it works, if @cancellable
 * was cancelled, or if the camera is not on the network */
char *reach_explain(const CameraConfig *camera, GCancellable *cancellable);
