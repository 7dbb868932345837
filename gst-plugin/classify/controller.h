/* controller.h: keeps a stream within its time: turns the dial, and when even the least is too
 * slow lets frames pass without an inference. Times go in, decisions come out: it reads no clock
 * and knows no element.
 *
 * What an inference takes. The 95th percentile over the last GST_VITGATE_CONTROLLER_WINDOW
 * inferences since the dial last moved is kept within the budget; of fewer than 40, all but one
 * must hold. Beyond it the dial goes down at once, in proportion. Where there is clearly room for
 * more it goes up a quarter of its way after a whole window; a move that does not last makes the
 * next one up to there wait twice as long. Where the dial's least is too slow inferences stop, and
 * single ones try from time to time whether the machine has come back.
 *
 * Lateness of a live stream: how much later than it should a frame reaches us. More than the
 * budget means that a queue has built up: frames pass without an inference until half the budget
 * is left of it. Twice within a window means that inferences are too slow for the stream, and the
 * dial goes down. Lateness that does not shrink when frames pass at once is none of our making and
 * counts no more. */
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

/* Two seconds of camera video. */
#define GST_VITGATE_CONTROLLER_WINDOW 64

typedef struct {
  GstClockTime budget; /* that an inference may take, nanoseconds; 0: as long as it takes */
  double least, most;  /* where the dial may be; above 0 */
} GstVitgateControllerLimits;

/* From best to worst. */
typedef enum {
  GST_VITGATE_STRATEGY_FULL,    /* the dial is where the user wants it */
  GST_VITGATE_STRATEGY_REDUCED, /* it is below */
  GST_VITGATE_STRATEGY_SKIP,    /* frames pass without an inference */
} GstVitgateStrategy;

typedef struct {
  GstVitgateControllerLimits limits;
  double dial; /* for the next inference */
  GstVitgateStrategy strategy;

  GstClockTime times[GST_VITGATE_CONTROLLER_WINDOW]; /* a ring */
  guint64 n_times;                                   /* inferences since the dial last moved */
  GstClockTime moved; /* running time of the first frame since then; NONE: not yet there */
  guint lacks;        /* late frames that a sink told of, and queues, since then */

  gboolean on_trial; /* the last move was upward and has not lasted a window yet */
  double failed;     /* where the dial was when such a move did not last; 0: none */
  guint patience;    /* windows to wait before it goes there again */

  GstClockTime next_try; /* of an inference, while they are skipped */
  guint good_tries;      /* in a row */

  GstClockTimeDiff own_lateness; /* the stream's own, not to be held against us */
  gboolean draining;
  GstClockTimeDiff least_late; /* since draining began */
  guint stuck;                 /* frames since that last fell */

  GstVitgateStrategy told;
  GstClockTime better_since; /* than told; NONE: it is not */
} GstVitgateController;

/* As at the start of a stream. */
void gst_vitgate_controller_reset(GstVitgateController *controller);

/* Another model: all that was learned counts no more, but the user was told what he was told. */
void gst_vitgate_controller_restart(GstVitgateController *controller);

/* After a flush or in a new stream: running times begin anew, the machine is the same. */
void gst_vitgate_controller_flush(GstVitgateController *controller);

/* Decides about a frame.
 * @now: nanoseconds of any clock that only goes forward
 * @running_time: the frame's; GST_CLOCK_TIME_NONE where unknown
 * @lateness: nanoseconds by which the frame came too late; 0 where unknown or not live
 * Returns: whether there is time to infer it, with the dial at @controller->dial. */
gboolean gst_vitgate_controller_admit(GstVitgateController *controller,
                                      const GstVitgateControllerLimits *limits, GstClockTime now,
                                      GstClockTime running_time, GstClockTimeDiff lateness);

/* Tells how long the inference of the frame just admitted took. */
void gst_vitgate_controller_note(GstVitgateController *controller, GstClockTime now,
                                 GstClockTime processing);

/* Tells that a sink got the frame of @running_time too late. Lowers the dial; as it may be somebody
 * else's doing it stops no inferences. */
void gst_vitgate_controller_lack(GstVitgateController *controller, GstClockTime running_time);

/* To be asked after each frame. What is worse is news at once, what is better once it has lasted a
 * second.
 * Returns: TRUE where the user should hear that the strategy now is @controller->told. */
gboolean gst_vitgate_controller_news(GstVitgateController *controller, GstClockTime now);

G_END_DECLS
