/* regions-fixture.h: a vitgate element that classifies regions, and frames with regions. */
#pragma once

#include "fixture.h"

#ifdef HAVE_GST_ANALYTICS
#include <gst/analytics/analytics.h>

/* Does a detector's work the other way: a car at @x. */
GstAnalyticsODMtd regions_detect(GstBuffer *frame, gint x);
#endif

/* Of the frames. */
#define REGIONS_WIDTH  101
#define REGIONS_HEIGHT 77

/* What the tests of a file work on, from regions_setup() to regions_teardown(), and what frames it
 * takes: at first NV12. */
extern GstHarness *regions_harness;
extern GstVideoInfo regions_info;

void regions_setup(void);
void regions_teardown(void);

/* An element with the test model that classifies regions. */
GstElement *regions_element(void);

/* Puts @element (transfer full) in the harness, with frames of @format. */
void regions_use(GstElement *element, GstVideoFormat format);

/* Does a detector's work. */
GstVideoRegionOfInterestMeta *regions_attach(GstBuffer *frame, const char *type, gint x, gint y,
                                             gint width, gint height);

/* Attaches a car at @x that a tracker calls @id; 0: none does. */
void regions_attach_tracked(GstBuffer *frame, gint x, gint id);

/* Of the "regions" of a frame's result: how many, and one of them. */
guint regions_count(const GstStructure *result);
const GstStructure *regions_get(const GstStructure *result, guint i);

/* Checks that two results are equal to the last bit. */
void regions_check_same(const GstStructure *a, const GstStructure *b);

void regions_check_state(const GstStructure *s, const char *state);

/* Returns: how many warnings are on the bus, the text of each of which must hold @word. */
guint regions_count_warnings(const char *word);
