/* The layout of matrices, which all bfloat16 kernels of x86-64 share.
 *
 * Packed B consists of panels of 32 columns. A panel has two tiles of 16 columns for every 32
 * values along k. A tile is 16 rows of 64 bytes; each row holds pairs along k: b[i][j] b[i + 1][j]
 * b[i][j + 1] … */
#pragma once

#include <immintrin.h>

#include "kernels/bf16.h"

#define SIDE 32 /* columns of a panel, and rows of A that a kernel may read at once */
#define TILE 16

/* Returns: a mask of the lanes below @n, out of the 16 lanes from @i on */
static inline __mmask16 lanes_below(guint i, guint n)
{
  return i >= n ? 0 : n - i >= 16 ? 0xffff : (__mmask16)((1u << (n - i)) - 1);
}

void vitgate__bf16_convert(guint16 *out, const float *a, gsize a_stride, guint m, guint k);
void vitgate__bf16_convert_transposed(guint16 *out, const float *a, gsize a_stride, guint m,
                                      guint k);
void vitgate__bf16_pack(guint16 *packed, const float *b, gsize b_stride, guint n, guint k);
void vitgate__bf16_pack_transposed(guint16 *packed, const float *b, gsize b_stride, guint n,
                                   guint k);
void vitgate__bf16_replace_columns(guint16 *packed, const float *b, gsize b_stride,
                                   const guint *columns, guint n_columns, guint n, guint k);
void vitgate__bf16_replace_rows(guint16 *packed, const float *b, gsize b_stride, const guint *rows,
                                guint n_rows, guint n, guint k);
