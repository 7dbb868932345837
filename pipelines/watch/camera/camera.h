/* One camera: a thread that connects, monitors the frames, and reconnects for ever. No camera can
 * delay another. */
#pragma once

#include "camera/camera-status.h"
#include "camera/live-table.h"
#include "camera/newest-frame.h"
#include "config/config.h"
#include "output/outputs.h"

typedef struct _Camera Camera;

typedef void (*CameraEndFunc)(gpointer user_data);

/* Makes a camera and starts it.
 * @owner: owns @config; a reference is taken
 * @on_end: called by the camera's thread when its file has ended */
Camera *camera_new(Config *owner, const CameraConfig *config, Outputs *outputs,
                   CameraEndFunc on_end, gpointer user_data);

/* Returns: (transfer none): its newest configuration; valid until the next camera_change_models()
 */
const CameraConfig *camera_get_config(Camera *self);

/* Sets models that the camera is to use, and returns at once. Frames continue; models that must be
 * fetched, or cannot be used, leave those before in use. If they are the same,
 * camera_check_model().
 * @owner, @config: as for camera_new(); with the same fixed_fingerprint */
void camera_change_models(Camera *self, Config *owner, const CameraConfig *config);

/* Returns: (transfer none): the newest frame that was analysed; it may outlive the camera by a
 * reference */
NewestFrame *camera_get_newest_frame(Camera *self);

/* @status: (out): free it with camera_status_clear() */
void camera_get_status(Camera *self, CameraStatus *status);

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
