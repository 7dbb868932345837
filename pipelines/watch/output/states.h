/* The last states of all looks, as retained messages. Any thread may call these functions. */
#pragma once

#include <glib.h>

/* What a look of a camera shows now. */
typedef struct {
  const char *look;  /* (nullable): NULL: the whole frame */
  const char *label; /* (nullable): best label of the last frame */
  double score;      /* of the label */
  const char *state; /* (nullable) */
  char **present;    /* (nullable): labels of interest that are present */
} LookState;

typedef struct _States States;

/* Returns: (transfer full) */
States *states_new(void);

/* Takes what a look shows. A new label, state or label of interest is a message at once; the score
 * alone is one only every STATES_INTERVAL.
 * @topic: of the message
 * Returns: (transfer full) (nullable): the message, a JSON object; NULL: there is none to send */
char *states_see(States *self, const char *topic, const LookState *state);

#define STATES_INTERVAL 5 /* seconds */

/* Forgets all states, so that each is a message again. */
void states_forget(States *self);

void states_free(States **self);
