/* controller.h: keeps a stream within its budget. It moves the dial, and lets frames pass without
 * an inference when even the dial's minimum is too slow. Times go in, decisions come out: it reads
 * no clock and knows no element.
 *
 * Inference time. The 95th percentile of the inferences since the dial last moved, but at most the
 * last GST_VITGATE_CONTROLLER_WINDOW, is kept within the budget; with fewer than 40, all but one
 * must be within it. If the budget is exceeded, the dial goes down at once, in proportion. If there
 * is clearly room for more, it goes up by a quarter of its range after a whole window; if such a
 * move does not last, the next move to that setting waits twice as long. If the dial's minimum is
 * too slow, inferences stop, and one is tried from time to time to see whether the machine has
 * recovered.
 *
 * Lateness of a live stream: how much later than due a frame arrives. More than the budget means
 * that a queue has built up: frames pass without an inference until lateness is down to half the
 * budget. Twice within a window means that inferences are too slow for the stream, and the dial
 * goes down. Lateness that does not shrink when frames pass at once has another cause and is
 * ignored from then on. */
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

/* Two seconds of camera video. */
#define GST_VITGATE_CONTROLLER_WINDOW 64

typedef struct {
  GstClockTime budget; /* maximum nanoseconds per inference; 0: no limit */
  double min, max;     /* range of the dial; above 0 */
} GstVitgateControllerLimits;

/* From best to worst. */
typedef enum {
  GST_VITGATE_STRATEGY_FULL,    /* the dial is where the user set it */
  GST_VITGATE_STRATEGY_REDUCED, /* the dial is lower */
  GST_VITGATE_STRATEGY_SKIP,    /* frames pass without an inference */
} GstVitgateStrategy;

typedef struct {
  GstVitgateControllerLimits limits;
  double dial; /* for the next inference */
  GstVitgateStrategy strategy;

  GstClockTime times[GST_VITGATE_CONTROLLER_WINDOW]; /* a ring */
  guint64 n_times;                                   /* inferences since the dial last moved */
  GstClockTime moved; /* running time of the first frame since then; NONE: no frame yet */
  guint n_late;       /* late frames reported by a sink, and queues, since then */

  gboolean on_trial; /* the last move was upward and has not lasted a window yet */
  double failed;     /* dial setting of the last such move that did not last; 0: none */
  guint patience;    /* windows to wait before the dial goes there again */

  GstClockTime next_try; /* when to try an inference, while they are skipped */
  guint good_tries;      /* in a row */

  GstClockTimeDiff own_lateness; /* lateness that inferences do not cause */
  gboolean draining;             /* frames pass until a queue has emptied */
  GstClockTimeDiff min_late;     /* minimum lateness since draining began */
  guint stuck;                   /* frames since that last fell */

  GstVitgateStrategy reported; /* last reported to the user */
  GstClockTime better_since; /* since when the strategy is better than reported; NONE: it is not */
} GstVitgateController;

/* Resets everything, for the start of a stream. */
void gst_vitgate_controller_reset(GstVitgateController *controller);

/* Drops everything measured so far, because another model is in use. What was last reported to the
 * user is kept. */
void gst_vitgate_controller_restart(GstVitgateController *controller);

/* Drops running times and lateness, after a flush or at the start of a new stream. Measured
 * inference times stay valid. */
void gst_vitgate_controller_flush(GstVitgateController *controller);

/* Decides whether to infer a frame.
 * @now: nanoseconds of any monotonic clock
 * @running_time: of the frame; GST_CLOCK_TIME_NONE if unknown
 * @lateness: nanoseconds by which the frame is late; 0 if unknown or not live
 * Returns: whether there is time to infer it, with the dial at @controller->dial. */
gboolean gst_vitgate_controller_admit(GstVitgateController *controller,
                                      const GstVitgateControllerLimits *limits, GstClockTime now,
                                      GstClockTime running_time, GstClockTimeDiff lateness);

/* Records how long the inference of the last admitted frame took. */
void gst_vitgate_controller_record(GstVitgateController *controller, GstClockTime now,
                                   GstClockTime processing);

/* Records that a sink reported the frame at @running_time as late. This may lower the dial, but
 * does not stop inferences, since the cause may lie elsewhere. */
void gst_vitgate_controller_record_late(GstVitgateController *controller,
                                        GstClockTime running_time);

/* Checks, after each frame, whether to report a change of strategy. A worse strategy is reported at
 * once, a better one after it has lasted a second.
 * Returns: TRUE if the strategy changed to @controller->reported, which the caller should report.
 */
gboolean gst_vitgate_controller_has_report(GstVitgateController *controller, GstClockTime now);

G_END_DECLS
