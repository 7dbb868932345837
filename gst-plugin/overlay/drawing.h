/* drawing.h: decides what an overlay shows of a frame's results, and where. */
#pragma once

#include "overlay/blend.h"
#include "overlay/held-results.h"
#include "overlay/painter.h"

G_BEGIN_DECLS

/* The corner where the frame's own results are stacked. */
typedef enum {
  GST_VITGATE_TOP_LEFT,
  GST_VITGATE_TOP_RIGHT,
  GST_VITGATE_BOTTOM_LEFT,
  GST_VITGATE_BOTTOM_RIGHT,
} GstVitgateCorner;

/* Maximum number of regions drawn on a frame; with more, the picture would be unreadable. */
#define GST_VITGATE_DRAWING_MAX_REGIONS 256

typedef struct {
  GstVitgatePainter *painter;
  GstVitgateCorner corner;
  guint top_k;        /* maximum number of the frame's labels */
  guint32 region;     /* color of a region's edge */
  gint width, height; /* of the frame when it is upright, as the painter's orientation says */
  double rate;        /* frames per second; 0: unknown, or not shown */
  gboolean bar;       /* show the compute ratio */
  gboolean state;     /* show age and state */
  gboolean tokens;    /* show how many modules ran for each patch */
  GstVitgateHeldResults *held;
  GstClockTime time; /* stream time of the frame; GST_CLOCK_TIME_NONE: unknown */
} GstVitgateDrawingStyle;

/* Places everything to be drawn for the results of @buffer.
 * Returns: (transfer full): an array of GstVitgatePlacement, in drawing order; empty if @buffer
 * carries no results. */
GArray *gst_vitgate_drawing_new(const GstVitgateDrawingStyle *style, GstBuffer *buffer);

/* Returns: whether two drawings look the same. */
gboolean gst_vitgate_drawing_equal(const GArray *a, const GArray *b);

G_END_DECLS
