/* results.h: attaches a result to a frame, posts it on the bus, and reads it back.
 *
 * A frame carries its result in three forms, which META.md documents field by field:
 *   - one GstCustomMeta named GST_VITGATE_META, with everything;
 *   - one GstVideoRegionOfInterestMeta of the part that the model has seen, with the best class as
 *     a parameter, as readers for DL Streamer expect it;
 *   - one GstAnalyticsClsMtd with the top classes, with GStreamer 1.24 and later.
 * If no class passes the threshold, the frame carries only the first form. */
#pragma once

#include <gst/video/video.h>
#include <vitgate.h>

#include "common/token-map.h"

G_BEGIN_DECLS

/* Name of the GstCustomMeta, for gst_buffer_get_custom_meta(). */
#define GST_VITGATE_META "VitgateMeta"

/* Name of the structure in element messages. */
#define GST_VITGATE_MESSAGE "vitgate"

/* Name of the parameter that a classified region of interest gets: DL Streamer's readers name a
 * result after the output that it was classified by. No model file has another name for a
 * transformer's last layer. */
#define GST_VITGATE_LAYER     "logits"
#define GST_VITGATE_PARAMETER "classification_layer_name:" GST_VITGATE_LAYER

/* Type of the region that has the result of a frame. It does not come from a detector. */
#define GST_VITGATE_FULL_FRAME "full-frame"

/* Id of that region. With 0, readers would take it for the first detected object, which has that
 * id in DL Streamer. */
#define GST_VITGATE_FULL_FRAME_ID (-1)

/* The label of a picture of none of the classes. Its number is that of the model's classes, which
 * none of them has. */
#define GST_VITGATE_UNKNOWN "unknown"

/* Why a frame carries its result. */
typedef enum {
  GST_VITGATE_STATE_FRESH,     /* the frame was inferred */
  GST_VITGATE_STATE_INTERVAL,  /* the frame lies between two inferences */
  GST_VITGATE_STATE_UNCHANGED, /* the picture has hardly changed since the last inference */
  GST_VITGATE_STATE_LATE,      /* there was no time for an inference */
  GST_VITGATE_STATE_EMPTY,     /* the frame holds nothing to infer */
} GstVitgateState;

/* Returns: (transfer none): the name used in VitgateMeta, such as "fresh". */
const char *gst_vitgate_state_name(GstVitgateState state);

/* A result as it applies to one frame or region. The classifier owns all pointers. */
typedef struct {
  const VitgateModelInfo *model;
  const char *look; /* name of what was looked at; NULL: unnamed */
  const VitgateResult *result;
  double compute;            /* setting of the dial for the inference */
  const char *const *labels; /* [model->n_classes] */
  const guint *indices;      /* [n] the label, then the others, best first */
  const float *scores;       /* [n] */
  guint n;                   /* classes that passed top-k and threshold; 0: no label; 1 with the
                                index model->n_classes: GST_VITGATE_UNKNOWN */
  double unknown;            /* averaged score for none of the classes, if the model has one */
  const guint *raw_indices;  /* [n_raw] of the inference itself, without an average, best first */
  const float *raw_scores;   /* [n_raw] */
  guint n_raw;
  guint64 age;           /* frames since the inference; 0: this frame was inferred */
  GstClockTime age_time; /* stream time since then; GST_CLOCK_TIME_NONE: unknown */
  GstVitgateState state;
  VitgateRectangle view; /* of a frame: the part of it that the model has seen, as stored */
  guint n_views;         /* of a frame: views of it that were inferred */
  const GstVitgateTokenView *tokens; /* [n_tokens] of a frame: patches of which to attach maps */
  guint n_tokens;
  const float *features; /* [model->n_features] of a frame, to be attached; NULL: none */
} GstVitgateFrameResult;

/* When a frame is shown; GST_CLOCK_TIME_NONE if unknown. */
typedef struct {
  GstClockTime timestamp, duration, stream_time, running_time;
} GstVitgateFrameTimes;

/* Returns: when @buffer is shown in a stream that plays @segment. The running time and stream time
 * of a buffer without a timestamp are those of its arrival at @element, by the element's clock. */
GstVitgateFrameTimes gst_vitgate_frame_times(GstElement *element, const GstSegment *segment,
                                             GstBuffer *buffer);

/* Attaches @result to @buffer, which must be writable. */
void gst_vitgate_results_attach(GstBuffer *buffer, const GstVitgateFrameResult *result);

/* Iterates over the results of @buffer, in the order in which they were attached.
 * @state: position of the iteration; initialise to NULL
 * Returns: (transfer none) (nullable): the structure of the next result, or NULL at the end. */
const GstStructure *gst_vitgate_results_next(GstBuffer *buffer, gpointer *state);

/* Gets the array @field of @s, a result or a region. The type is checked, since any element may
 * attach a meta of this name with fields of any type.
 * Returns: (transfer none) (nullable): the array, or NULL if there is no such array. */
const GValue *gst_vitgate_results_get_array(const GstStructure *s, const char *field);

/* Gets the place of @s, a result or a region, in the frame as stored.
 * Returns: FALSE if it has none. */
gboolean gst_vitgate_results_get_place(const GstStructure *s, VitgateRectangle *place);

/* Iterates over the regions of a result, in their order.
 * @i: position of the iteration; initialise to 0
 * Returns: (transfer none) (nullable): the next region, or NULL at the end. */
const GstStructure *gst_vitgate_results_next_region(const GstStructure *result, guint *i);

/* Returns: (transfer full): an element message from @source with @result. Its structure is named
 * GST_VITGATE_MESSAGE. */
GstMessage *gst_vitgate_results_message(GstObject *source, const GstVitgateFrameResult *result,
                                        const GstVitgateFrameTimes *times);

/* ---- Parts shared with the results of regions ---------------------------------------------- */

/* Sets all fields of @result in @s, except for its place. */
void gst_vitgate_results_set(GstStructure *s, const GstVitgateFrameResult *result);

/* Sets "look" in @s, unless @look is NULL. */
void gst_vitgate_results_set_look(GstStructure *s, const char *look);

/* Sets "x", "y", "width" and "height" in @s. */
void gst_vitgate_results_set_place(GstStructure *s, const VitgateRectangle *place);

/* @result: must have at least one class
 * Returns: (transfer full): the best class as a parameter of a GstVideoRegionOfInterestMeta. */
GstStructure *gst_vitgate_results_new_parameter(const GstVitgateFrameResult *result);

/* Returns: (transfer full): the structure of an element message, with only @times. */
GstStructure *gst_vitgate_results_new_message(const GstVitgateFrameTimes *times);

#ifdef HAVE_GST_ANALYTICS
/* Attaches the best @n classes as a GstAnalyticsClsMtd.
 * @result: must have at least @n classes, and at least one
 * @id: (out): its id in the buffer's GstAnalyticsRelationMeta
 * Returns: FALSE if GStreamer refuses it. */
gboolean gst_vitgate_results_attach_classes(GstBuffer *buffer, const GstVitgateFrameResult *result,
                                            guint n, guint *id);
#endif

G_END_DECLS
