/* Multi-head attention of one image, in every precision. */
#pragma once

#include "base/team.h"
#include "network/linear.h"

/* One member's view of it. */
typedef struct {
  VitgatePrecision precision;
  guint heads, head_dim, n_tokens;
  float factor;         /* of the scores */
  const float *offsets; /* (nullable) [n_tokens, rounded up] added to the scores before */
  float *qkv;           /* [n_tokens][3 * heads * head_dim] all heads' queries, keys, values */
  float *packed;        /* vitgate__attend_heads_size(): shared, as qkv is */
  float *scores;        /* vitgate__attend_scores_size(): this member's */
  float *scratch;       /* vitgate__attend_scratch_size(): this member's */
  Team *team;           /* (nullable) that shares the image */
  guint member, n;      /* of its members */
} Attention;

/* Floats of that memory. */
gsize vitgate__attend_heads_size(VitgatePrecision precision, guint heads, guint tokens,
                                 guint head_dim);
gsize vitgate__attend_scores_size(VitgatePrecision precision, guint tokens);
gsize vitgate__attend_scratch_size(VitgatePrecision precision, guint tokens, guint head_dim);

/* The outcomes for the rows from @first to @last take the place of their queries. All members
 * call it, each with its own rows. */
void vitgate__attend(const Attention *attention, guint first, guint last);
