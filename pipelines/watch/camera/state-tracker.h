/* Follows the state of a scene, such as "open" or "closed", by the probabilities of its classes
 * over some time. One odd frame changes nothing. */
#pragma once

#include <glib.h>

#include "camera/sightings.h"

/* The label of a frame that shows none of the model's classes, and the state of a scene that shows
 * none for some time. */
#define UNKNOWN "unknown"

typedef struct {
  const char *from; /* (nullable): NULL: the first state */
  const char *to;   /* a class, as the user or the model wrote it, or UNKNOWN */
  double score;     /* geometric mean of its probability; negative for UNKNOWN */
  guint64 since;    /* first of the consecutive frames that show it, ns */
} StateChange;

typedef void (*StateFunc)(const StateChange *change, gpointer user_data);

typedef struct {
  double threshold;     /* minimum probability of a frame's best class */
  double lead;          /* how many times as probable as the state another class must be */
  guint64 window;       /* over which probabilities are averaged, ns; 0: each frame by itself */
  guint64 vanish_after; /* time without a known class until the state is UNKNOWN, ns */
} StateOptions;

typedef struct _StateTracker StateTracker;

/* @states: (nullable): the labels that are states, each as for sightings_new(); NULL: all that are
 * seen
 * Returns: (transfer full) */
StateTracker *state_tracker_new(char *const *states, const StateOptions *options, StateFunc func,
                                gpointer user_data);

/* Adds a frame that was looked at.
 * @time: of the frame, ns; if it goes back, the average starts again, and the state stays
 * @classes: of the model; those that are missing are taken for impossible */
void state_tracker_see(StateTracker *self, guint64 time, const SeenClass *classes, guint n);

void state_tracker_set_threshold(StateTracker *self, double threshold);

/* Starts another stream: the average starts again, and the state stays. */
void state_tracker_restart(StateTracker *self);

/* Makes the state UNKNOWN unless it is, or there is none yet.
 * Returns: (transfer full) (nullable): the former state; NULL if nothing has changed */
char *state_tracker_lose(StateTracker *self);

/* Returns: (transfer none) (nullable): NULL: none yet */
const char *state_tracker_get(const StateTracker *self);

void state_tracker_free(StateTracker **self);
