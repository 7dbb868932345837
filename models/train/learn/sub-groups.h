/* Which images of a batch take a gate's decision together, in training. */
#pragma once

#include <glib.h>

typedef enum {
  SUB_GROUPS_NONE,      /* the whole batch */
  SUB_GROUPS_EVEN,      /* groups of k */
  SUB_GROUPS_RANDOM,    /* of random sizes, 1 to 64 */
  SUB_GROUPS_RECURSIVE, /* halves of what is left: B/2, B/4, ... 2, 1, 1 */
  SUB_GROUPS_SAMPLE,    /* every image for itself */
} SubGroups;

/* Reads "none", "even:K", "random", "recursive" or "sample".
 * @k: (out): for even
 * Returns: FALSE where the text is none of them */
gboolean sub_groups_parse(const char *text, SubGroups *kind, guint *k);

/* Deals @n images into groups over a fresh permutation.
 * @group: (out caller-allocates): [n] numbers from 0
 * Returns: how many groups there are */
guint sub_groups_deal(guint *group, guint n, SubGroups kind, guint k, GRand *random);
