/* int8 products on x86-64, compiled once each for AVX2, AVX-VNNI and AVX-512 VNNI.
 *
 * A 32 bit lane of a vector adds up GROUP products along k for one column at a time: four bytes by
 * VPDPBUSD, which does not saturate; two words by VPMADDWD where there is only AVX2. A tile of sums
 * stays in registers while it walks k, each in a variable of its own, because GCC 12 spills arrays.
 *
 * Packed weights: panels of two vectors' columns (one, for a last panel that fills no more); in
 * each, what a zero point takes from the sums, then [k / GROUP][columns][GROUP] bytes. The former
 * is a pair of words (low, high) for each column, the sum of its weights being
 * -(low + ZERO_STEP * high): so that it too is a multiply-add of one instruction. */
#include "int8-isa.h"

#if defined(__AVX512VNNI__)
#define NAME "avx512-vnni"
#elif defined(__AVXVNNI__)
#define NAME "avx-vnni"
#else
#define NAME "avx2"
#endif

#define PANEL (2 * LANES)

/* Times the largest zero point, 255, it is a word. */
#define ZERO_BITS 7
#define ZERO_STEP (1 << ZERO_BITS)

#if TILE_ROWS == 12
#define FOR_ROWS(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11)
#else
#define FOR_ROWS(X) X(0) X(1) X(2) X(3) X(4) X(5)
#endif

/* A row's values of one group, whatever their type. */
typedef gint32 __attribute__((may_alias)) Group;

static inline ivec load_integers(const guint8 *p)
{
  ivec v;
  memcpy(&v, p, sizeof v);
  return v;
}

static inline ivec load_weights(const guint8 *p)
{
#if GROUP == 4
  return load_integers(p);
#else
  return (ivec)_mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)p));
#endif
}

static inline ivec add_products(ivec sums, Group group, ivec weights)
{
#if defined(__AVX512VNNI__)
  return (ivec)_mm512_dpbusd_epi32((__m512i)sums, _mm512_set1_epi32(group), (__m512i)weights);
#elif defined(__AVXVNNI__)
  return (ivec)_mm256_dpbusd_avx_epi32((__m256i)sums, _mm256_set1_epi32(group), (__m256i)weights);
#else
  return sums + (ivec)_mm256_madd_epi16(_mm256_set1_epi32(group), (__m256i)weights);
#endif
}

/* Two words of a row by two of each column. */
static inline ivec add_pairs(ivec sums, gint32 pair, ivec words)
{
#if defined(__AVX512VNNI__)
  return (ivec)_mm512_dpwssd_epi32((__m512i)sums, _mm512_set1_epi32(pair), (__m512i)words);
#elif defined(__AVXVNNI__)
  return (ivec)_mm256_dpwssd_avx_epi32((__m256i)sums, _mm256_set1_epi32(pair), (__m256i)words);
#else
  return sums + (ivec)_mm256_madd_epi16(_mm256_set1_epi32(pair), (__m256i)words);
#endif
}

/* What a column's pair for it gives is -zero times the sum of its weights. */
static inline gint32 zero_pair(gint32 zero)
{
  return zero * (1 + (ZERO_STEP << 16));
}

/* Some rows of the product by one panel's columns. */
typedef struct {
  float *out;
  gsize out_stride;
  const Group *q;
  gsize groups; /* in a row of q, and in a column of the panel */
  const Int8Row *rows;
  const guint8 *panel;
  const float *scales, *bias;
  Int8Mode mode;
} Block;

static inline void apply_gelu(float *out, gsize out_stride, guint rows, const guint columns)
{
  for (guint i = 0; i < rows; i++, out += out_stride) {
    store(out, coarse_gelu(load(out)));
    if (columns > 1)
      store(out + LANES, coarse_gelu(load(out + LANES)));
  }
}

/* @rows: up to TILE_ROWS; @columns: vectors of them, 1 or 2. Both are constants at every call, so
 * that every condition on them folds away. */
static inline __attribute__((always_inline)) void multiply_tile(const Block *t, const guint rows,
                                                                const guint columns)
{
  const ivec none = { 0 }, zeros0 = load_integers(t->panel),
             zeros1 = columns > 1 ? load_integers(t->panel + sizeof(ivec)) : none;
#define DECLARE(r)                                                                                 \
  const gint32 pair##r = rows > r ? zero_pair(t->rows[r].zero) : 0;                                \
  ivec acc##r##_0 = add_pairs(none, pair##r, zeros0), acc##r##_1 = add_pairs(none, pair##r, zeros1);
  FOR_ROWS(DECLARE);
  /* Four pointers reach twelve rows; told nothing of their relation, GCC keeps to them. */
  const gsize stride = t->groups;
  const Group *q0 = t->q, *q1 = q0 + 3 * stride, *q2 = q0 + 6 * stride, *q3 = q0 + 9 * stride;
  __asm__("" : "+r"(q1), "+r"(q2), "+r"(q3));
  const Group *const end = q0 + stride;
  const guint8 *b = t->panel + columns * sizeof(ivec);
#define ROW(r) ((r / 3 == 0 ? q0 : r / 3 == 1 ? q1 : r / 3 == 2 ? q2 : q3)[r % 3 * stride])
#define MULTIPLY(r)                                                                                \
  if (rows > r) {                                                                                  \
    acc##r##_0 = add_products(acc##r##_0, ROW(r), b0);                                             \
    if (columns > 1)                                                                               \
      acc##r##_1 = add_products(acc##r##_1, ROW(r), b1);                                           \
  }
  for (; q0 < end; q0++, q1++, q2++, q3++, b += columns * LANES * GROUP) {
    const ivec b0 = load_weights(b),
               b1 = columns > 1 ? load_weights(b + LANES * GROUP) : (ivec){ 0 };
    FOR_ROWS(MULTIPLY);
  }
  const vec scale0 = load(t->scales), scale1 = columns > 1 ? load(t->scales + LANES) : zero();
  const vec bias0 = t->bias ? load(t->bias) : zero(),
            bias1 = t->bias && columns > 1 ? load(t->bias + LANES) : zero();
#define STORE(r)                                                                                   \
  if (rows > r) {                                                                                  \
    float *o = t->out + r * t->out_stride;                                                         \
    const float scale = t->rows[r].scale;                                                          \
    const vec v0 = __builtin_convertvector(acc##r##_0, vec) * (scale * scale0) + bias0,            \
              v1 = __builtin_convertvector(acc##r##_1, vec) * (scale * scale1) + bias1;            \
    store(o, t->mode == INT8_ADD ? load(o) + v0 : v0);                                             \
    if (columns > 1)                                                                               \
      store(o + LANES, t->mode == INT8_ADD ? load(o + LANES) + v1 : v1);                           \
  }
  FOR_ROWS(STORE);
  if (t->mode == INT8_GELU)
    apply_gelu(t->out, t->out_stride, rows, columns);
#undef DECLARE
#undef ROW
#undef MULTIPLY
#undef STORE
}

/* Tiles of rows differ by one at most: a small one would wait for its own sums. */
static inline __attribute__((always_inline)) void multiply_panel(Block t, guint m,
                                                                 const guint columns)
{
  for (guint tiles = (m + TILE_ROWS - 1) / TILE_ROWS; tiles; tiles--) {
    const guint rows = m / tiles;
    switch (rows) {
#define CASE(r)                                                                                    \
  case r + 1:                                                                                      \
    multiply_tile(&t, r + 1, columns);                                                             \
    break;
      FOR_ROWS(CASE)
#undef CASE
    }
    m -= rows;
    t.out += rows * t.out_stride;
    t.q += rows * t.groups;
    t.rows += rows;
  }
}

static void multiply_wide_panel(Block t, guint m)
{
  multiply_panel(t, m, 2);
}

static void multiply_narrow_panel(Block t, guint m)
{
  multiply_panel(t, m, 1);
}

/* A panel with fewer than its vectors' columns, by way of a full one on the stack. */
static void multiply_edge(Block t, guint m, guint n)
{
  float tile[TILE_ROWS * PANEL], scales[PANEL] = { 0 }, bias[PANEL] = { 0 };
  const gboolean add = t.mode == INT8_ADD;
  float *out = t.out;
  memcpy(scales, t.scales, n * sizeof *scales);
  if (t.bias)
    memcpy(bias, t.bias, n * sizeof *bias);
  Block full = t;
  full.out = tile;
  full.out_stride = PANEL;
  full.scales = scales;
  full.bias = bias;
  full.mode = add ? INT8_STORE : t.mode;
  for (guint rows; m; m -= rows, full.q += rows * t.groups, full.rows += rows) {
    rows = MIN(m, TILE_ROWS);
    (n > LANES ? multiply_wide_panel : multiply_narrow_panel)(full, rows);
    for (guint i = 0; i < rows; i++, out += t.out_stride)
      for (guint j = 0; j < n; j++)
        out[j] = (add ? out[j] : 0.0f) + tile[i * PANEL + j];
  }
}

static void gemm(float *out, gsize out_stride, gconstpointer q, const Int8Row *rows,
                 gconstpointer packed, const float *scales, const float *bias, Int8Mode mode,
                 guint m, guint n, guint k)
{
  const gsize groups = ((gsize)k + GROUP - 1) / GROUP;
  Block t = { out, out_stride, q, groups, rows, packed, scales, bias, mode };
  for (; n >= PANEL; n -= PANEL) {
    multiply_wide_panel(t, m);
    t.out += PANEL;
    t.panel += PANEL * (sizeof(gint32) + groups * GROUP);
    t.scales += PANEL;
    t.bias = t.bias ? t.bias + PANEL : NULL;
  }
  if (n == LANES)
    multiply_narrow_panel(t, m);
  else if (n)
    multiply_edge(t, m, n);
}

/* ---- Packing ---- */

/* One where a group holds weights, in every place of a group. */
#define ONES (GROUP == 4 ? 0x01010101 : 0x00010001)

static guint panel_width(guint n)
{
  return n > LANES ? PANEL : LANES;
}

/* Adds up the columns of a panel whose groups are in place; the low word of each is from
 * -ZERO_STEP / 2 to ZERO_STEP / 2 - 1. Returns: the panel behind it */
static guint8 *finish_panel(guint8 *panel, guint width, gsize groups)
{
  const guint8 *first = panel + width * sizeof(gint32);
  for (guint c = 0; c < width; c += LANES) {
    ivec sums = { 0 };
    for (gsize g = 0; g < groups; g++)
      sums = add_products(sums, ONES, load_weights(first + (g * width + c) * GROUP));
    const ivec high = (ZERO_STEP / 2 - sums) >> ZERO_BITS, low = -sums - high * ZERO_STEP;
    const ivec pairs = high << 16 | (low & G_MAXUINT16);
    memcpy(panel + c * sizeof(gint32), &pairs, sizeof pairs);
  }
  return panel + width * (sizeof(gint32) + groups * GROUP);
}

static void pack(gpointer packed, const gint8 *w, gsize w_stride, guint n, guint k)
{
  const guint whole = k / GROUP;
  const gsize groups = ((gsize)k + GROUP - 1) / GROUP;
  guint8 *panel = packed;
  for (guint j = 0; j < n; j += PANEL) {
    const guint width = panel_width(n - j), filled = MIN(n - j, width);
    guint8 *const first = panel + width * sizeof(gint32);
    memset(first, 0, filled < width || whole < groups ? width * groups * GROUP : 0);
    for (guint c = 0; c < filled; c++, w += w_stride) {
      for (guint g = 0; g < whole; g++)
        memcpy(first + (g * width + c) * GROUP, w + g * GROUP, GROUP);
      for (guint i = whole * GROUP; i < k; i++)
        first[(whole * width + c) * GROUP + i % GROUP] = (guint8)w[i];
    }
    panel = finish_panel(panel, width, groups);
  }
}

/* out[n][GROUP] = the transpose of @some rows of w[..][n], and zeros */
static void pack_group(guint8 *out, const gint8 *w, gsize w_stride, guint n, guint some)
{
  static const gint8 none[PANEL];
  const gint8 *rows[GROUP];
  for (guint i = 0; i < GROUP; i++)
    rows[i] = i < some ? w + i * w_stride : none;
  for (guint c = 0; c < n; c++)
    for (guint i = 0; i < GROUP; i++)
      out[c * GROUP + i] = (guint8)rows[i][c];
}

static void pack_transposed(gpointer packed, const gint8 *w, gsize w_stride, guint n, guint k)
{
  const gsize groups = ((gsize)k + GROUP - 1) / GROUP;
  guint8 *panel = packed;
  for (guint j = 0; j < n; j += PANEL) {
    const guint width = panel_width(n - j), filled = MIN(n - j, width);
    guint8 *out = panel + width * sizeof(gint32);
    for (guint i = 0; i < k; i += GROUP, out += width * GROUP) {
      pack_group(out, w + i * w_stride + j, w_stride, filled, MIN(GROUP, k - i));
      memset(out + filled * GROUP, 0, (width - filled) * GROUP);
    }
    panel = finish_panel(panel, width, groups);
  }
}

const Int8Kernels INT8_TABLE = {
  .name = NAME,
  .step = GROUP,
  .value_size = sizeof(Quantity),
  .quantize = KERNEL(quantize),
  .soften = KERNEL(soften),
  .quantize_rows = KERNEL(quantize_rows),
  .quantize_columns = KERNEL(quantize_columns),
  .pack = pack,
  .pack_transposed = pack_transposed,
  .gemm = gemm,
};
