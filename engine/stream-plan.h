/* Decides what to compute of each frame of a stream. Costs are compute ratios, counted and not
 * timed, so that a video has the same results on every run. */
#pragma once

#include "file/description.h"
#include "vitgate.h"

typedef struct {
  /* Of the model. */
  double full;                 /* cost of a full pass, all gates open */
  double update, update_patch; /* cost of an update without any patch, and of each patch */

  /* Of the stream. */
  gboolean known;     /* there is a result */
  gboolean cached;    /* there are keys and values */
  gboolean stale;     /* some are older than the last frame that changed */
  double dial;        /* when a frame was last decided on */
  gboolean moved;     /* the dial was moved since the last pass */
  gboolean expired;   /* the result must not stand any longer */
  guint still;        /* unchanged frames in a row */
  guint age;          /* frames since the last full pass */
  gboolean renewed;   /* something new stays that came with updates */
  guint calm;         /* frames since a full pass was made for that */
  double expected;    /* cost of an update: running mean over frames that changed */
  double independent; /* cost of an independent pass: running mean */
} StreamPlan;

void vitgate__stream_plan_init(StreamPlan *plan, const Description *description);

/* Forgets the stream, but not its costs. */
void vitgate__stream_plan_restart(StreamPlan *plan, const VitgateStreamOptions *options);

typedef struct {
  double dial;    /* its setting: a compute ratio */
  double change;  /* largest change of a patch */
  guint n_marked; /* patches to compute in an update */
  guint n_new;    /* patches in which something new has come to stay */
} PlanFrame;

/* Decides on a frame.
 * @reason: (out) */
VitgatePass vitgate__stream_plan_decide(StreamPlan *plan, const VitgateStreamOptions *options,
                                        const PlanFrame *frame, VitgateReason *reason);

/* Records that a pass was made, and its cost. */
void vitgate__stream_plan_record(StreamPlan *plan, VitgatePass pass, double cost);
