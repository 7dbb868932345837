/* The stem of T2T-ViT: two soft splits, each followed by attention among its tokens, and a last
 * split, whose tokens are used instead of a ViT's patches. A soft split makes tokens of overlapping
 * windows, with zeros beyond the border: 7x7 pixels every 4, then twice 3x3 tokens every 2. */
#pragma once

#include "file/description.h"
#include "file/tensor-specs.h"
#include "network/linear.h"
#include "network/weight-loader.h"

#define T2T_PATCH  16 /* pixels a side that one token of the last split advances */
#define T2T_STAGES 2  /* splits with attention */

/* Added to the sum that a performer divides by. */
#define PERFORMER_EPS 1e-8f

/* What a soft split makes of the image or of the tokens before it. */
typedef struct {
  guint n_tokens;
  guint n_values; /* of one window */
} T2tSplit;

/* @stage: T2T_STAGES is the last split, which has no attention */
T2tSplit vitgate__t2t_split(const Description *description, guint stage);

static inline gboolean vitgate__t2t_is_performer(const Description *description)
{
  return description->n_features > 0;
}

/* The attention and the MLP of one stage. The values of a window are ordered by row, column and
 * channel, and norm1 and qkv are packed in this order. */
typedef struct {
  LayerNorm norm1, norm2;
  Linear qkv;      /* [n_values] to [3 * token_dim]; a performer has keys, queries, values */
  Linear features; /* performer: [token_dim] to [n_features], float32, no bias */
  Linear proj, fc1, fc2;
} T2tStage;

struct _Stem {
  const Description *description;
  VitgatePrecision precision;
  T2tStage stages[T2T_STAGES];
};

/* The memory of one thread. Threads that share an image use the shared arrays of the first. */
struct _StemWork {
  float *maps[T2T_STAGES]; /* shared: [n_tokens][token_dim] of each stage */
  float *queries;          /* shared, performer: [n_tokens][n_features] */
  float *qkv;              /* shared, transformer: [n_tokens][3 * token_dim] */
  float *heads;            /* shared, transformer: for vitgate__attend() */
  float *windows;          /* [LINEAR_ROWS][n_values] */
  float *products;         /* [LINEAR_ROWS][3 * token_dim + 1] */
  float *features;         /* performer: [LINEAR_ROWS][n_features] of keys */
  float *transposed;       /* performer: [n_features][LINEAR_ROWS], their transpose */
  float *packed;           /* performer: [LINEAR_ROWS or n_features][token_dim + 1], packed */
  float *sums;             /* shared: [blocks of rows][n_features][token_dim + 1] over their keys */
  float *total;            /* the same sum over all keys */
  float *input;            /* of a product, converted */
  float *scores, *attend;  /* transformer: for vitgate__attend() */
};

/* Appends the tensors of the stages.
 * @specs: (element-type TensorSpec) */
void vitgate__t2t_add_stem_tensors(GArray *specs, const Description *description);

/* Functions of the Family struct, which documents them. The work is an array with one entry per
 * thread. */
gsize vitgate__t2t_measure(const Description *description, VitgatePrecision precision,
                           gsize *largest);
Stem *vitgate__t2t_load(WeightLoader *loader, const Description *description);
gsize vitgate__t2t_work_size(const Description *description, VitgatePrecision precision);
StemWork *vitgate__t2t_work_new(const Description *description, VitgatePrecision precision,
                                float *memory, guint n_members);
void vitgate__t2t_run(const Stem *stem, const StemWork *work, const StemShare *share,
                      const float *tensor);
void vitgate__t2t_gather(const Description *description, const StemWork *work, guint base,
                         float *patches, const float *tensor, guint first, guint rows);
void vitgate__t2t_reorder(const Description *description, float *rows, guint n, gboolean back);
