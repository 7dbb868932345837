/* The last blocks of a network and its head, in training. The blocks before them stay as they are,
 * so their results are computed once for each view. Gates and their substitutes stay too. */
#pragma once

#include "base/progress.h"
#include "teach/examples.h"
#include "train/network/activations.h"

typedef struct _Tail Tail;

/* Images that a step learns from. */
#define TAIL_BATCH 32

typedef struct {
  const EntryTokens *const *entries; /* [n][n_views] */
  const Examples *examples;          /* the same pictures: what they show */
  const guint *folds;                /* (nullable) [n]; NULL: all pictures */
  guint held_out;                    /* fold to leave out */
  guint n_views;                     /* of the examples' views, to train with */
  Progress *progress;                /* (nullable) counts steps */
  guint done;                        /* steps that it has counted before */
} TailData;

/* Finds the first block of a tail.
 * @n_blocks: wanted; more if no block of them has attention */
guint tail_first(const Description *whole, guint n_blocks);

/* @network: the whole one; is copied
 * @n_classes: of the new head
 * Returns: (transfer full): or NULL with VITGATE_ERROR_MEMORY */
Tail *tail_new(const Network *network, guint first, guint n_classes, gboolean sigmoid,
               double gate_bias, guint threads, GError **error);

/* Frees *@tail, which may be NULL, and nulls it. */
void tail_free(Tail **tail);

/* Sets the blocks to those of the whole network, and the head.
 * @weights: [n_classes][n_features]
 * @bias: [n_classes] */
void tail_reset(Tail *tail, const float *weights, const float *bias);

/* Trains from there on.
 * @steps: of TAIL_BATCH views each
 * @end: monotonic time to stop at
 * Returns: FALSE if time ran out or a value is not finite any more */
gboolean tail_train(Tail *tail, const TailData *data, guint steps, guint64 seed, gint64 end);

/* Computes the features of all views of @data.
 * @out: the same pictures; gets the features */
void tail_features(Tail *tail, const TailData *data, Examples *out);

/* Returns: (transfer full): the name that a tail's parameter has in the whole network */
char *tail_whole_name(const char *name, guint first);

/* Returns: (transfer none): the network of the blocks alone: its block i is block first + i */
const Network *tail_get_network(const Tail *tail);
