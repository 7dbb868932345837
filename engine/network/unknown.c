#include "network/unknown.h"

#include <math.h>

/* The 95 % quantile of the normal distribution. */
#define QUANTILE_95 1.6448536269514722

/* Sums that are added side by side, so that the compiler can use vectors. */
#define LANES 8

/* Values between two looks at the sum. */
#define STRETCH (8 * LANES)

/* Returns: the squared distance between a[n] and b[n], or some number that is at least @enough if
 * it is not below that */
static float squared_distance(const float *a, const float *b, guint n, float enough)
{
  float sum = 0;
  for (guint i = 0; i < n && sum < enough; i += STRETCH) {
    const guint end = MIN(i + STRETCH, n);
    float sums[LANES] = { 0 };
    guint j = i;
    for (; j + LANES <= end; j += LANES)
      for (guint lane = 0; lane < LANES; lane++) {
        const float difference = a[j + lane] - b[j + lane];
        sums[lane] += difference * difference;
      }
    for (; j < end; j++)
      sums[0] += (a[j] - b[j]) * (a[j] - b[j]);
    for (guint lane = 0; lane < LANES; lane++)
      sum += sums[lane];
  }
  return sum;
}

float vitgate__unknown_score(const UnknownScale *scale, const float *whitened, const float *means,
                             guint n_classes, guint n)
{
  float nearest = INFINITY;
  for (guint c = 0; c < n_classes; c++) {
    const float squared = squared_distance(whitened, means + (gsize)c * n, n, nearest);
    if (squared < nearest) /* false for a NaN */
      nearest = squared;
  }
  const double spread = log(scale->limit / scale->median) / QUANTILE_95;
  const double z = log(sqrt(nearest) / scale->median) / spread;
  return (float)(0.5 * erfc(-z * G_SQRT2 / 2));
}
