/* guarded.h: arrays with nothing behind them.
 *
 * An array lies against a page that nobody may touch, so that one byte read or written too far
 * ends the test; the memory on its other side is filled with a pattern that must stay. */
#pragma once

#include <glib.h>

typedef enum {
  GUARDED_END,   /* the array ends at the forbidden page: its start is aligned by chance only */
  GUARDED_START, /* it begins right behind one */
} GuardedPlace;

typedef struct _Guarded Guarded;

/* Room for arrays of up to @size bytes. */
Guarded *guarded_new(gsize size);

void guarded_free(Guarded *guarded);

/* Returns: an array of @n_bytes, in place of the one before it */
gpointer guarded_place(Guarded *guarded, gsize n_bytes, GuardedPlace place);

/* Returns: whether the pattern around the array is whole */
gboolean guarded_intact(const Guarded *guarded);
