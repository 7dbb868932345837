/* overlay-fixture.h: a vitgateoverlay element and its drawings. */
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

/* Makes the sink accept overlays, so that drawing is left to it. */
void overlay_attach(void);

/* Returns: a frame whose bytes are all @level. */
GstBuffer *overlay_plain_frame(guint8 level);

/* Sets the fields that vitgate sets for a frame with one label. */
void overlay_set_result(GstStructure *s, const char *label, double score, guint64 age);

/* Attaches such a result to @frame (transfer full) and draws on it. */
GstBuffer *overlay_draw(GstBuffer *frame, const char *label, double score, guint64 age);

/* Returns: a field of the element's statistics. */
guint64 overlay_stat(const char *field);

/* Returns: (transfer full): an array of OverlayRectangle: where the sink is to draw on @frame. */
GArray *overlay_rectangles(GstBuffer *frame);

/* Returns: (transfer full): the same for a frame with @label. */
GArray *overlay_rectangles_of(const char *label);

gboolean overlay_within(const GArray *rectangles, gint x, gint y);

/* Fails the test if two frames differ outside @rectangles. */
void overlay_check_same_outside(GstBuffer *a, GstBuffer *b, const GArray *rectangles);

/* Gets the minimum and maximum red within @r of an RGB frame. */
void overlay_range(GstBuffer *frame, const OverlayRectangle *r, guint *darkest, guint *brightest);
