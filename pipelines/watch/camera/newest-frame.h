/* Keeps the newest frame of a camera that was analysed, for pictures of it, if somebody wants them.
 * A frame costs a reference and no copy; one buffer of the decoder's pool is held at a time. It
 * lives as long as its camera, over all connections. May be called from any thread. */
#pragma once

#include <gst/gst.h>

typedef struct _NewestFrame NewestFrame;

/* Returns: (transfer full) */
NewestFrame *newest_frame_new(void);

NewestFrame *newest_frame_ref(NewestFrame *self);
void newest_frame_unref(NewestFrame *self);

/* @wanted: whether frames are kept; not at first */
void newest_frame_set_wanted(NewestFrame *self, gboolean wanted);

/* Keeps the newest buffer that passes from now on, while frames are wanted. Nothing behind the pad
 * may write to buffers: it would have to copy those that are kept.
 * @pad: for raw video */
void newest_frame_watch(NewestFrame *self, GstPad *pad);

/* Drops the frame, since a device is closed only once it has all of its buffers back, and keeps no
 * other until newest_frame_watch(). */
void newest_frame_stop(NewestFrame *self);

/* Returns: (transfer full) (nullable): buffer and caps, as the camera sends them; NULL: there is
 * none. Free it soon: it holds a buffer of the decoder's pool */
GstSample *newest_frame_get(NewestFrame *self);

/* Returns: a number that grows with each frame, and when the frame is dropped */
guint64 newest_frame_get_count(NewestFrame *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(NewestFrame, newest_frame_unref)
