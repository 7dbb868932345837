/* overlay-caps.h: between which caps an overlay stands: it blends into frames that the CPU can
 * reach, or leaves the drawing to a sink that can, in whatever memory the frames are. */
#pragma once

#include <gst/video/video.h>

G_BEGIN_DECLS

/* Pad templates of an element that does so. */
#define GST_VITGATE_OVERLAY_CAPS                                                                   \
  GST_VIDEO_CAPS_MAKE(GST_VIDEO_OVERLAY_COMPOSITION_BLEND_FORMATS)                                 \
  ";" GST_VIDEO_CAPS_MAKE_WITH_FEATURES("ANY", GST_VIDEO_FORMATS_ALL)

/* Whether frames of @caps, of one structure, carry overlays beside the pixels. */
gboolean gst_vitgate_overlay_caps_attach(const GstCaps *caps);

/* Returns: (transfer full): caps of the other pad for @caps of the one that looks in @direction;
 * drawing is left to the sink by preference. */
GstCaps *gst_vitgate_overlay_caps_transform(const GstCaps *caps, GstPadDirection direction);

/* Returns: (transfer full): of @caps (transfer full), candidates for the source pad, those in
 * which the drawing is not left to whoever takes just @peer. A sink that takes anything draws
 * nothing. */
GstCaps *gst_vitgate_overlay_caps_restrict(GstCaps *caps, const GstCaps *peer);

G_END_DECLS
