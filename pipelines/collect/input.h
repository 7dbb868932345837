/* Opens a camera, clip or device, and delivers its frames with the results of vitgate:
 * uridecodebin ! queue ! videoconvert ! vitgate … ! appsink. */
#pragma once

#include <gst/video/video.h>

typedef struct {
  const char *source;          /* URL, file or device */
  const char *user, *password; /* (nullable) */
  const char *model;           /* (nullable): whose features are attached */
  const char *sort;            /* (nullable): the model whose labels are in the last result; it sees
                                  frames as it was taught */
  const char *region;          /* (nullable): as the property of vitgate */
  GstClockTime every;          /* stream time from one delivered frame to the next */
  gboolean changes;            /* frames are delivered when they have changed */
} InputOptions;

typedef struct _Input Input;

/* Starts to play.
 * Returns: (transfer full) (nullable): NULL with an error without the secrets of @source */
Input *input_new(const InputOptions *options, GError **error);

/* Waits for the next frame for a moment.
 * @ended: (out): whether the source has ended
 * Returns: (transfer full) (nullable): NULL if there is none yet, or with an error */
GstSample *input_pull(Input *input, gboolean *ended, GError **error);

/* Returns: frames decoded so far */
guint64 input_count(Input *input);

/* Returns: whether times of frames are those of a clip; FALSE: they are being made now */
gboolean input_is_clip(Input *input);

/* Returns: how frames are to be turned, as the stream's tag says */
GstVideoOrientationMethod input_get_orientation(const Input *input);

/* Frees *@input and sets it to NULL; it may be NULL. */
void input_free(Input **input);
