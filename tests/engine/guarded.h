/* Arrays with guarded ends.
 *
 * One end of an array touches a forbidden page, so reading or writing one byte too far ends the
 * test. The memory at the other end holds a pattern that must not change. */
#pragma once

#include <glib.h>

typedef enum {
  GUARDED_END,   /* the array ends at the forbidden page; its start is aligned only by chance */
  GUARDED_START, /* the array begins right after the forbidden page */
} GuardedPlace;

typedef struct _Guarded Guarded;

/* Returns: (transfer full): memory for one array of at most @size bytes */
Guarded *guarded_new(gsize size);

void guarded_free(Guarded *guarded);

/* Returns: an array of @n_bytes, which replaces the previous one */
gpointer guarded_place(Guarded *guarded, gsize n_bytes, GuardedPlace place);

/* Returns: whether the pattern beside the array is unchanged */
gboolean guarded_intact(const Guarded *guarded);
