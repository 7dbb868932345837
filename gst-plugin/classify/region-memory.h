/* region-memory.h: keeps the results of tracked regions from frame to frame. */
#pragma once

#include "classify/regions.h"
#include "classify/smoothing.h"

G_BEGIN_DECLS

/* Number of frames for which a missing region is remembered: objects pass behind each other, and
 * detectors miss one now and then. */
#define GST_VITGATE_REGION_MEMORY_FRAMES 30

/* With this many regions in memory, missing ones are forgotten at once. */
#define GST_VITGATE_REGION_MEMORY_SIZE 1024

/* A copy of a result, so that it outlives the session's next call. Reference counted. */
typedef struct {
  VitgateResult result;          /* its arrays are in @memory; without logits and features */
  double compute;                /* setting of the dial */
  GstVitgateSmoothing smoothing; /* of the results of the same object up to this one */
  guint64 frame;                 /* number of the inferred frame */
  guint64 unchanged;             /* number of the last frame that looked the same; 0: none */
  GstClockTime inferred_at;      /* stream time of that frame; GST_CLOCK_TIME_NONE: unknown */
  VitgateDecision decision;      /* of the result, without marks, if it is of a stream */
  guint8 memory[];
} GstVitgateRegionResult;

/* Returns: (transfer full): a copy of @result. The caller adds the result to its smoothing, and
 * sets the other fields. */
GstVitgateRegionResult *gst_vitgate_region_result_new(const VitgateResult *result, guint n_modules);
GstVitgateRegionResult *gst_vitgate_region_result_ref(GstVitgateRegionResult *result);
void gst_vitgate_region_result_unref(gpointer result);

/* Maximum number of objects whose keys and values are kept: about 1 MB each with the default model.
 */
#define GST_VITGATE_REGION_STREAMS 16

/* How an object is followed. */
typedef struct {
  VitgateStream *stream;
  VitgateRectangle view; /* that the model saw last; empty: none */
} GstVitgateRegionTrack;

typedef struct {
  GHashTable *known;
  guint64 frame;   /* number of the current frame */
  guint n_streams; /* objects that have one */
} GstVitgateRegionMemory;

void gst_vitgate_region_memory_init(GstVitgateRegionMemory *memory);

/* Frees the contents of @memory, not @memory itself. */
void gst_vitgate_region_memory_clear(GstVitgateRegionMemory *memory);

/* Forgets all regions. */
void gst_vitgate_region_memory_forget(GstVitgateRegionMemory *memory);

/* Starts the next frame, and forgets regions that have been missing for too long. */
void gst_vitgate_region_memory_next_frame(GstVitgateRegionMemory *memory);

/* Looks up the last result of the object in @region. If two regions of a frame have the same type
 * and id, the second one is marked as not tracked.
 * Returns: (transfer full) (nullable): the result, or NULL if none is known. */
GstVitgateRegionResult *gst_vitgate_region_memory_recall(GstVitgateRegionMemory *memory,
                                                         GstVitgateRegion *region);

/* Finds the stream of the object in @region. If there are too many, the object that has been
 * missing for longest gives up its stream. Returns: (transfer none) (nullable): NULL if the region
 * is not tracked, if all streams are needed for other regions of this frame, or if out of memory.
 */
GstVitgateRegionTrack *gst_vitgate_region_memory_follow(GstVitgateRegionMemory *memory,
                                                        const GstVitgateRegion *region,
                                                        VitgateModel *model);

/* Keeps @result for the object in @region, if that is tracked. */
void gst_vitgate_region_memory_keep(GstVitgateRegionMemory *memory, const GstVitgateRegion *region,
                                    GstVitgateRegionResult *result);

G_END_DECLS
