/* Changes the colours of a frame to those of JPEG files (JFIF): the matrix of BT.601, full range.
 *
 * GstVideoConverter is slow at that, and leaves it out for some pairs of formats. */
#pragma once

#include <gst/video/video.h>

/* Changes the frame in place.
 * @frame: mapped for writing, I420, with an even width and height */
void jfif_colours_apply(GstVideoFrame *frame);
