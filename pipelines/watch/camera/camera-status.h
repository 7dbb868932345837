/* What a camera does at the moment. */
#pragma once

#include "camera/look-watch.h"

typedef enum {
  CAMERA_CONNECTING,
  CAMERA_PLAYING,
  CAMERA_WAITING, /* for the next attempt */
  CAMERA_ENDED,   /* stopped, or a file that has ended */
} CameraState;

const char *camera_state_name(CameraState state);

typedef struct {
  CameraState state;
  guint64 frames;       /* since the program started, or the camera's keys changed */
  guint64 skipped;      /* frames dropped because inference was too slow */
  guint connects;       /* connections with at least one frame */
  gboolean whole_frame; /* it is classified */
  LookStatus whole;     /* of the whole frame; if it is not classified, only the mean of compute */
  GArray *looks;        /* of LookStatus */
  char *error;          /* (nullable): the last error */
  char *models;         /* (nullable): why the models in use are not those that are wanted */
  gint64 since;        /* of the last loss or the start, as of g_get_real_time(); 0 while playing */
  guint attempts;      /* failed since then */
  guint width, height; /* of the last frame, pixels; 0: unknown */
  double age;          /* of the last frame, seconds; negative: there was none */
  double retry_after;  /* wait before the next attempt, seconds */
} CameraStatus;

/* Adds what is seen in the looks and in the whole frame.
 * @watches: (element-type LookWatch)
 * @whole_frame: whether it is classified */
void camera_status_add_looks(CameraStatus *status, GPtrArray *watches, gboolean whole_frame);

void camera_status_clear(CameraStatus *status);
