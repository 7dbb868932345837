/* Picks different pictures: those whose features are unlike all that were picked into the same
 * folder before. Frames come from a pipeline with an element "vitgate look=features features=true",
 * and may have the labels of another one, "look=labels". */
#pragma once

#include <gst/video/video.h>

/* Names of the two elements' results. */
#define PICKER_FEATURES "features"
#define PICKER_LABELS   "labels"

/* Of bottle-detection.mp4 and car-detection.mp4, at two pictures a second, this keeps 25 of 80 and
 * 27 of 61: each set of bottles that stands there, each car, and the empty road four times. With
 * 0.9, the table without its left bottle is missing; with 0.95, the empty road comes more often. */
#define PICKER_SIMILAR 0.93

typedef struct _Picker Picker;

/* @folder: where KNOWN_FILE is; it is opened with the first frame
 * @similar: cosine of features from which two pictures are the same, such as PICKER_SIMILAR
 * Returns: (transfer full) */
Picker *picker_new(const char *folder, double similar);

/* Looks at a frame.
 * @fresh: (out): whether it has features of its own, not those of a frame before
 * @differs: (out): whether it differs from all that is known
 * Returns: FALSE with an error */
gboolean picker_look(Picker *self, GstSample *sample, gboolean *fresh, gboolean *differs,
                     GError **error);

/* Stores the part of the frame that was looked at, as a new JPEG file. Call picker_look() with the
 * same frame before.
 * @folder: of the file, which must exist
 * @name: of the file, without its extension; if it is taken, a number is added
 * @method: how to turn the picture upright
 * Returns: FALSE with an error that names the file */
gboolean picker_keep(Picker *self, GstSample *sample, const char *folder, const char *name,
                     GstVideoOrientationMethod method, GError **error);

/* Finds the result of a look.
 * Returns: (transfer none) (nullable) */
const GstStructure *picker_find(GstBuffer *buffer, const char *look);

/* @result: (nullable)
 * Returns: whether the label is in doubt: its score is below @threshold, or it is "unknown" */
gboolean picker_is_doubtful(const GstStructure *result, double threshold);

/* Returns: (transfer full): a name of the time of day, such as 2026-11-28T21-45-03.250, by which
 * "vitgate teach" groups pictures. Parts have fixed lengths, so that names sort in time. */
char *picker_time_name(GDateTime *time);

/* Returns: number of pictures known; 0 before the first frame */
guint picker_count(const Picker *self);

/* Frees *@self and sets it to NULL; it may be NULL. */
void picker_free(Picker **self);
