/* One camera: a thread that connects, monitors the frames, and reconnects for ever. No camera can
 * delay another. */
#pragma once

#include "camera/live-table.h"
#include "camera/look-watch.h"
#include "camera/newest-frame.h"
#include "config/config.h"
#include "output/outputs.h"

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
  gint64 since;        /* of the last loss or the start, as of g_get_real_time(); 0 while playing */
  guint attempts;      /* failed since then */
  guint width, height; /* of the last frame, pixels; 0: unknown */
  double age;          /* of the last frame, seconds; negative: there was none */
  double retry_after;  /* wait before the next attempt, seconds */
} CameraStatus;

typedef struct _Camera Camera;

typedef void (*CameraEndFunc)(gpointer user_data);

/* Makes a camera and starts it.
 * @owner: owns @config; a reference is taken
 * @on_end: called by the camera's thread when its file has ended */
Camera *camera_new(Config *owner, const CameraConfig *config, Outputs *outputs,
                   CameraEndFunc on_end, gpointer user_data);

const CameraConfig *camera_get_config(Camera *self);

/* Returns: (transfer none): the newest frame that was analysed; it may outlive the camera by a
 * reference */
NewestFrame *camera_get_newest_frame(Camera *self);

/* @status: (out): free it with camera_status_clear() */
void camera_get_status(Camera *self, CameraStatus *status);
void camera_status_clear(CameraStatus *status);

/* Returns: (transfer none): its settings that can change while it plays */
LiveTable *camera_get_live(Camera *self);

/* Asks the camera to load its model again if the model file, a file beside it or the file with
 * labels has changed, and returns at once. Frames continue. */
void camera_check_model(Camera *self);

/* Asks the camera to stop, and returns at once. */
void camera_stop(Camera *self);

/* Stops and frees the camera.
 * @end: how long to wait, as monotonic time
 * Returns: FALSE if it still hangs in a driver or a library then; it is not freed */
gboolean camera_free(Camera **self, gint64 end);
