/* Ridge regressions from second moments, for token gates and their substitutes. */
#pragma once

#include "train/cut/moments.h"
#include "train/network/real.h"

/* Raw sums over rows for a regression of one number, in parts that are left out in turn. */
typedef struct {
  guint n, n_folds;
  double *square; /* [n_folds][n + 1][n + 1] of (x, 1) with themselves */
  double *cross;  /* [n_folds][n + 1] of y with (x, 1) */
  double *power;  /* [n_folds] of y with itself */
} FoldSums;

FoldSums *fold_sums_new(guint n, guint n_folds);
void fold_sums_free(FoldSums **sums);

/* Adds the sums of all ranks, which then have the same. */
void fold_sums_share(FoldSums *sums);

/* Fits y = weight x + bias with the ridge that predicts the left-out folds best.
 * @weight: (out caller-allocates): [n]
 * @variance: (out): of the predictions over all rows
 * Returns: the share of the left-out folds' variance that is explained (R squared; negative: worse
 * than the mean); NaN if the sums are not finite or x does not vary */
double ridge_fit_folds(const FoldSums *sums, real *weight, real *bias, double *variance);

/* Computes the best map of @rank for y = map x + bias: the ridge regression, projected onto the
 * directions of the output in which its predictions vary most.
 * @down: (out caller-allocates): [rank][n]; not used for rank 0 or a whole map
 * @up: (out caller-allocates): [n_out][rank]; for a whole map [n_out][n]
 * Returns: FALSE if the moments are not finite */
gboolean ridge_fit_map(const Moments *moments, double ridge, guint rank, gboolean whole, real *down,
                       real *up, real *bias);
