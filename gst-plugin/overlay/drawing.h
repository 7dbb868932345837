/* drawing.h: what an overlay shows of a frame's results, and where. */
#pragma once

#include "overlay/blend.h"
#include "overlay/painter.h"

G_BEGIN_DECLS

/* The corner where the frame's own results are stacked. */
typedef enum {
  GST_VITGATE_TOP_LEFT,
  GST_VITGATE_TOP_RIGHT,
  GST_VITGATE_BOTTOM_LEFT,
  GST_VITGATE_BOTTOM_RIGHT,
} GstVitgateCorner;

/* Regions that are drawn of one frame at the most: more are no picture any longer. */
#define GST_VITGATE_DRAWING_MAX_REGIONS 256

typedef struct {
  GstVitgatePainter *painter;
  GstVitgateCorner corner;
  guint top_k;        /* labels of the frame at the most */
  guint32 region;     /* color of a region's edge */
  gint width, height; /* of the frame */
  double rate;        /* frames per second; 0: unknown */
} GstVitgateDrawingStyle;

/* Places all that is to be seen of the results that @buffer carries.
 * Returns: (transfer full): GstVitgatePlacement, in the order in which they are to be drawn; empty
 * where @buffer carries no results. */
GArray *gst_vitgate_drawing_new(const GstVitgateDrawingStyle *style, GstBuffer *buffer);

/* Whether two drawings look the same. */
gboolean gst_vitgate_drawing_equal(const GArray *a, const GArray *b);

G_END_DECLS
