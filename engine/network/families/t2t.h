/* The stem of T2T-ViT (Yuan et al. 2021): two soft splits, each followed by attention among its
 * tokens, and a last split, whose tokens a ViT takes for its patches. A soft split takes windows
 * that overlap, zeros beyond the border, as tokens: 7x7 pixels every 4, then twice 3x3 tokens
 * every 2. */
#pragma once

#include "base/team.h"
#include "file/description.h"
#include "network/weight-loader.h"

/* Added to the sum that a performer divides by. */
#define PERFORMER_EPS 1e-8f

/* The attention of one stage, and its MLP. Windows of tokens are wanted by row, column, channel:
 * norm1 and qkv are packed in this order. */
typedef struct {
  LayerNorm norm1, norm2;
  Linear qkv;      /* [n_values] to [3 * token_dim]; a performer's are keys, queries, values */
  Linear features; /* of a performer: [token_dim] to [n_features], float32, no bias */
  Linear proj, fc1, fc2;
} T2tStage;

typedef struct {
  const Description *description;
  VitgatePrecision precision;
  T2tStage stages[T2T_STAGES];
} T2t;

/* As vitgate__load_measure(), of the stem's attention. */
void vitgate__t2t_measure(const Description *description, VitgatePrecision precision, gsize *total,
                          gsize *largest);

/* @t2t: (out caller-allocates) */
void vitgate__t2t_load(T2t *t2t, WeightLoader *loader, const Description *description);

/* What one member needs for it; of members that share an image the first one's arrays hold what
 * they share. */
typedef struct {
  float *maps[T2T_STAGES]; /* shared: [n_tokens][token_dim] of each stage */
  float *queries;          /* shared, of a performer: [n_tokens][n_features] */
  float *qkv;              /* shared, of a transformer: [n_tokens][3 * token_dim] */
  float *heads;            /* shared, of a transformer: of vitgate__attend() */
  float *windows;          /* [LINEAR_ROWS][n_values] */
  float *products;         /* [LINEAR_ROWS][3 * token_dim + 1] */
  float *features;         /* of a performer: [LINEAR_ROWS][n_features] of keys, */
  float *transposed;       /* [n_features][LINEAR_ROWS] the same, */
  float *packed;           /* [LINEAR_ROWS or n_features][token_dim + 1], packed, */
  float *sums;             /* shared: [blocks of rows][n_features][token_dim + 1] over their keys */
  float *total;            /* and over all keys */
  float *input;            /* of a product, converted */
  float *scores, *attend;  /* of a transformer: of vitgate__attend() */
} T2tWork;

/* Points the arrays into @memory, where it is not NULL.
 * Returns: how many floats they take */
gsize vitgate__t2t_carve(T2tWork *work, float *memory, const T2t *t2t);

/* Fills the maps of the first of @works, one of each member that shares the image.
 * @team: to wait for the others; NULL where @n is 1
 * @tensor: [3][image_size][image_size] */
void vitgate__t2t_run(const T2t *t2t, const T2tWork *works, Team *team, guint member, guint n,
                      const float *tensor);

/* The last split, of @rows patches from @first on.
 * @windows: (out caller-allocates): [rows][3 * 3 * token_dim] by row, column, channel */
void vitgate__t2t_unfold(const T2t *t2t, const T2tWork *work, float *windows, guint first,
                         guint rows);

/* Brings the @n_out rows of a matrix, or a vector, whose windows are by channel, row, column, as in
 * files, into the order that is wanted here.
 * @values: (inout): [n_out][9 * token_dim] */
void vitgate__t2t_reorder(float *values, guint n_out, guint token_dim);
