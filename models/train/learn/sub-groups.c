#include "train/learn/sub-groups.h"

#include <stdlib.h>
#include <string.h>

#define MAX_RANDOM 64

gboolean sub_groups_parse(const char *text, SubGroups *kind, guint *k)
{
  static const struct {
    const char *name;
    SubGroups kind;
  } names[] = {
    { "none", SUB_GROUPS_NONE },
    { "random", SUB_GROUPS_RANDOM },
    { "recursive", SUB_GROUPS_RECURSIVE },
    { "sample", SUB_GROUPS_SAMPLE },
  };
  for (guint i = 0; i < G_N_ELEMENTS(names); i++)
    if (!strcmp(text, names[i].name)) {
      *kind = names[i].kind;
      return TRUE;
    }
  guint64 size;
  if (!g_str_has_prefix(text, "even:") ||
      !g_ascii_string_to_unsigned(text + 5, 10, 1, 1024, &size, NULL))
    return FALSE;
  *kind = SUB_GROUPS_EVEN;
  *k = (guint)size;
  return TRUE;
}

/* Returns: how many of the @left images the next group takes. Odd numbers are halved and rounded
 * down, so that the last groups are 1, 1 for any batch size. */
static guint next_size(guint left, SubGroups kind, guint k, GRand *random)
{
  guint size;
  switch (kind) {
  case SUB_GROUPS_NONE:
    return left;
  case SUB_GROUPS_EVEN:
    return MIN(k, left);
  case SUB_GROUPS_RANDOM:
    size = (guint)g_rand_int_range(random, 1, MAX_RANDOM + 1); /* MIN() would draw twice */
    return MIN(size, left);
  case SUB_GROUPS_RECURSIVE:
    return MAX(left / 2, 1);
  case SUB_GROUPS_SAMPLE:
    break;
  }
  return 1;
}

guint sub_groups_deal(guint *group, guint n, SubGroups kind, guint k, GRand *random)
{
  g_autofree guint *order = g_new(guint, n);
  for (guint i = 0; i < n; i++)
    order[i] = i;
  for (guint i = n; i > 1; i--) {
    const guint j = (guint)g_rand_int_range(random, 0, (gint32)i), swap = order[i - 1];
    order[i - 1] = order[j];
    order[j] = swap;
  }
  guint n_groups = 0;
  for (guint i = 0, size; i < n; i += size, n_groups++) {
    size = next_size(n - i, kind, k, random);
    for (guint j = i; j < i + size; j++)
      group[order[j]] = n_groups;
  }
  return n_groups;
}
