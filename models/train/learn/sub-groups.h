/* Which images of a batch share a gate's decision in training. */
#pragma once

#include <glib.h>

typedef enum {
  SUB_GROUPS_NONE,      /* the whole batch */
  SUB_GROUPS_EVEN,      /* groups of k */
  SUB_GROUPS_RANDOM,    /* random sizes from 1 to 64 */
  SUB_GROUPS_RECURSIVE, /* half of the remaining images each time: B/2, B/4, ... 2, 1, 1 */
  SUB_GROUPS_SAMPLE,    /* each image on its own */
} SubGroups;

/* Parses "none", "even:K", "random", "recursive" or "sample".
 * @k: (out): set for "even" only
 * Returns: FALSE if the text is none of these */
gboolean sub_groups_parse(const char *text, SubGroups *kind, guint *k);

/* Assigns @n images to groups in a new random order.
 * @group: (out caller-allocates): [n] group numbers, from 0
 * Returns: the number of groups */
guint sub_groups_deal(guint *group, guint n, SubGroups kind, guint k, GRand *random);
