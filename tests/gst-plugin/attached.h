/* attached.h: attaches results as vitgate does, with values chosen by the test. */
#pragma once

#include <gst/check/gstharness.h>

/* Plays a new @element of the plugin in a harness, with a bus of its own. */
GstHarness *attached_harness(const char *element);

/* A class of a result. */
typedef struct {
  const char *label;
  guint index;
  double score;
} AttachedClass;

/* Adds a VitgateMeta to @frame, which must be writable.
 * Returns: (transfer none): its empty structure. */
GstStructure *attached_result(GstBuffer *frame);

/* Sets label, index, score, n-results, labels, indices and scores to @classes, best first. */
void attached_classes(GstStructure *s, const AttachedClass *classes, guint n);

/* Sets the raw fields to @classes, best first: at least one. */
void attached_raw(GstStructure *s, const AttachedClass *classes, guint n);

/* Sets these fields to one class with a score of 0.5. */
void attached_label(GstStructure *s, const char *label);

/* Returns: (transfer full): a frame of 4 bytes with the result of attached_label(), or without one
 * if
 * @label is NULL. */
GstBuffer *attached_frame(const char *label);

/* @id: -1: none
 * @label: (nullable)
 * Returns: (transfer full): a region */
GstStructure *attached_region(guint x, guint y, guint width, guint height, gint id,
                              const char *label);

/* Sets the regions of a result. @region and the following ones are (transfer full), ended by NULL.
 */
void attached_regions(GstStructure *s, GstStructure *region, ...) G_GNUC_NULL_TERMINATED;
