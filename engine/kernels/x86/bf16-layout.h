/* What the bfloat16 kernels of x86-64 share: their matrices are laid out alike.
 *
 * Packed B: panels of 32 columns; in each, for every 32 values along k, two tiles of 16 columns. A
 * tile is 16 rows of 64 bytes, each of pairs along k: b[i][j] b[i + 1][j] b[i][j + 1] ... */
#pragma once

#include <immintrin.h>

#include "kernels/bf16.h"

#define SIDE 32 /* columns of a panel; rows of A that a kernel may read at once */
#define TILE 16

/* Ones for those of 16 lanes from @i on that lie below @n. */
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
