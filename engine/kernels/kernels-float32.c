/* Matrix products and the elementwise functions of a vision transformer, in float32.
 *
 * Written once with GCC's vector types and compiled once per instruction set. A vector has LANES
 * floats and fills one register of the set. A product keeps a tile of the output in registers while
 * the loop runs along k. Each sum has its own variable, because GCC 12 spills arrays. */
#include <math.h>
#include <string.h>

#include "kernels/kernels-isa.h"
#include "kernels/polynomials.h"

/* ---- Products ---- */

#define PANEL       (2 * LANES)
#define FOR_ROWS(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11)

/* Computes one tile of the output: @rows (1, 2, 3, 6 or 12) rows of @columns (1 or 2) vectors. Both
 * are constants at every call, so the compiler resolves all conditions on them. */
static inline __attribute__((always_inline)) void
gemm_tile(float *out, gsize out_stride, const float *a, gsize a_stride, const float *b,
          const float *bias, gboolean accumulate, guint k, const guint rows, const guint columns)
{
  const vec bias0 = bias ? load(bias) : zero(),
            bias1 = bias && columns > 1 ? load(bias + LANES) : zero();
#define DECLARE(r) vec acc##r##_0 = bias0, acc##r##_1 = bias1;
  FOR_ROWS(DECLARE);
  /* Four pointers address twelve rows. The asm hides their relation, so that GCC keeps all four. */
  const float *a0 = a, *a1 = a + 3 * a_stride, *a2 = a + 6 * a_stride, *a3 = a + 9 * a_stride;
  __asm__("" : "+r"(a1), "+r"(a2), "+r"(a3));
  const float *const end = a + k;
#define ROW(r) ((r / 3 == 0 ? a0 : r / 3 == 1 ? a1 : r / 3 == 2 ? a2 : a3)[r % 3 * a_stride])
#define MULTIPLY(r)                                                                                \
  if (rows > r) {                                                                                  \
    vec value = splat(ROW(r));                                                                     \
    acc##r##_0 += value * b0;                                                                      \
    if (columns > 1)                                                                               \
      acc##r##_1 += value * b1;                                                                    \
  }
  /* The next panel is fetched during this one: weights come from a distant cache, once a frame. */
  const gsize ahead = (gsize)k * columns * LANES;
  for (; a0 < end; a0++, a1++, a2++, a3++, b += columns * LANES) {
    vec b0 = load(b), b1 = columns > 1 ? load(b + LANES) : zero();
    __builtin_prefetch(b + ahead, 0, 2);
    __builtin_prefetch(b + ahead + (columns - 1) * LANES, 0, 2);
    FOR_ROWS(MULTIPLY);
  }
#define STORE(r)                                                                                   \
  if (rows > r) {                                                                                  \
    float *o = out + r * out_stride;                                                               \
    store(o, accumulate ? load(o) + acc##r##_0 : acc##r##_0);                                      \
    if (columns > 1)                                                                               \
      store(o + LANES, accumulate ? load(o + LANES) + acc##r##_1 : acc##r##_1);                    \
  }
  FOR_ROWS(STORE);
#undef DECLARE
#undef ROW
#undef MULTIPLY
#undef STORE
}

/* Multiplies all rows by one panel, in the largest tiles that fit. */
static inline __attribute__((always_inline)) void
gemm_panel(float *out, gsize out_stride, const float *a, gsize a_stride, const float *b,
           const float *bias, gboolean accumulate, guint m, guint k, const guint columns)
{
#define TILES(rows)                                                                                \
  for (; m >= rows; m -= rows, out += rows * out_stride, a += rows * a_stride)                     \
    gemm_tile(out, out_stride, a, a_stride, b, bias, accumulate, k, rows, columns);
#if TILE_ROWS == 12
  TILES(12)
#endif
  TILES(6)
  TILES(3)
  TILES(2)
  TILES(1)
#undef TILES
}

/* Multiplies by a panel that is not full, using a full tile on the stack. */
static void gemm_edge(float *out, gsize out_stride, const float *a, gsize a_stride, const float *b,
                      const float *bias, gboolean accumulate, guint m, guint n, guint k)
{
  float tile[TILE_ROWS * PANEL], padded_bias[PANEL] = { 0 };
  if (bias)
    memcpy(padded_bias, bias, n * sizeof *bias);
  for (guint rows; m; m -= rows, a += rows * a_stride) {
    rows = MIN(m, TILE_ROWS);
    if (n > LANES)
      gemm_panel(tile, PANEL, a, a_stride, b, padded_bias, FALSE, rows, k, 2);
    else
      gemm_panel(tile, PANEL, a, a_stride, b, padded_bias, FALSE, rows, k, 1);
    for (guint r = 0; r < rows; r++, out += out_stride)
      for (guint j = 0; j < n; j++)
        out[j] = (accumulate ? out[j] : 0.0f) + tile[r * PANEL + j];
  }
}

/* A block of a stays in the second-level cache while all panels of b are used. The part of a panel
 * that it is multiplied by stays in the first-level cache. */
#define BLOCK_ROWS  (16 * TILE_ROWS)
#define BLOCK_DEPTH 512

/* Computes all columns of a block of rows, over @some of the @k inner indices from @first on. */
static void gemm_block(float *out, gsize out_stride, const float *a, gsize a_stride, const float *b,
                       const float *bias, gboolean accumulate, guint m, guint n, guint k,
                       guint first, guint some)
{
  a += first;
  for (; n >= PANEL; n -= PANEL, out += PANEL, b += (gsize)k * PANEL) {
    gemm_panel(out, out_stride, a, a_stride, b + (gsize)first * PANEL, bias, accumulate, m, some,
               2);
    bias = bias ? bias + PANEL : NULL;
  }
  b += (gsize)first * (n > LANES ? PANEL : LANES);
  if (n == LANES)
    gemm_panel(out, out_stride, a, a_stride, b, bias, accumulate, m, some, 1);
  else if (n)
    gemm_edge(out, out_stride, a, a_stride, b, bias, accumulate, m, n, some);
}

static void gemm(float *out, gsize out_stride, const float *a, gsize a_stride, const float *b,
                 const float *bias, gboolean accumulate, guint m, guint n, guint k)
{
  guint first = 0;
  do {
    const guint some = MIN(BLOCK_DEPTH, k - first);
    for (guint i = 0; i < m; i += BLOCK_ROWS)
      gemm_block(out + i * out_stride, out_stride, a + i * a_stride, a_stride, b,
                 first ? NULL : bias, accumulate || first, MIN(BLOCK_ROWS, m - i), n, k, first,
                 some);
    first += some;
  } while (first < k);
}

static void pack(float *packed, const float *b, gsize b_stride, guint n, guint k)
{
  for (guint j = 0; j < n; j += PANEL) {
    guint filled = MIN(n - j, PANEL), width = filled > LANES ? PANEL : LANES;
    for (guint i = 0; i < k; i++, packed += width) {
      memcpy(packed, b + i * b_stride + j, filled * sizeof *b);
      memset(packed + filled, 0, (width - filled) * sizeof *b);
    }
  }
}

static void pack_transposed(float *packed, const float *b, gsize b_stride, guint n, guint k)
{
  for (guint j = 0; j < n; j += PANEL) {
    guint width = n - j > LANES ? PANEL : LANES;
    for (guint c = 0; c < width; c += LANES) {
      guint filled = n - j > c ? MIN(n - j - c, LANES) : 0;
      for (guint i = 0; i < k; i += LANES) {
        const float *corner = b + (j + c) * b_stride + i;
        guint depth = MIN(k - i, LANES);
        vec block[LANES] = { 0 };
        if (filled == LANES && depth == LANES) {
#pragma GCC unroll 16
          for (guint x = 0; x < LANES; x++)
            block[x] = load(corner + x * b_stride);
          transpose(block);
        } else {
          for (guint x = 0; x < filled; x++)
            for (guint y = 0; y < depth; y++)
              block[y][x] = corner[x * b_stride + y];
        }
        for (guint y = 0; y < depth; y++)
          store(packed + (i + y) * width + c, block[y]);
      }
    }
    packed += (gsize)width * k;
  }
}

static void replace_columns(float *packed, const float *b, gsize b_stride, const guint *columns,
                            guint n_columns, guint n, guint k)
{
  for (guint i = 0; i < n_columns; i++, b += b_stride) {
    const guint j = columns[i] / PANEL * PANEL, width = n - j > LANES ? PANEL : LANES;
    float *out = packed + (gsize)j * k + columns[i] % PANEL;
    for (guint y = 0; y < k; y++)
      out[(gsize)y * width] = b[y];
  }
}

static void replace_rows(float *packed, const float *b, gsize b_stride, const guint *rows,
                         guint n_rows, guint n, guint k)
{
  for (guint j = 0; j < n; j += PANEL) {
    const guint filled = MIN(n - j, PANEL), width = filled > LANES ? PANEL : LANES;
    for (guint i = 0; i < n_rows; i++)
      memcpy(packed + (gsize)rows[i] * width, b + i * b_stride + j, filled * sizeof *b);
    packed += (gsize)width * k;
  }
}

/* ---- Elementwise ---- */

/* Returns: the sum of (x - from)^power over n values; power: 1 or 2. Four sums hide the latency of
 * the additions. */
static inline __attribute__((always_inline)) float add_powers(const float *x, float from,
                                                              const guint power, guint n)
{
  vec sums[4] = { zero(), zero(), zero(), zero() };
  float rest = 0.0f;
  guint i = 0;
#define ADD(place, lane)                                                                           \
  do {                                                                                             \
    const vec d = load(x + i + (lane)*LANES) - from;                                               \
    sums[place] += power == 1 ? d : d * d;                                                         \
  } while (0)
  for (; i + 4 * LANES <= n; i += 4 * LANES) {
    ADD(0, 0);
    ADD(1, 1);
    ADD(2, 2);
    ADD(3, 3);
  }
  for (; i + LANES <= n; i += LANES)
    ADD(0, 0);
#undef ADD
  for (; i < n; i++)
    rest += power == 1 ? x[i] - from : (x[i] - from) * (x[i] - from);
  return rest + add_lanes((sums[0] + sums[1]) + (sums[2] + sums[3]));
}

/* Normalises @rows rows, a constant at every call, so that they share the loads of scale and
 * shift. */
static inline __attribute__((always_inline)) void
normalize_rows(float *out, const float *x, const float *scale, const float *shift,
               const float *means, const float *factors, const guint rows, guint n)
{
  guint i = 0;
  for (; i + LANES <= n; i += LANES) {
    const vec a = load(scale + i), b = load(shift + i);
#pragma GCC unroll 4
    for (guint r = 0; r < rows; r++)
      store(out + (gsize)r * n + i, (load(x + (gsize)r * n + i) - means[r]) * factors[r] * a + b);
  }
  for (guint r = 0; r < rows; r++)
    for (guint j = i; j < n; j++)
      out[(gsize)r * n + j] = (x[(gsize)r * n + j] - means[r]) * factors[r] * scale[j] + shift[j];
}

/* Rows that are normalised together: adding up the lanes of one row overlaps with the next row. */
#define ROWS_ASIDE 8

static void layer_norm(float *out, const float *x, const float *scale, const float *shift,
                       float eps, guint m, guint n)
{
  float means[ROWS_ASIDE], factors[ROWS_ASIDE];
  for (guint rows; m; m -= rows) {
    guint r = 0;
    rows = MIN(m, ROWS_ASIDE);
    for (guint i = 0; i < rows; i++)
      means[i] = add_powers(x + (gsize)i * n, 0.0f, 1, n) / (float)n;
    for (guint i = 0; i < rows; i++)
      factors[i] = 1.0f / sqrtf(add_powers(x + (gsize)i * n, means[i], 2, n) / (float)n + eps);
    for (; r + 4 <= rows; r += 4, out += 4 * (gsize)n, x += 4 * (gsize)n)
      normalize_rows(out, x, scale, shift, means + r, factors + r, 4, n);
    for (; r < rows; r++, out += n, x += n)
      normalize_rows(out, x, scale, shift, means + r, factors + r, 1, n);
  }
}

static inline vec gelu_vector(vec x)
{
  vec c = min_vector(max_vector(x, splat(-PHI_LIMIT)), splat(PHI_LIMIT)), u = c * c;
  vec p = PHI_P(u), q = PHI_Q(u);
  return x * (c * p / q + 0.5f);
}

static void gelu(float *x, gsize n)
{
  gsize i = 0;
  for (; i + LANES <= n; i += LANES)
    store(x + i, gelu_vector(load(x + i)));
  if (i < n) {
    float rest[LANES] = { 0 };
    memcpy(rest, x + i, (n - i) * sizeof *x);
    store(rest, gelu_vector(load(rest)));
    memcpy(x + i, rest, (n - i) * sizeof *x);
  }
}

/* exp(x) for x up to EXP_LIMIT; x below -EXP_LIMIT gives exp(-EXP_LIMIT). */
static inline vec exp_vector(vec x)
{
  x = max_vector(x, splat(-EXP_LIMIT));
  vec shifted = x * LOG2_E + EXP_SHIFT, i = shifted - EXP_SHIFT;
  vec r = x - i * LN2_HIGH + i * LN2_LOW;
  vec p = EXP_POLYNOMIAL(r);
  ivec power = ((ivec)shifted << 23) + 0x3f800000;
  return p * (vec)power;
}

static float largest_of(const float *x, guint n)
{
  guint i = 0;
  float largest = x[0];
  if (n >= LANES) {
    vec max = load(x);
    for (i = LANES; i + LANES <= n; i += LANES)
      max = max_vector(max, load(x + i));
    largest = max_lanes(max);
  }
  for (; i < n; i++)
    largest = MAX(largest, x[i]);
  return largest;
}

static void softmax(float *x, float factor, guint n)
{
  guint i, whole = n - n % LANES;
  float rest[LANES];
  const float largest = largest_of(x, n);

  /* Lanes beyond the row hold exp(-EXP_LIMIT), which adds nothing. */
  for (i = 0; i < LANES; i++)
    rest[i] = whole + i < n ? factor * (x[whole + i] - largest) : -EXP_LIMIT;
  vec sums = exp_vector(load(rest));
  store(rest, sums);
  for (i = 0; i < whole; i += LANES) {
    vec e = exp_vector((load(x + i) - largest) * factor);
    store(x + i, e);
    sums += e;
  }
  const float inverse = 1.0f / add_lanes(sums);
  for (i = 0; i < whole; i += LANES)
    store(x + i, load(x + i) * inverse);
  for (; i < n; i++)
    x[i] = rest[i - whole] * inverse;
}

static inline void make_features(float *x, float half, float factor, guint n)
{
  guint i = 0;
#define FEATURES(at) (exp_vector(min_vector(load(at) - half, splat(EXP_LIMIT))) * factor)
  for (; i + LANES <= n; i += LANES)
    store(x + i, FEATURES(x + i));
  if (i < n) {
    float rest[LANES] = { 0 };
    memcpy(rest, x + i, (n - i) * sizeof *x);
    store(rest, FEATURES(rest));
    memcpy(x + i, rest, (n - i) * sizeof *x);
  }
#undef FEATURES
}

static void positive_features(float *x, const float *v, gsize v_stride, float factor, guint m,
                              guint n_features, guint n)
{
  float halves[ROWS_ASIDE];
  for (guint rows; m; m -= rows) {
    rows = MIN(m, ROWS_ASIDE);
    for (guint r = 0; r < rows; r++, v += v_stride)
      halves[r] = 0.5f * add_powers(v, 0.0f, 2, n);
    for (guint r = 0; r < rows; r++, x += n_features)
      make_features(x, halves[r], factor, n_features);
  }
}

static guint find_largest(const float *x, guint n)
{
  const float largest = largest_of(x, n);
  vec place = __builtin_convertvector(lane_numbers(), vec), first = splat((float)n);
  guint i = 0;
  for (; i + LANES <= n; i += LANES, place += (float)LANES)
    first = min_vector(select_vector(load(x + i) == largest, place, first), first);
  const float found = -max_lanes(-first);
  if (found < (float)n)
    return (guint)found;
  while (i + 1 < n && x[i] != largest)
    i++;
  return MIN(i, n - 1);
}

static void unit_sum(float *out, const float *x, guint parts, guint n)
{
  vec squares = zero();
  float square = 0.0f;
  guint i = 0;
  for (; i + LANES <= n; i += LANES) {
    vec sum = load(x + i);
    for (guint p = 1; p < parts; p++)
      sum += load(x + (gsize)p * n + i);
    store(out + i, sum);
    squares += sum * sum;
  }
  for (; i < n; i++) {
    out[i] = x[i];
    for (guint p = 1; p < parts; p++)
      out[i] += x[(gsize)p * n + i];
    square += out[i] * out[i];
  }
  const float length = sqrtf(square + add_lanes(squares));
  const float factor = length < 1e-6f ? 0.0f : 1.0f / length;
  for (i = 0; i + LANES <= n; i += LANES)
    store(out + i, load(out + i) * factor);
  for (; i < n; i++)
    out[i] *= factor;
}

/* Adds up one or four vectors of columns over all rows. */
static inline __attribute__((always_inline)) void add_columns(float *out, const float *x,
                                                              gsize x_stride, const float *weights,
                                                              guint m, const guint vectors)
{
  vec sums[4] = { zero(), zero(), zero(), zero() };
  for (guint row = 0; row < m; row++, x += x_stride) {
    const vec weight = splat(weights ? weights[row] : 1.0f);
    sums[0] += weight * load(x);
    if (vectors > 1) {
      sums[1] += weight * load(x + LANES);
      sums[2] += weight * load(x + 2 * LANES);
      sums[3] += weight * load(x + 3 * LANES);
    }
  }
  store(out, sums[0]);
  if (vectors > 1) {
    store(out + LANES, sums[1]);
    store(out + 2 * LANES, sums[2]);
    store(out + 3 * LANES, sums[3]);
  }
}

static void add_rows(float *out, const float *x, gsize x_stride, const float *weights, guint m,
                     guint n)
{
  guint i = 0;
  for (; i + 4 * LANES <= n; i += 4 * LANES)
    add_columns(out + i, x + i, x_stride, weights, m, 4);
  for (; i + LANES <= n; i += LANES)
    add_columns(out + i, x + i, x_stride, weights, m, 1);
  for (; i < n; i++) {
    out[i] = 0.0f;
    for (guint row = 0; row < m; row++)
      out[i] += (weights ? weights[row] : 1.0f) * x[row * x_stride + i];
  }
}

static float dot(const float *a, const float *b, guint n)
{
  vec sums[4] = { zero(), zero(), zero(), zero() };
  float rest = 0.0f;
  guint i = 0;
#define ADD(lane) (load(a + i + (lane)*LANES) * load(b + i + (lane)*LANES))
  for (; i + 4 * LANES <= n; i += 4 * LANES) {
    sums[0] += ADD(0);
    sums[1] += ADD(1);
    sums[2] += ADD(2);
    sums[3] += ADD(3);
  }
  for (; i + LANES <= n; i += LANES)
    sums[0] += ADD(0);
#undef ADD
  for (; i < n; i++)
    rest += a[i] * b[i];
  return rest + add_lanes((sums[0] + sums[1]) + (sums[2] + sums[3]));
}

static void multiply_vector(float *out, const float *a, const float *x, const float *bias, guint m,
                            guint n)
{
  for (guint row = 0; row < m; row++, a += n)
    out[row] = bias[row] + dot(a, x, n);
}

const Kernels KERNELS = {
  .name = G_STRINGIFY(ISA),
  .lanes = LANES,
  .gemm = gemm,
  .pack = pack,
  .pack_transposed = pack_transposed,
  .replace_columns = replace_columns,
  .replace_rows = replace_rows,
  .layer_norm = layer_norm,
  .gelu = gelu,
  .softmax = softmax,
  .positive_features = positive_features,
  .find_largest = find_largest,
  .unit_sum = unit_sum,
  .add_rows = add_rows,
  .multiply_vector = multiply_vector,
  .interleave_rows = KERNEL(interleave_rows),
  .interleave_rows16 = KERNEL(interleave_rows16),
  .resample_columns = KERNEL(resample_columns),
  .resample_rows = KERNEL(resample_rows),
  .convert_colors = KERNEL(convert_colors),
};
