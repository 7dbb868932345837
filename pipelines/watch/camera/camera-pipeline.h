/* One camera's pipeline, for one connection:
 * source ! decodebin ! queue ! videoconvert ! vitgate ! vitgatejson ! appsink, with a
 * vitgate for each look. */
#pragma once

#include <gst/gst.h>

#include "camera/analysis.h"
#include "camera/newest-frame.h"
#include "config/config.h"

/* Called from a streaming thread for each frame.
 * @line: from vitgatejson, with its newline
 * @time: running time of the frame, ns */
typedef void (*CameraLineFunc)(const char *line, gsize length, GstClockTime time,
                               gpointer user_data);

typedef struct _CameraPipeline CameraPipeline;

/* Makes a pipeline, which does not connect yet.
 * @user, @password: (nullable)
 * @newest: (nullable): keeps the pipeline's newest analysed frame, until the pipeline is freed
 * Returns: (transfer full) (nullable): NULL with an error of GStreamer's domains */
CameraPipeline *camera_pipeline_new(const CameraConfig *config, const char *user,
                                    const char *password, NewestFrame *newest, CameraLineFunc func,
                                    gpointer user_data, GError **error);

/* Returns: (transfer none) */
GstElement *camera_pipeline_get_element(CameraPipeline *self);

/* Explains an error message from the bus.
 * @hopeless: (out): whether the error will not pass soon: refused credentials, no video, an unknown
 * codec, a model that vitgate does not accept
 * Returns: (transfer full): one line */
char *camera_pipeline_explain(CameraPipeline *self, GstMessage *message, gboolean *hopeless);

/* Returns: frames dropped since the last call because inference was slower than the camera */
guint64 camera_pipeline_take_skipped(CameraPipeline *self);

/* Loads models again, in the background, if their files have changed since they were loaded.
 * Returns: whether any has changed */
gboolean camera_pipeline_check_models(CameraPipeline *self);

/* Loads other models in the background; frames continue.
 * @config: of the same camera, with other models; must live as long */
void camera_pipeline_set_models(CameraPipeline *self, const CameraConfig *config);

/* Returns: (transfer none): its elements vitgate */
Analysis *camera_pipeline_get_analysis(CameraPipeline *self);

/* Stops and frees the pipeline. */
void camera_pipeline_free(CameraPipeline **self);
