/* One camera's pipeline, from one connection to its end:
 * source ! decodebin ! queue ! videoconvert ! vitgate ! vitgatejson ! appsink. */
#pragma once

#include <gst/gst.h>

#include "config/config.h"

/* @line: of vitgatejson, with its newline; @time: running time of the frame, ns. Called from a
 * streaming thread. */
typedef void (*CameraLineFunc)(const char *line, gsize length, GstClockTime time,
                               gpointer user_data);

typedef struct _CameraPipeline CameraPipeline;

/* Nothing is connected yet.
 * @user, @password: (nullable)
 * Returns: (transfer full): or NULL with an error of GStreamer's domains */
CameraPipeline *camera_pipeline_new(const CameraConfig *config, const char *user,
                                    const char *password, CameraLineFunc func, gpointer user_data,
                                    GError **error);

/* Returns: (transfer none) */
GstElement *camera_pipeline_get_element(CameraPipeline *self);

/* What an error on the bus means.
 * @hopeless: (out): whether a moment will hardly mend it: refused credentials, no video, an unknown
 * codec, a model that vitgate does not take
 * Returns: (transfer full): one line */
char *camera_pipeline_explain(CameraPipeline *self, GstMessage *message, gboolean *hopeless);

/* Returns: frames that were passed over since the last call, because inference took longer than the
 * camera */
guint64 camera_pipeline_take_skipped(CameraPipeline *self);

/* Stops the pipeline. */
void camera_pipeline_free(CameraPipeline **self);
