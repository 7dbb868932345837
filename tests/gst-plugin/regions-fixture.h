/* regions-fixture.h: a vitgate element that classifies regions, and frames with regions. */
#pragma once

#include "fixture.h"

#ifdef HAVE_GST_ANALYTICS
#include <gst/analytics/analytics.h>

/* Attaches a car at @x, as a detector with GstAnalytics does. */
GstAnalyticsODMtd regions_detect(GstBuffer *frame, gint x);
#endif

/* Size of the frames. */
#define REGIONS_WIDTH  101
#define REGIONS_HEIGHT 77

/* The harness that a test uses, from regions_setup() to regions_teardown(), and the format of its
 * frames: NV12 at first. */
extern GstHarness *regions_harness;
extern GstVideoInfo regions_info;

void regions_setup(void);
void regions_teardown(void);

/* Returns: an element with the test model that classifies regions. */
GstElement *regions_element(void);

/* Puts @element (transfer full) in the harness, with frames of @format. */
void regions_use(GstElement *element, GstVideoFormat format);

/* Attaches a region, as a detector does. */
GstVideoRegionOfInterestMeta *regions_attach(GstBuffer *frame, const char *type, gint x, gint y,
                                             gint width, gint height);

/* Attaches a car at @x with the tracker's @id; 0: no id. */
void regions_attach_tracked(GstBuffer *frame, gint x, gint id);

/* Returns: the number of "regions" in a frame's result, and one of them. */
guint regions_count(const GstStructure *result);
const GstStructure *regions_get(const GstStructure *result, guint i);

/* Checks that two results are equal to the last bit. */
void regions_check_same(const GstStructure *a, const GstStructure *b);

void regions_check_state(const GstStructure *s, const char *state);

/* Returns: the number of warnings on the bus. Fails the test if one does not contain @word. */
guint regions_count_warnings(const char *word);
