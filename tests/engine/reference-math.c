#include "reference-math.h"

#include <math.h>

void reference_layer_norm(double *out, const double *x, const float *scale, const float *shift,
                          double eps, guint n)
{
  double mean = 0, variance = 0;
  for (guint i = 0; i < n; i++)
    mean += x[i] / n;
  for (guint i = 0; i < n; i++)
    variance += (x[i] - mean) * (x[i] - mean) / n;
  for (guint i = 0; i < n; i++)
    out[i] = (x[i] - mean) / sqrt(variance + eps) * scale[i] + shift[i];
}

double reference_gelu(double x)
{
  return x * 0.5 * erfc(-x * M_SQRT1_2);
}

void reference_add(double *x, const double *more, guint n)
{
  for (guint i = 0; i < n; i++)
    x[i] += more[i];
}

double reference_cosine(const double *a, const double *b, guint n)
{
  double dot = 0, of_a = 0, of_b = 0;
  for (guint i = 0; i < n; i++) {
    dot += a[i] * b[i];
    of_a += a[i] * a[i];
    of_b += b[i] * b[i];
  }
  return dot / sqrt(of_a * of_b);
}
