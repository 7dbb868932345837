/* smoothing.h: averages class probabilities, and the score for pictures of none of the classes,
 * over time, and keeps labels steady.
 *
 * The average is exponential in the stream's time. Until it has run for a time constant, each
 * result counts the same, so that the first one does not outweigh the others.
 *
 * A class is shown from the threshold on. Once it has fallen below it, it must exceed the threshold
 * by the hysteresis to be shown again. The best label changes only if another shown class leads it
 * by the hysteresis. The score for none of the classes is compared with its threshold in the same
 * way. */
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

typedef struct {
  double time_constant; /* seconds; 0: probabilities are not averaged */
  double hysteresis;    /* difference of probabilities */
} GstVitgateSmoothingOptions;

/* What is shown. */
typedef struct {
  double hysteresis;       /* difference of probabilities */
  float threshold;         /* minimum probability of a class */
  const float *thresholds; /* [n_classes] of each class instead; NULL: none */
  float unknown;           /* minimum score of a picture of none of the classes; 0: there is none */
} GstVitgateSmoothingLimits;

/* When a frame is shown. */
typedef struct {
  GstClockTime time;           /* stream time; GST_CLOCK_TIME_NONE: unknown */
  GstClockTime frame_duration; /* used if a time is unknown; 0: unknown too */
  guint64 frame;               /* number of the frame */
  gboolean backwards;          /* the stream plays backwards */
  gboolean discontinuous;      /* frames may be missing before this one */
} GstVitgateSmoothingMoment;

typedef struct {
  guint n_classes;
  float *mean;   /* [n_classes] averaged probabilities */
  guint8 *shown; /* [n_classes] whether the class is shown, or was */
  float unknown; /* averaged score for none of the classes */
  guint8 unknown_shown;
  guint64 n;                        /* results since the last restart; 0: none */
  gint best;                        /* the steady best class; -1: none */
  GstVitgateSmoothingLimits limits; /* that they were decided with */
  GstVitgateSmoothingMoment last;
} GstVitgateSmoothing;

/* Returns: bytes of memory for gst_vitgate_smoothing_init(). */
gsize gst_vitgate_smoothing_size(guint n_classes);

/* Starts without a result.
 * @memory: gst_vitgate_smoothing_size() bytes, aligned for floats; used as long as @smoothing is */
void gst_vitgate_smoothing_init(GstVitgateSmoothing *smoothing, guint n_classes, gpointer memory);

/* Forgets all results, for example after a cut. */
void gst_vitgate_smoothing_restart(GstVitgateSmoothing *smoothing);

/* Copies @from to @to, which has the same number of classes. */
void gst_vitgate_smoothing_copy(GstVitgateSmoothing *to, const GstVitgateSmoothing *from);

/* Adds the result of the frame at @moment. Restarts first if the time since the last one is
 * unknown, if the stream has jumped back, or if more than a second, and more than the time
 * constant, is missing.
 * @probabilities: [n_classes]
 * @unknown: the score for none of the classes */
void gst_vitgate_smoothing_add(GstVitgateSmoothing *smoothing,
                               const GstVitgateSmoothingOptions *options,
                               const GstVitgateSmoothingMoment *moment, const float *probabilities,
                               float unknown);

/* Decides which classes are shown, which is the best label, and whether it is none of them. The
 * result of the same averages is the same, so a frame with an old result may call this again. A new
 * threshold counts at once. */
void gst_vitgate_smoothing_choose(GstVitgateSmoothing *smoothing,
                                  const GstVitgateSmoothingLimits *limits);

/* Returns: whether the picture is of none of the classes, as last decided. */
gboolean gst_vitgate_smoothing_is_unknown(const GstVitgateSmoothing *smoothing);

/* Returns: whether class @i is shown, as last decided. */
gboolean gst_vitgate_smoothing_is_shown(const GstVitgateSmoothing *smoothing, guint i);

G_END_DECLS
