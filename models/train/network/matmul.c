#include "train/network/matmul.h"

#include <stdlib.h>
#include <string.h>

#ifdef TRAIN_DOUBLE

/* A direct implementation of the definition, for the gradient test. */
struct _MatmulScratch {
  char unused;
};

gboolean matmul_has_bf16(void)
{
  return FALSE;
}

gboolean matmul_prefers_bf16(void)
{
  return FALSE;
}

MatmulScratch *matmul_scratch_new(gboolean bf16)
{
  return g_new0(MatmulScratch, 1);
}

void matmul_scratch_free(MatmulScratch **scratch)
{
  g_clear_pointer(scratch, g_free);
}

gboolean matmul_scratch_reserve(MatmulScratch *scratch, guint m, guint n, guint k)
{
  return TRUE;
}

static real element(const Operand *x, guint row, guint column)
{
  return x->transposed ? x->data[column * x->stride + row] : x->data[row * x->stride + column];
}

void matmul(MatmulScratch *scratch, real *out, gsize out_stride, Operand a, Operand b,
            const real *bias, gboolean accumulate, guint m, guint n, guint k)
{
  for (guint i = 0; i < m; i++)
    for (guint j = 0; j < n; j++) {
      real sum = (accumulate ? out[i * out_stride + j] : 0) + (bias ? bias[j] : 0);
      for (guint p = 0; p < k; p++)
        sum += element(&a, i, p) * element(&b, p, j);
      out[i * out_stride + j] = sum;
    }
}

gsize matmul_packed_size(const MatmulScratch *scratch, guint n, guint k)
{
  return 0;
}

void matmul_pack(const MatmulScratch *scratch, void *packed, Operand b, guint n, guint k)
{
}

#else

#include "kernels/bf16.h"
#include "kernels/kernels.h"

struct _MatmulScratch {
  const Bf16Kernels *bf16; /* NULL: float32 */
  void *left, *right;
  gsize left_size, right_size; /* bytes */
};

gboolean matmul_has_bf16(void)
{
  return vitgate__bf16_kernels() != NULL;
}

gboolean matmul_prefers_bf16(void)
{
  return vitgate__bf16_is_fast();
}

MatmulScratch *matmul_scratch_new(gboolean bf16)
{
  MatmulScratch *scratch = g_new0(MatmulScratch, 1);
  scratch->bf16 = bf16 ? vitgate__bf16_kernels() : NULL;
  return scratch;
}

void matmul_scratch_free(MatmulScratch **scratch)
{
  MatmulScratch *s = g_steal_pointer(scratch);
  if (!s)
    return;
  free(s->left);
  free(s->right);
  g_free(s);
}

gsize matmul_packed_size(const MatmulScratch *scratch, guint n, guint k)
{
  return scratch->bf16 ? vitgate__bf16_packed_size(n, k) * sizeof(guint16)
                       : vitgate__packed_size(n, k) * sizeof(float);
}

void matmul_pack(const MatmulScratch *scratch, void *packed, Operand b, guint n, guint k)
{
  const Bf16Kernels *bf16 = scratch->bf16;
  if (bf16)
    (b.transposed ? bf16->pack_transposed : bf16->pack)(packed, b.data, b.stride, n, k);
  else
    (b.transposed ? vitgate__kernels()->pack_transposed : vitgate__kernels()->pack)(packed, b.data,
                                                                                    b.stride, n, k);
}

/* Returns: bytes of a left operand as the kernel reads it. In bf16, it reads whole blocks of 32
 * rows. */
static gsize left_size(const MatmulScratch *scratch, guint m, guint k)
{
  return scratch->bf16 ? ((gsize)m + 31) / 32 * 32 * vitgate__bf16_row_size(k) * 2
                       : (gsize)m * k * sizeof(float);
}

static gboolean grow(void **memory, gsize *size, gsize wanted)
{
  if (*size >= wanted)
    return TRUE;
  free(*memory);
  *size = (wanted + 63) / 64 * 64;
  *memory = aligned_alloc(64, *size);
  if (!*memory)
    *size = 0;
  return *memory != NULL;
}

gboolean matmul_scratch_reserve(MatmulScratch *s, guint m, guint n, guint k)
{
  return grow(&s->left, &s->left_size, left_size(s, m, k)) &&
         grow(&s->right, &s->right_size, n ? matmul_packed_size(s, n, k) : 0);
}

static void transpose(float *out, const float *in, gsize in_stride, guint rows, guint columns)
{
  enum { BLOCK = 16 };
  for (guint i = 0; i < rows; i += BLOCK)
    for (guint j = 0; j < columns; j += BLOCK)
      for (guint x = i; x < MIN(rows, i + BLOCK); x++)
        for (guint y = j; y < MIN(columns, j + BLOCK); y++)
          out[(gsize)y * rows + x] = in[x * in_stride + y];
}

void matmul(MatmulScratch *s, real *out, gsize out_stride, Operand a, Operand b, const real *bias,
            gboolean accumulate, guint m, guint n, guint k)
{
  const void *right = b.packed;
  if (!right) {
    g_assert(matmul_packed_size(s, n, k) <= s->right_size); /* otherwise nobody reserved it */
    matmul_pack(s, s->right, b, n, k);
    right = s->right;
  }
  if (s->bf16 || a.transposed)
    g_assert(left_size(s, m, k) <= s->left_size);
  if (s->bf16) {
    if (a.transposed)
      s->bf16->convert_transposed(s->left, a.data, a.stride, k, m);
    else
      s->bf16->convert(s->left, a.data, a.stride, m, k);
    s->bf16->gemm(out, out_stride, s->left, right, bias, accumulate, m, n, k);
    return;
  }
  if (a.transposed) {
    transpose(s->left, a.data, a.stride, k, m);
    a = (Operand){ .data = s->left, .stride = k };
  }
  vitgate__kernels()->gemm(out, out_stride, a.data, a.stride, right, bias, accumulate, m, n, k);
}

#endif
