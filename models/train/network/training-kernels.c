/* Plain loops for the compiler to vectorise, compiled once per instruction set (see meson.build).
 * "omp simd" only allows sums to be reordered; no OpenMP runtime is involved. */
#include "train/network/training-kernels.h"

#include <math.h>
#include <string.h>

#include "kernels/polynomials.h"

#ifdef TRAIN_DOUBLE

static inline real exponential(real x)
{
  return exp(x);
}

static inline real normal_distribution(real x)
{
  return 0.5 * (1 + erf(x * M_SQRT1_2));
}

#else

/* Beyond the limits, returns exp(EXP_LIMIT) or exp(-EXP_LIMIT). */
static inline real exponential(real x)
{
  x = x < -EXP_LIMIT ? -EXP_LIMIT : x > EXP_LIMIT ? EXP_LIMIT : x;
  float shifted = x * LOG2_E + EXP_SHIFT, i = shifted - EXP_SHIFT;
  float r = x - i * LN2_HIGH + i * LN2_LOW;
  float p = EXP_POLYNOMIAL(r);
  gint32 bits;
  memcpy(&bits, &shifted, sizeof bits);
  bits = (gint32)((guint32)bits << 23) + 0x3f800000;
  float power;
  memcpy(&power, &bits, sizeof power);
  return p * power;
}

static inline real normal_distribution(real x)
{
  float c = x < -PHI_LIMIT ? -PHI_LIMIT : x > PHI_LIMIT ? PHI_LIMIT : x, u = c * c;
  float p = PHI_P(u), q = PHI_Q(u);
  return c * p / q + 0.5f;
}

#endif

static void layer_norm(real *restrict out, real *mean, real *inverse, const real *restrict x,
                       const real *restrict scale, const real *restrict shift, real eps, guint rows,
                       guint n)
{
  for (guint i = 0; i < rows; i++, x += n, out += n) {
    real sum = 0, square = 0;
#pragma omp simd reduction(+ : sum)
    for (guint j = 0; j < n; j++)
      sum += x[j];
    const real m = sum / n;
#pragma omp simd reduction(+ : square)
    for (guint j = 0; j < n; j++)
      square += (x[j] - m) * (x[j] - m);
    const real r = 1 / (real)sqrt(square / n + eps);
#pragma omp simd
    for (guint j = 0; j < n; j++)
      out[j] = (x[j] - m) * r * scale[j] + shift[j];
    mean[i] = m;
    inverse[i] = r;
  }
}

static void layer_norm_backward(real *restrict dx, real *restrict dscale, real *restrict dshift,
                                const real *restrict dout, const real *restrict x,
                                const real *restrict scale, const real *mean, const real *inverse,
                                guint rows, guint n)
{
  for (guint i = 0; i < rows; i++, x += n, dx += n, dout += n) {
    const real m = mean[i], r = inverse[i];
    real sum = 0, product = 0;
#pragma omp simd reduction(+ : sum, product)
    for (guint j = 0; j < n; j++) {
      const real hat = (x[j] - m) * r, d = dout[j] * scale[j];
      dscale[j] += dout[j] * hat;
      dshift[j] += dout[j];
      sum += d;
      product += d * hat;
    }
    sum /= n;
    product /= n;
#pragma omp simd
    for (guint j = 0; j < n; j++)
      dx[j] += r * (dout[j] * scale[j] - sum - (x[j] - m) * r * product);
  }
}

static void gelu(real *restrict out, const real *restrict x, gsize n)
{
#pragma omp simd
  for (gsize i = 0; i < n; i++)
    out[i] = x[i] * normal_distribution(x[i]);
}

static void gelu_backward(real *dx, const real *dout, const real *restrict x, gsize n)
{
  const real density = (real)0.3989422804014327; /* 1 / sqrt(2 pi) */
#pragma omp simd
  for (gsize i = 0; i < n; i++)
    dx[i] = dout[i] * (normal_distribution(x[i]) + x[i] * density * exponential(-x[i] * x[i] / 2));
}

static void softmax(real *restrict x, real factor, const real *restrict offset, guint rows, guint n)
{
  for (guint i = 0; i < rows; i++, x += n) {
    real max = -INFINITY, sum = 0;
    if (offset) {
#pragma omp simd
      for (guint j = 0; j < n; j++)
        x[j] = factor * x[j] + offset[j];
    } else {
#pragma omp simd
      for (guint j = 0; j < n; j++)
        x[j] *= factor;
    }
#pragma omp simd reduction(max : max)
    for (guint j = 0; j < n; j++)
      max = x[j] > max ? x[j] : max;
#pragma omp simd reduction(+ : sum)
    for (guint j = 0; j < n; j++) {
      x[j] = exponential(x[j] - max);
      sum += x[j];
    }
    sum = 1 / sum;
#pragma omp simd
    for (guint j = 0; j < n; j++)
      x[j] *= sum;
  }
}

static void softmax_backward(real *restrict dp, const real *restrict p, real factor, guint rows,
                             guint n)
{
  for (guint i = 0; i < rows; i++, dp += n, p += n) {
    real sum = 0;
#pragma omp simd reduction(+ : sum)
    for (guint j = 0; j < n; j++)
      sum += dp[j] * p[j];
#pragma omp simd
    for (guint j = 0; j < n; j++)
      dp[j] = factor * p[j] * (dp[j] - sum);
  }
}

static void add_rows(real *restrict sums, const real *restrict x, guint rows, guint n)
{
  for (guint i = 0; i < rows; i++, x += n)
#pragma omp simd
    for (guint j = 0; j < n; j++)
      sums[j] += x[j];
}

static void add_scaled(real *restrict y, real factor, const real *restrict x, gsize n)
{
#pragma omp simd
  for (gsize i = 0; i < n; i++)
    y[i] += factor * x[i];
}

static double dot(const real *restrict x, const real *restrict y, gsize n)
{
  double sum = 0;
  for (gsize i = 0; i < n;) {
    const gsize end = MIN(n, i + 4096);
    real part = 0;
#pragma omp simd reduction(+ : part)
    for (gsize j = i; j < end; j++)
      part += x[j] * y[j];
    sum += part;
    i = end;
  }
  return sum;
}

static void scale_columns(real *restrict x, const real *restrict factors, guint rows, guint n)
{
  for (guint i = 0; i < rows; i++, x += n)
#pragma omp simd
    for (guint j = 0; j < n; j++)
      x[j] *= factors[j];
}

static void adamw(real *restrict values, real *restrict m, real *restrict v, real *restrict average,
                  const real *restrict gradient, gsize n, real rate, real decay, real beta1,
                  real beta2, real correction, real eps, real keep, real scale)
{
#pragma omp simd
  for (gsize i = 0; i < n; i++) {
    const real g = scale * gradient[i];
    m[i] = beta1 * m[i] + (1 - beta1) * g;
    v[i] = beta2 * v[i] + (1 - beta2) * g * g;
#ifdef TRAIN_DOUBLE
    const real deviation = sqrt(v[i] * correction);
#else
    const real deviation = sqrtf(v[i] * correction);
#endif
    values[i] -= rate * m[i] / (deviation + eps) + decay * values[i];
    average[i] = keep * average[i] + (1 - keep) * values[i];
  }
}

#define PASTE_(a, b) a##_##b
#define PASTE(a, b)  PASTE_(a, b)

const TrainingKernels PASTE(training_kernels, ISA) = {
  .layer_norm = layer_norm,
  .layer_norm_backward = layer_norm_backward,
  .gelu = gelu,
  .gelu_backward = gelu_backward,
  .softmax = softmax,
  .softmax_backward = softmax_backward,
  .add_rows = add_rows,
  .add_scaled = add_scaled,
  .dot = dot,
  .scale_columns = scale_columns,
  .adamw = adamw,
};
