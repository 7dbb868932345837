#include "int8.h"

#include <float.h>
#include <math.h>

#include "cpu.h"

extern const Int8Kernels vitgate__int8_portable;
#ifdef __x86_64__
extern const Int8Kernels vitgate__int8_avx2, vitgate__int8_avx_vnni, vitgate__int8_avx512_vnni;
#endif

static gpointer list_kernels(gpointer unused)
{
  static const Int8Kernels *usable[5];
  guint n = 0;
#ifdef __x86_64__
  if (vitgate__cpu_has(CPU_AVX512_VNNI))
    usable[n++] = &vitgate__int8_avx512_vnni;
  if (vitgate__cpu_has(CPU_AVX_VNNI))
    usable[n++] = &vitgate__int8_avx_vnni;
  if (vitgate__cpu_has(CPU_AVX2))
    usable[n++] = &vitgate__int8_avx2;
#endif
  usable[n++] = &vitgate__int8_portable;
  return usable;
}

const Int8Kernels *const *vitgate__int8_kernels_all(void)
{
  static GOnce once = G_ONCE_INIT;
  return g_once(&once, list_kernels, NULL);
}

const Int8Kernels *vitgate__int8_kernels(void)
{
  return vitgate__int8_kernels_all()[0];
}

/* Returns: the largest magnitude of w[k]; NaN where one is not finite */
static float largest_magnitude(const float *w, guint k)
{
  float largest = 0, odd = 0;
  for (guint i = 0; i < k; i++) {
    largest = MAX(largest, fabsf(w[i]));
    odd += w[i] * 0;
  }
  return largest + odd;
}

/* For |x| below 2^22: adding 1.5 * 2^23 leaves no bits for a fraction. */
static inline float nearest(float x)
{
  return (x + 12582912.0f) - 12582912.0f;
}

void vitgate__int8_quantize_weights(gint8 *q, float *scales, const float *w, gsize w_stride,
                                    guint n, guint k)
{
  for (guint j = 0; j < n; j++, w += w_stride, q += k) {
    const float scale = largest_magnitude(w, k) / 127;
    /* Below that, the inverse would be infinite. */
    const float inverse = scale >= FLT_MIN ? 1 / scale : 0;
    scales[j] = scale < FLT_MIN ? 0 : scale;
    for (guint i = 0; i < k; i++)
      q[i] = inverse > 0 ? (gint8)nearest(CLAMP(w[i] * inverse, -127.0f, 127.0f)) : 0;
  }
}
