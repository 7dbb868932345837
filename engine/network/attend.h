/* Multi-head attention of one image, in every precision. */
#pragma once

#include "base/team.h"
#include "network/linear.h"

/* One thread's view of the attention. */
typedef struct {
  VitgatePrecision precision;
  guint heads, head_dim, n_tokens;
  const guint *slots; /* (nullable) [n_new] the tokens that the rows of qkv are; their keys and
                         values replace the ones that packed has. NULL: all tokens, and packed is
                         filled anew */
  guint n_new;
  float factor;         /* scales the scores */
  const float *offsets; /* (nullable) [n_tokens, rounded up] added to the scores before scaling */
  float *qkv;           /* shared: [rows][3 * heads * head_dim] queries, keys and values */
  float *packed;        /* shared: vitgate__attend_heads_size() floats */
  float *scores;        /* this thread's: vitgate__attend_scores_size() floats */
  float *scratch;       /* this thread's: vitgate__attend_scratch_size() floats */
  Team *team;           /* (nullable) the threads that share the image */
  guint member, n;      /* this thread's number among the n that share it */
} Attention;

/* The sizes of these arrays, in floats. */
gsize vitgate__attend_heads_size(VitgatePrecision precision, guint heads, guint tokens,
                                 guint head_dim);
gsize vitgate__attend_scores_size(VitgatePrecision precision, guint tokens);
gsize vitgate__attend_scratch_size(VitgatePrecision precision, guint tokens, guint head_dim);

/* Computes the attention of all heads for rows @first to @last - 1 and writes it over their
 * queries. Every thread that shares the image calls it, each with its own rows. */
void vitgate__attend(const Attention *attention, guint first, guint last);
