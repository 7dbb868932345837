/* Makes pictures of cameras for everyone who looks. All who look at a camera in the same width
 * share one picture. Nothing is encoded while nobody looks, of a frame that was shown already, or
 * faster than the fastest viewer takes it.
 *
 * Call everything in the default main context; encoding takes place in threads. */
#pragma once

#include <gio/gio.h>

#include "camera/newest-frame.h"

#define PICTURES_PER_SECOND 10 /* at most, of each camera and width */

typedef struct _SharedPictures SharedPictures;

/* Returns: (transfer none) (nullable): NULL: there is no camera of this name */
typedef NewestFrame *(*FindFrameFunc)(const char *camera, gpointer user_data);

/* Returns: (transfer full) */
SharedPictures *shared_pictures_new(FindFrameFunc find, gpointer user_data);

/* Rounds a width up to one of a few, so that viewers can share pictures.
 * @width: 0: as the frame
 * Returns: 0: as the frame */
guint shared_pictures_round_width(guint64 width);

/* @jpeg: (nullable) (transfer none): NULL with an error: there is no frame, or it cannot be encoded
 */
typedef void (*PictureFunc)(GBytes *jpeg, const GError *error, gpointer user_data);

/* Makes a picture of the newest frame.
 * @width: as of shared_pictures_round_width()
 * @func: called once, maybe at once */
void shared_pictures_get(SharedPictures *self, const char *camera, guint width, PictureFunc func,
                         gpointer user_data);

typedef struct _Viewer Viewer;

/* @jpeg: (nullable) (transfer none): NULL: there will be no others, since the camera was removed or
 * the viewer takes none for too long
 * Returns: whether the viewer takes it; FALSE: it is still busy with an earlier one */
typedef gboolean (*ViewerFunc)(GBytes *jpeg, gpointer user_data);

/* Begins to look at a camera. While it has no frames, there are no pictures, except that the last
 * one comes again every few seconds.
 * @func: called later, until shared_pictures_unwatch()
 * Returns: (transfer none) */
Viewer *shared_pictures_watch(SharedPictures *self, const char *camera, guint width,
                              ViewerFunc func, gpointer user_data);

/* May be called by a ViewerFunc. */
void shared_pictures_unwatch(SharedPictures *self, Viewer *viewer);

/* Returns: number of pictures encoded so far */
guint64 shared_pictures_get_encoded(const SharedPictures *self);

/* Frees it after all viewers. Those who wait for a picture get an error. */
void shared_pictures_free(SharedPictures **self);
