/* attached.h: results as vitgate attaches them, made up by the test. */
#pragma once

#include <gst/check/gstharness.h>

/* Plays a new @element of the plugin in a harness, with a bus of its own. */
GstHarness *attached_harness(const char *element);

/* A class as it stands in a result. */
typedef struct {
  const char *label;
  guint index;
  double score;
} AttachedClass;

/* Adds a VitgateMeta to @frame, which must be writable.
 * Returns: (transfer none): its structure, empty, to be filled. */
GstStructure *attached_result(GstBuffer *frame);

/* Sets label, index, score, n-results, labels, indices and scores to @classes, best first. */
void attached_classes(GstStructure *s, const AttachedClass *classes, guint n);

/* The same for one class with a score of 0.5. */
void attached_label(GstStructure *s, const char *label);

/* A frame of 4 bytes that carries the one result attached_label() makes; NULL: no result. */
GstBuffer *attached_frame(const char *label);

/* Returns: (transfer full): a region with a place and, unless it is NULL, a label; @id: -1 is none
 */
GstStructure *attached_region(guint x, guint y, guint width, guint height, gint id,
                              const char *label);

/* Sets the regions of a result, @regions (transfer full), ended by NULL. */
void attached_regions(GstStructure *s, GstStructure *region, ...) G_GNUC_NULL_TERMINATED;
