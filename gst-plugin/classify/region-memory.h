/* region-memory.h: what was found in the regions that a tracker follows, from frame to frame. */
#pragma once

#include "classify/regions.h"

G_BEGIN_DECLS

/* Frames that a region may be away for without being forgotten: objects pass behind each other,
 * and detectors miss one now and then. */
#define GST_VITGATE_REGION_MEMORY_FRAMES 30

/* Regions in memory from which on those that are away are forgotten at once. */
#define GST_VITGATE_REGION_MEMORY_SIZE 1024

/* A result that outlives its session's next call; reference counted. */
typedef struct {
  VitgateResult result;     /* its arrays are its own; it has no logits */
  double compute;           /* the dial that it was asked with */
  guint64 frame;            /* number of the frame that it was inferred from, */
  GstClockTime inferred_at; /* and its stream time; GST_CLOCK_TIME_NONE: unknown */
  guint8 memory[];
} GstVitgateRegionResult;

/* Returns: (transfer full): a copy of @result; the other fields are the caller's to fill. */
GstVitgateRegionResult *gst_vitgate_region_result_new(const VitgateResult *result, guint n_modules);
GstVitgateRegionResult *gst_vitgate_region_result_ref(GstVitgateRegionResult *result);
void gst_vitgate_region_result_unref(gpointer result);

typedef struct {
  GHashTable *known;
  guint64 frame; /* the present frame's number */
} GstVitgateRegionMemory;

void gst_vitgate_region_memory_init(GstVitgateRegionMemory *memory);

/* Frees what @memory holds, not @memory. */
void gst_vitgate_region_memory_clear(GstVitgateRegionMemory *memory);

/* Forgets all regions. */
void gst_vitgate_region_memory_forget(GstVitgateRegionMemory *memory);

/* Begins the next frame, and forgets the regions that are gone. */
void gst_vitgate_region_memory_next_frame(GstVitgateRegionMemory *memory);

/* The last result of the object that @region shows. Of two regions of a frame with the same type
 * and id the second is no longer taken for tracked.
 * Returns: (transfer full) (nullable): NULL: none is known */
GstVitgateRegionResult *gst_vitgate_region_memory_recall(GstVitgateRegionMemory *memory,
                                                         GstVitgateRegion *region);

/* Keeps @result for the object that @region shows, where it is tracked. */
void gst_vitgate_region_memory_keep(GstVitgateRegionMemory *memory, const GstVitgateRegion *region,
                                    GstVitgateRegionResult *result);

G_END_DECLS
