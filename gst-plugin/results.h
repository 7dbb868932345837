/* results.h: a result of classification, attached to a frame and posted on the bus.
 *
 * A frame carries its result in three forms. META.md documents them field by field for those
 * who read them:
 *   - one GstCustomMeta named GST_VITGATE_META, with everything;
 *   - one GstVideoRegionOfInterestMeta of the full frame with the best class as a parameter, as
 *     readers made for DL Streamer expect it;
 *   - one GstAnalyticsClsMtd with the top classes, where GStreamer has it (1.24 and later).
 * A frame without any class above the threshold carries the first form only. */
#pragma once

#include <gst/video/video.h>

#include "classifier.h"

G_BEGIN_DECLS

/* Name of the GstCustomMeta, for gst_buffer_get_custom_meta(). */
#define GST_VITGATE_META "VitgateMeta"

/* Name of the structure of element messages. */
#define GST_VITGATE_MESSAGE "vitgate"

/* A result in the words of one frame; all of it belongs to the classifier. */
typedef struct {
  const VitgateModelInfo *model;
  const VitgateResult *result;
  const char *const *labels; /* [model->n_classes] */
  const guint *indices;      /* [n] best first */
  const float *scores;       /* [n] */
  guint n;                   /* classes that passed top-k and threshold */
  guint64 age;               /* frames since the inference; 0: this frame was inferred */
} GstVitgateFrameResult;

/* When a frame is shown; GST_CLOCK_TIME_NONE where unknown. */
typedef struct {
  GstClockTime timestamp, duration, stream_time, running_time;
} GstVitgateFrameTimes;

/* When @buffer is shown, in a stream that plays @segment. */
GstVitgateFrameTimes gst_vitgate_frame_times(const GstSegment *segment, GstBuffer *buffer);

/* Makes GST_VITGATE_META known to GStreamer; once per process, before any is attached. */
void gst_vitgate_results_register(void);

/* Attaches @result to @buffer, which must be writable.
 * @width, @height: of the visible frame in pixels */
void gst_vitgate_results_attach(GstBuffer *buffer, const GstVitgateFrameResult *result, guint width,
                                guint height);

/* The results that @buffer carries, in the order in which they were attached.
 * @state: where to go on from; NULL at first
 * Returns: (transfer none) (nullable): the structure of the next one; NULL: there is no more */
const GstStructure *gst_vitgate_results_next(GstBuffer *buffer, gpointer *state);

/* Returns: (transfer full): an element message from @source with @result, its structure named
 * GST_VITGATE_MESSAGE. */
GstMessage *gst_vitgate_results_message(GstObject *source, const GstVitgateFrameResult *result,
                                        const GstVitgateFrameTimes *times);

G_END_DECLS
