/* gstvitgateoverlay.h: the element vitgateoverlay. */
#pragma once

#include <gst/base/gstbasetransform.h>

#include "common/orientation.h"
#include "overlay/drawing.h"
#include "overlay/frame-rate.h"
#include "overlay/overlay-settings.h"
#include "overlay/painter.h"

G_BEGIN_DECLS

#define GST_TYPE_VITGATE_OVERLAY (gst_vitgate_overlay_get_type())
G_DECLARE_FINAL_TYPE(GstVitgateOverlay, gst_vitgate_overlay, GST, VITGATE_OVERLAY, GstBaseTransform)

struct _GstVitgateOverlay {
  GstBaseTransform parent;

  /* Under the object lock. */
  GstVitgateOverlaySettings settings;
  guint64 frames;  /* all frames */
  guint64 drawn;   /* frames with an overlay */
  guint64 painted; /* pieces painted for them */

  /* Used by the streaming thread only, from start() to stop(). */
  GstVideoInfo info;
  GstVitgateOrientationTags orientation_tags;
  gboolean attach;     /* attach the drawing, for the sink to draw */
  gboolean unwritable; /* the last frame could not be drawn on; a warning was posted */
  GstVitgatePainter *painter;
  guint64 painter_serial; /* of the settings last passed to the painter; 0: none */
  GstVitgateFrameRate rate;
  GstVitgateHeldResults held;
  GArray *drawing;                        /* the last drawing; NULL: none */
  GstVideoOverlayComposition *attachment; /* of the last drawing; NULL: not made yet */
};

GST_ELEMENT_REGISTER_DECLARE(vitgateoverlay);

G_END_DECLS
