/* Rounds float32 matrices to bfloat16 and packs them, with AVX-512 BF16. */
#include "kernels/x86/bf16-layout.h"

static inline __m512i to_bf16(const float *low, const float *high, __mmask16 low_mask,
                              __mmask16 high_mask)
{
  return (__m512i)_mm512_cvtne2ps_pbh(_mm512_maskz_loadu_ps(high_mask, high),
                                      _mm512_maskz_loadu_ps(low_mask, low));
}

void vitgate__bf16_convert(guint16 *out, const float *a, gsize a_stride, guint m, guint k)
{
  for (guint i = 0; i < m; i++, a += a_stride)
    for (guint j = 0; j < k; j += BF16_STEP, out += BF16_STEP)
      _mm512_storeu_si512(
          out, to_bf16(a + j, a + MIN(j + 16, k - 1), lanes_below(j, k), lanes_below(j + 16, k)));
}

/* Returns rows x and y of 16 columns as bfloat16 pairs (x0 y0 x1 y1 …). */
static inline __m512i interleave_rows(const float *x, const float *y, __mmask16 columns,
                                      gboolean has_y)
{
  const __m512i zip = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8,
                                       23, 7, 22, 6, 21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
  return _mm512_permutexvar_epi16(zip, to_bf16(x, y, columns, has_y ? columns : 0));
}

void vitgate__bf16_pack(guint16 *packed, const float *b, gsize b_stride, guint n, guint k)
{
  for (guint panel = 0; panel < n; panel += SIDE)
    for (guint i = 0; i < k; i += BF16_STEP)
      for (guint half = panel; half < panel + SIDE; half += TILE)
        for (guint row = i; row < i + BF16_STEP; row += 2, packed += 32) {
          const __mmask16 columns = lanes_below(half, n);
          const float *x = b + MIN(row, k - 1) * b_stride + MIN(half, n - 1);
          const gboolean has_y = row + 1 < k;
          _mm512_storeu_si512(
              packed, interleave_rows(x, has_y ? x + b_stride : x, row < k ? columns : 0, has_y));
        }
}

/* Transposes 16 x 16 words of 32 bits. */
static inline __attribute__((always_inline)) void transpose_words(__m512i v[16])
{
  __m512i t[16];
#pragma GCC unroll 16
  for (guint i = 0; i < 16; i += 2) {
    t[i] = _mm512_unpacklo_epi32(v[i], v[i + 1]);
    t[i + 1] = _mm512_unpackhi_epi32(v[i], v[i + 1]);
  }
#pragma GCC unroll 16
  for (guint i = 0; i < 16; i += 4)
    for (guint j = 0; j < 2; j++) {
      v[i + 2 * j] = _mm512_unpacklo_epi64(t[i + j], t[i + j + 2]);
      v[i + 2 * j + 1] = _mm512_unpackhi_epi64(t[i + j], t[i + j + 2]);
    }
#pragma GCC unroll 16
  for (guint i = 0; i < 16; i += 8)
    for (guint j = 0; j < 4; j++) {
      t[i + j] = _mm512_shuffle_i32x4(v[i + j], v[i + j + 4], 0x88);
      t[i + j + 4] = _mm512_shuffle_i32x4(v[i + j], v[i + j + 4], 0xdd);
    }
#pragma GCC unroll 16
  for (guint j = 0; j < 8; j++) {
    v[j] = _mm512_shuffle_i32x4(t[j], t[j + 8], 0x88);
    v[j + 8] = _mm512_shuffle_i32x4(t[j], t[j + 8], 0xdd);
  }
}

/* A tile of B holds the pairs along k of sixteen rows of its transpose, side by side. */
void vitgate__bf16_pack_transposed(guint16 *packed, const float *b, gsize b_stride, guint n,
                                   guint k)
{
  for (guint panel = 0; panel < n; panel += SIDE)
    for (guint i = 0; i < k; i += BF16_STEP)
      for (guint half = panel; half < panel + SIDE; half += TILE, packed += TILE * 32) {
        __m512i v[16];
        for (guint j = 0; j < TILE; j++) {
          const float *row = b + MIN(half + j, n - 1) * b_stride;
          const gboolean inside = half + j < n;
          v[j] = to_bf16(row + i, row + MIN(i + 16, k - 1), inside ? lanes_below(i, k) : 0,
                         inside ? lanes_below(i + 16, k) : 0);
        }
        transpose_words(v);
        for (guint j = 0; j < TILE; j++)
          _mm512_storeu_si512(packed + j * 32, v[j]);
      }
}

/* Returns: where packed b[k][n] has the value in row @i and column @j */
static inline gsize place_of(guint i, guint j, guint k)
{
  const gsize tile =
      j / SIDE * (vitgate__bf16_row_size(k) / BF16_STEP * 2) + i / BF16_STEP * 2 + j % SIDE / TILE;
  return tile * (TILE * 32) + i % BF16_STEP / 2 * 32 + j % TILE * 2 + i % 2;
}

static inline guint16 round_one(float x)
{
  return (guint16)_mm_extract_epi16((__m128i)_mm_cvtneps_pbh(_mm_set_ss(x)), 0);
}

void vitgate__bf16_replace_columns(guint16 *packed, const float *b, gsize b_stride,
                                   const guint *columns, guint n_columns, guint n, guint k)
{
  for (guint c = 0; c < n_columns; c++, b += b_stride)
    for (guint i = 0; i < k; i++)
      packed[place_of(i, columns[c], k)] = round_one(b[i]);
}

void vitgate__bf16_replace_rows(guint16 *packed, const float *b, gsize b_stride, const guint *rows,
                                guint n_rows, guint n, guint k)
{
  for (guint r = 0; r < n_rows; r++, b += b_stride)
    for (guint j = 0; j < n; j++)
      packed[place_of(rows[r], j, k)] = round_one(b[j]);
}

/* out[k][m]: 32 rows of a become 32 columns. A word holds a pair from rows 2i and 2i + 1. */
void vitgate__bf16_convert_transposed(guint16 *out, const float *a, gsize a_stride, guint m,
                                      guint k)
{
  const gsize stride = vitgate__bf16_row_size(m);
  for (guint i = 0; i < m; i += BF16_STEP)
    for (guint j = 0; j < k; j += TILE) {
      const __mmask16 columns = lanes_below(j, k);
      __m512i v[16];
      for (guint pair = 0; pair < 16; pair++) {
        const guint row = i + 2 * pair;
        const float *x = a + MIN(row, m - 1) * a_stride + j;
        const gboolean has_y = row + 1 < m;
        v[pair] = interleave_rows(x, has_y ? x + a_stride : x, row < m ? columns : 0, has_y);
      }
      transpose_words(v);
      for (guint column = 0; column < MIN(TILE, k - j); column++)
        _mm512_storeu_si512(out + (j + column) * stride + i, v[column]);
    }
}
