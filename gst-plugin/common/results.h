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
#include <vitgate.h>

G_BEGIN_DECLS

/* Name of the GstCustomMeta, for gst_buffer_get_custom_meta(). */
#define GST_VITGATE_META "VitgateMeta"

/* Name of the structure of element messages. */
#define GST_VITGATE_MESSAGE "vitgate"

/* Type of the region that stands for a whole frame: none of a detector. */
#define GST_VITGATE_FULL_FRAME "full-frame"

/* Why a frame carries the result that it carries. */
typedef enum {
  GST_VITGATE_STATE_FRESH,     /* its own */
  GST_VITGATE_STATE_INTERVAL,  /* it lies between two inferences */
  GST_VITGATE_STATE_UNCHANGED, /* the scene has hardly changed since */
  GST_VITGATE_STATE_LATE,      /* there was no time for an inference */
  GST_VITGATE_STATE_EMPTY,     /* it holds nothing to infer */
} GstVitgateState;

/* Returns: (transfer none): as VitgateMeta tells it: "fresh", "interval" ... */
const char *gst_vitgate_state_name(GstVitgateState state);

/* A result in the words of one frame, or of a region of it; all of it belongs to the classifier. */
typedef struct {
  const VitgateModelInfo *model;
  const VitgateResult *result;
  double compute;            /* the dial that was asked of the inference */
  const char *const *labels; /* [model->n_classes] */
  const guint *indices;      /* [n] best first */
  const float *scores;       /* [n] */
  guint n;                   /* classes that passed top-k and threshold */
  guint64 age;               /* frames since the inference; 0: this frame was inferred */
  GstClockTime age_time;     /* stream time since; GST_CLOCK_TIME_NONE: unknown */
  GstVitgateState state;
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

/* The array @field of @s, a result or a region of one. Anybody may attach a meta of this name, with
 * fields of any type.
 * Returns: (transfer none) (nullable): NULL: there is no such array */
const GValue *gst_vitgate_results_get_array(const GstStructure *s, const char *field);

/* The regions of a result, in their order.
 * @i: where to go on from; 0 at first
 * Returns: (transfer none) (nullable): the next one; NULL: there is no more */
const GstStructure *gst_vitgate_results_next_region(const GstStructure *result, guint *i);

/* Returns: (transfer full): an element message from @source with @result, its structure named
 * GST_VITGATE_MESSAGE. */
GstMessage *gst_vitgate_results_message(GstObject *source, const GstVitgateFrameResult *result,
                                        const GstVitgateFrameTimes *times);

/* ---- Parts of it, for the results of regions ----------------------------------------------- */

/* Sets all fields of @result in @s. */
void gst_vitgate_results_set(GstStructure *s, const GstVitgateFrameResult *result);

/* Returns: (transfer full): the best class, of which there must be one, as a parameter of a
 * GstVideoRegionOfInterestMeta. */
GstStructure *gst_vitgate_results_new_parameter(const GstVitgateFrameResult *result);

/* Returns: (transfer full): the structure of an element message, with no fields but @times. */
GstStructure *gst_vitgate_results_new_message(const GstVitgateFrameTimes *times);

#ifdef HAVE_GST_ANALYTICS
/* Attaches the top classes, of which there must be one, as a GstAnalyticsClsMtd.
 * Returns: its number in the buffer's GstAnalyticsRelationMeta. */
guint gst_vitgate_results_attach_classes(GstBuffer *buffer, const GstVitgateFrameResult *result);
#endif

G_END_DECLS
