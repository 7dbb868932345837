/* The elementwise functions of a vision transformer and their gradients, as one table per
 * instruction set. Outputs come first; "+=" means that the function adds to the argument. Sizes are
 * in elements. */
#pragma once

#include "train/network/real.h"

typedef struct {
  /* out[rows][n] = (x - mean) * inverse * scale + shift; mean, inverse: [rows], 1 / deviation */
  void (*layer_norm)(real *out, real *mean, real *inverse, const real *x, const real *scale,
                     const real *shift, real eps, guint rows, guint n);

  /* dx[rows][n] += gradient through layer_norm(); dscale[n] +=, dshift[n] += */
  void (*layer_norm_backward)(real *dx, real *dscale, real *dshift, const real *dout, const real *x,
                              const real *scale, const real *mean, const real *inverse, guint rows,
                              guint n);

  /* out[n] = x * Phi(x) */
  void (*gelu)(real *out, const real *x, gsize n);

  /* dx[n] = dout * (Phi(x) + x * phi(x)) */
  void (*gelu_backward)(real *dx, const real *dout, const real *x, gsize n);

  /* x[rows][n] becomes softmax(factor * x + offset) by row; offset: NULL or [n] */
  void (*softmax)(real *x, real factor, const real *offset, guint rows, guint n);

  /* dp[rows][n], the gradient of softmax()'s output p, becomes that of its input x */
  void (*softmax_backward)(real *dp, const real *p, real factor, guint rows, guint n);

  /* sums[n] += column sums of x[rows][n] */
  void (*add_rows)(real *sums, const real *x, guint rows, guint n);

  /* y[n] += factor * x */
  void (*add_scaled)(real *y, real factor, const real *x, gsize n);

  /* Returns: sum of x[n] * y[n] */
  double (*dot)(const real *x, const real *y, gsize n);

  /* x[rows][n] *= factors[n] */
  void (*scale_columns)(real *x, const real *factors, guint rows, guint n);

  /* Takes one step of AdamW. m and v are its moments; average is the running mean of values, with
   * weight 1 - keep. The gradient is multiplied by @scale. rate includes the bias correction of m;
   * correction is that of v. */
  void (*adamw)(real *values, real *m, real *v, real *average, const real *gradient, gsize n,
                real rate, real decay, real beta1, real beta2, real correction, real eps, real keep,
                real scale);
} TrainingKernels;

/* Returns: the table for this machine */
const TrainingKernels *training_kernels(void);
