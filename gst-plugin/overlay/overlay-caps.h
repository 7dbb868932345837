/* overlay-caps.h: the caps of an overlay element. It blends into frames that the CPU can access, or
 * leaves the drawing to a sink that can draw overlays, whatever memory the frames are in. */
#pragma once

#include <gst/video/video.h>

G_BEGIN_DECLS

/* Caps of the element's pad templates. */
#define GST_VITGATE_OVERLAY_CAPS                                                                   \
  GST_VIDEO_CAPS_MAKE(GST_VIDEO_OVERLAY_COMPOSITION_BLEND_FORMATS)                                 \
  ";" GST_VIDEO_CAPS_MAKE_WITH_FEATURES("ANY", GST_VIDEO_FORMATS_ALL)

/* @caps: with one structure
 * Returns: whether frames of @caps carry overlays beside the pixels. */
gboolean gst_vitgate_overlay_caps_attach(const GstCaps *caps);

/* Returns: (transfer full): the caps of the other pad, for @caps of the pad with @direction. Caps
 * that leave the drawing to the sink come first. */
GstCaps *gst_vitgate_overlay_caps_transform(const GstCaps *caps, GstPadDirection direction);

/* Removes caps that leave the drawing to the sink, if the sink does not say that it draws. A sink
 * that accepts any caps does not draw.
 * @caps: (transfer full): candidates for the source pad
 * @peer: caps that the sink accepts
 * Returns: (transfer full): the remaining caps. */
GstCaps *gst_vitgate_overlay_caps_restrict(GstCaps *caps, const GstCaps *peer);

G_END_DECLS
