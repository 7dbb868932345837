/* gstvitgateoverlay.h: the element vitgateoverlay. */
#pragma once

#include <gst/base/gstbasetransform.h>

#include "overlay/drawing.h"
#include "overlay/frame-rate.h"
#include "overlay/painter.h"

G_BEGIN_DECLS

#define GST_TYPE_VITGATE_OVERLAY (gst_vitgate_overlay_get_type())
G_DECLARE_FINAL_TYPE(GstVitgateOverlay, gst_vitgate_overlay, GST, VITGATE_OVERLAY, GstBaseTransform)

/* What the user sets. */
typedef struct {
  GstVitgateCorner corner;
  double text_size;           /* relative to the frame */
  PangoFontDescription *font; /* its size counts where it has one */
  guint top_k;
  GstVitgateColors colors;
  guint32 region_color;
  guint64 serial; /* another one with each change */
} GstVitgateOverlaySettings;

struct _GstVitgateOverlay {
  GstBaseTransform parent;

  /* Under the object lock. */
  GstVitgateOverlaySettings settings;
  guint64 frames;  /* seen */
  guint64 drawn;   /* of these, with something on them */
  guint64 painted; /* pieces that had to be painted for them */

  /* Of the streaming thread, from start() to stop(). */
  GstVideoInfo info;
  gboolean attach;     /* the sink draws */
  gboolean unwritable; /* the last frame was, and a warning told so */
  GstVitgatePainter *painter;
  guint64 painter_serial; /* of the settings that the painter knows; 0: none */
  GstVitgateFrameRate rate;
  GArray *drawing;                        /* the last one; NULL: none */
  GstVideoOverlayComposition *attachment; /* of the last drawing; NULL: not made yet */
};

GST_ELEMENT_REGISTER_DECLARE(vitgateoverlay);

G_END_DECLS
