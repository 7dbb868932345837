/* overlay-fixture.h: a vitgateoverlay element, and what it drew. */
#pragma once

#include "fixture.h"

extern GstHarness *overlay_harness;
extern GstVideoInfo overlay_info; /* of the frames that are pushed */

typedef struct {
  gint x, y, width, height;
} OverlayRectangle;

void overlay_setup(void);
void overlay_teardown(void);
void overlay_set_caps(GstVideoFormat format, guint width, guint height);

/* Lets the sink draw from now on. */
void overlay_attach(void);

/* A frame of one level of everything. */
GstBuffer *overlay_plain_frame(guint8 level);

/* Sets what vitgate tells of a frame with one label. */
void overlay_set_result(GstStructure *s, const char *label, double score, guint64 age);

/* Draws on @frame (transfer full), which gets such a result first. */
GstBuffer *overlay_draw(GstBuffer *frame, const char *label, double score, guint64 age);

/* A field of the element's statistics. */
guint64 overlay_stat(const char *field);

/* Returns: (transfer full): OverlayRectangle, where a frame that is left to the sink says that
 * something is to be drawn. */
GArray *overlay_rectangles(GstBuffer *frame);

/* Returns: (transfer full): the same for a frame with @label. */
GArray *overlay_rectangles_of(const char *label);

gboolean overlay_within(const GArray *rectangles, gint x, gint y);

/* Fails where two frames differ outside of @rectangles. */
void overlay_check_same_outside(GstBuffer *a, GstBuffer *b, const GArray *rectangles);

/* The darkest and the brightest red within @r of an RGB frame. */
void overlay_range(GstBuffer *frame, const OverlayRectangle *r, guint *darkest, guint *brightest);
