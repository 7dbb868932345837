/* One camera: a thread that connects, watches over its frames, and connects again, for ever. What
 * happens to one camera holds up no other. */
#pragma once

#include "config/config.h"
#include "output/outputs.h"

typedef enum {
  CAMERA_CONNECTING,
  CAMERA_PLAYING,
  CAMERA_WAITING, /* for the next attempt */
  CAMERA_ENDED,   /* stopped, or a file that is over */
} CameraState;

const char *camera_state_name(CameraState state);

typedef struct {
  CameraState state;
  guint64 frames;  /* since the program started, or the camera's keys changed */
  guint64 skipped; /* that inference did not come to */
  guint connects;  /* connections that gave frames */
  char *label;     /* (nullable): the best of the last frame */
  double score;
  char *error;        /* (nullable): the last one */
  double retry_after; /* seconds, while waiting */
} CameraStatus;

typedef struct _Camera Camera;

typedef void (*CameraEndFunc)(gpointer user_data);

/* Starts at once.
 * @owner: keeps @config
 * @on_end: called by the camera's thread once its file is over */
Camera *camera_new(Config *owner, const CameraConfig *config, Outputs *outputs,
                   CameraEndFunc on_end, gpointer user_data);

const CameraConfig *camera_get_config(Camera *self);

/* @status: takes camera_status_clear() */
void camera_get_status(Camera *self, CameraStatus *status);
void camera_status_clear(CameraStatus *status);

/* Asks it to stop, and returns at once. */
void camera_stop(Camera *self);

/* Stops it.
 * Returns: FALSE where it still hangs in a driver or a library after ten seconds; it is left to
 * itself then */
gboolean camera_free(Camera **self);
