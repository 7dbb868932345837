/* Attention of one image, head by head: softmax(factor (q k^T + offsets)) v. The threads share out
 * the heads and pack their keys and values. Then each thread works through its queries in blocks
 * small enough for their scores to stay in the first-level cache.
 *
 * Operands are rounded to the model's precision. In int8, queries and the weights from the softmax
 * are quantised by row, keys by token, and values by channel. Sums are exact or float32, and the
 * softmax is float32. */
#include "network/attend.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "base/arena.h"
#include "kernels/bf16.h"
#include "kernels/int8.h"

/* Queries in one block in float32. */
#define ATTENTION_ROWS 12

/* How much wider than needed a channel of values becomes, so that it seldom widens again. */
#define VALUE_ROOM 1.125f

/* One head. */
typedef struct {
  float *q, *k, *v; /* [rows], at stride; the result replaces q */
  gsize stride;
  gpointer keys, values; /* packed */
  float *key_scales;     /* int8: [n_tokens, rounded up] */
  float *value_scales;   /* int8: [head_dim] */
} Head;

static void begin(ProfilePart part, guint rows, guint n, guint k)
{
  vitgate__profile_part(part);
  vitgate__profile_product(rows, n, k);
}

static void soften(const Attention *a, float *scores, guint rows)
{
  for (guint i = 0; i < rows; i++)
    vitgate__kernels()->softmax(scores + (gsize)i * a->n_tokens, a->factor, a->n_tokens);
}

/* ---- Memory ---- */

static gpointer take(gpointer memory, gsize *used, gsize n_bytes)
{
  guint8 *part = memory ? (guint8 *)memory + *used : NULL;
  *used += (n_bytes + 63) / 64 * 64;
  return part;
}

/* Points the head's packed keys and values into @memory, unless it is NULL.
 * Returns: the number of floats that they take */
static gsize carve_head(Head *head, gpointer memory, VitgatePrecision precision, guint tokens,
                        guint n)
{
  const gboolean scaled = precision == VITGATE_PRECISION_INT8;
  gsize used = 0;
  head->keys = take(memory, &used, vitgate__packed_bytes(precision, tokens, n));
  head->values = take(memory, &used, vitgate__packed_bytes(precision, n, tokens));
  head->key_scales = take(memory, &used, scaled ? vitgate__round_up(tokens) * sizeof(float) : 0);
  head->value_scales = take(memory, &used, scaled ? n * sizeof(float) : 0);
  return vitgate__floats_of(used);
}

/* ---- float32 ---- */

static void pack_float32(const Attention *a, const Head *head)
{
  const Kernels *kernels = vitgate__kernels();
  kernels->pack_transposed(head->keys, head->k, head->stride, a->n_tokens, a->head_dim);
  kernels->pack(head->values, head->v, head->stride, a->head_dim, a->n_tokens);
}

static void replace_float32(const Attention *a, const Head *head)
{
  const Kernels *kernels = vitgate__kernels();
  kernels->replace_columns(head->keys, head->k, head->stride, a->slots, a->n_new, a->n_tokens,
                           a->head_dim);
  kernels->replace_rows(head->values, head->v, head->stride, a->slots, a->n_new, a->head_dim,
                        a->n_tokens);
}

static void attend_float32(const Attention *a, const Head *head, guint first, guint last)
{
  const Kernels *kernels = vitgate__kernels();
  const guint tokens = a->n_tokens, n = a->head_dim;
  float *scores = a->scores;
  for (guint row = first, rows; row < last; row += rows) {
    rows = MIN(ATTENTION_ROWS, last - row);
    float *q = head->q + row * head->stride;
    begin(PART_SCORES, rows, tokens, n);
    kernels->gemm(scores, tokens, q, head->stride, head->keys, a->offsets, FALSE, rows, tokens, n);
    vitgate__profile_part(PART_SOFTMAX);
    soften(a, scores, rows);
    begin(PART_VALUES, rows, n, tokens);
    kernels->gemm(q, head->stride, scores, tokens, head->values, NULL, FALSE, rows, n, tokens);
  }
}

/* ---- bfloat16 ---- */

static void pack_bf16(const Attention *a, const Head *head)
{
  const Bf16Kernels *kernels = vitgate__bf16_kernels();
  kernels->pack_transposed(head->keys, head->k, head->stride, a->n_tokens, a->head_dim);
  kernels->pack(head->values, head->v, head->stride, a->head_dim, a->n_tokens);
}

static void replace_bf16(const Attention *a, const Head *head)
{
  const Bf16Kernels *kernels = vitgate__bf16_kernels();
  kernels->replace_columns(head->keys, head->k, head->stride, a->slots, a->n_new, a->n_tokens,
                           a->head_dim);
  kernels->replace_rows(head->values, head->v, head->stride, a->slots, a->n_new, a->head_dim,
                        a->n_tokens);
}

static void attend_bf16(const Attention *a, const Head *head, guint first, guint last)
{
  const Bf16Kernels *kernels = vitgate__bf16_kernels();
  const guint tokens = a->n_tokens, n = a->head_dim;
  float *scores = a->scores;
  guint16 *left = (guint16 *)(gpointer)a->scratch;
  for (guint row = first, rows; row < last; row += rows) {
    rows = MIN(BF16_ROWS, last - row);
    float *q = head->q + row * head->stride;
    vitgate__profile_part(PART_CONVERT);
    kernels->convert(left, q, head->stride, rows, n);
    begin(PART_SCORES, rows, tokens, n);
    kernels->gemm(scores, tokens, left, head->keys, a->offsets, FALSE, rows, tokens, n);
    vitgate__profile_part(PART_SOFTMAX);
    soften(a, scores, rows);
    vitgate__profile_part(PART_CONVERT);
    kernels->convert(left, scores, tokens, rows, tokens);
    begin(PART_VALUES, rows, n, tokens);
    kernels->gemm(q, head->stride, left, head->values, NULL, FALSE, rows, n, tokens);
  }
}

/* ---- int8 ---- */

/* The memory of one thread. */
typedef struct {
  gint8 *bytes;  /* [n_tokens, rounded up][head_dim] keys or values before they are packed */
  gpointer left; /* [LINEAR_ROWS] quantised queries or softmax weights */
  Int8Row *rows; /* [LINEAR_ROWS] their scales and zeros */
} Int8Scratch;

/* Points the arrays into @memory, unless it is NULL.
 * Returns: the number of floats that they take */
static gsize carve_int8_scratch(Int8Scratch *scratch, gpointer memory, guint tokens, guint n)
{
  const Int8Kernels *kernels = vitgate__int8_kernels();
  gsize used = 0;
  scratch->bytes = take(memory, &used, vitgate__round_up(tokens) * n);
  scratch->left =
      take(memory, &used, LINEAR_ROWS * vitgate__int8_row_size(kernels, MAX(tokens, n)));
  scratch->rows = take(memory, &used, LINEAR_ROWS * sizeof(Int8Row));
  return vitgate__floats_of(used);
}

/* Keys of zeros fill the last vector, because products need whole vectors. The softmax ignores
 * their scores. */
static void pack_int8(const Attention *a, const Head *head)
{
  const Int8Kernels *kernels = vitgate__int8_kernels();
  const guint tokens = a->n_tokens, n = a->head_dim;
  const guint columns = (guint)vitgate__round_up(tokens);
  Int8Scratch scratch;
  carve_int8_scratch(&scratch, a->scratch, tokens, n);
  kernels->quantize_rows(scratch.bytes, head->key_scales, head->k, head->stride, tokens, n);
  memset(scratch.bytes + (gsize)tokens * n, 0, (gsize)(columns - tokens) * n);
  memset(head->key_scales + tokens, 0, (columns - tokens) * sizeof(float));
  kernels->pack(head->keys, scratch.bytes, n, columns, n);
  kernels->quantize_columns(scratch.bytes, head->value_scales, head->v, head->stride, n, tokens);
  kernels->pack_transposed(head->values, scratch.bytes, n, n, tokens);
}

static void replace_keys(const Attention *a, const Head *head, gint8 *bytes)
{
  const Int8Kernels *kernels = vitgate__int8_kernels();
  const guint n = a->head_dim, columns = (guint)vitgate__round_up(a->n_tokens);
  float *scales = a->scores;
  kernels->quantize_rows(bytes, scales, head->k, head->stride, a->n_new, n);
  kernels->replace_columns(head->keys, bytes, a->slots, a->n_new, columns, n);
  for (guint i = 0; i < a->n_new; i++)
    head->key_scales[a->slots[i]] = scales[i];
}

/* Makes the scale of a channel large enough for new values, with some room for those of the next
 * frames. Values that are not finite make the scale NaN, as in quantize_columns(). */
static void widen_channel(const Attention *a, const Head *head, guint channel)
{
  float *scale = &head->value_scales[channel], largest = 0, odd = 0;
  for (guint i = 0; i < a->n_new; i++) {
    const float value = head->v[i * head->stride + channel];
    largest = MAX(largest, fabsf(value));
    odd += value * 0;
  }
  if (odd != 0 || isnan(odd)) {
    *scale = NAN;
  } else if (largest > 127 * *scale) {
    const float wider = largest * (VALUE_ROOM / 127);
    vitgate__int8_kernels()->scale_column(head->values, channel, *scale / wider, a->head_dim,
                                          a->n_tokens);
    *scale = wider;
  }
}

static void replace_values(const Attention *a, const Head *head, gint8 *bytes)
{
  const guint n = a->head_dim;
  for (guint c = 0; c < n; c++) {
    widen_channel(a, head, c);
    const float scale = head->value_scales[c], inverse = scale >= FLT_MIN ? 1 / scale : 0;
    for (guint i = 0; i < a->n_new; i++)
      bytes[i * n + c] =
          inverse > 0 ? (gint8)rintf(head->v[i * head->stride + c] * inverse) : (gint8)0;
  }
  vitgate__int8_kernels()->replace_rows(head->values, bytes, a->slots, a->n_new, n, a->n_tokens);
}

static void replace_int8(const Attention *a, const Head *head)
{
  Int8Scratch scratch;
  carve_int8_scratch(&scratch, a->scratch, a->n_tokens, a->head_dim);
  replace_keys(a, head, scratch.bytes);
  replace_values(a, head, scratch.bytes);
}

static void attend_int8(const Attention *a, const Head *head, guint first, guint last)
{
  const Int8Kernels *kernels = vitgate__int8_kernels();
  const guint tokens = a->n_tokens, n = a->head_dim;
  const guint columns = (guint)vitgate__round_up(tokens);
  float *scores = a->scores;
  Int8Scratch s;
  carve_int8_scratch(&s, a->scratch, tokens, n);
  for (guint row = first, rows; row < last; row += rows) {
    rows = vitgate__linear_rows(last - row);
    float *q = head->q + row * head->stride;
    vitgate__profile_part(PART_CONVERT);
    kernels->quantize(s.left, s.rows, q, head->stride, rows, n);
    begin(PART_SCORES, rows, columns, n);
    kernels->gemm(scores, columns, s.left, s.rows, head->keys, head->key_scales, a->offsets,
                  INT8_STORE, rows, columns, n);
    vitgate__profile_part(PART_SOFTMAX);
    kernels->soften(s.left, s.rows, scores, columns, a->factor, rows, tokens);
    begin(PART_VALUES, rows, n, tokens);
    kernels->gemm(q, head->stride, s.left, s.rows, head->values, head->value_scales, NULL,
                  INT8_STORE, rows, n, tokens);
  }
}

/* ---- All heads ---- */

gsize vitgate__attend_heads_size(VitgatePrecision precision, guint heads, guint tokens, guint n)
{
  Head head;
  return heads * carve_head(&head, NULL, precision, tokens, n);
}

gsize vitgate__attend_scores_size(VitgatePrecision precision, guint tokens)
{
  const guint rows = precision == VITGATE_PRECISION_INT8   ? LINEAR_ROWS
                     : precision == VITGATE_PRECISION_BF16 ? BF16_ROWS
                                                           : ATTENTION_ROWS;
  return rows * vitgate__round_up(tokens);
}

gsize vitgate__attend_scratch_size(VitgatePrecision precision, guint tokens, guint n)
{
  Int8Scratch scratch;
  if (precision == VITGATE_PRECISION_INT8)
    return carve_int8_scratch(&scratch, NULL, tokens, n);
  const gsize rows = BF16_ROWS * vitgate__bf16_row_size(MAX(tokens, n)) * sizeof(guint16);
  return precision == VITGATE_PRECISION_BF16 ? vitgate__floats_of(rows) : 0;
}

static Head head_of(const Attention *a, guint h)
{
  const guint n = a->head_dim, width = a->heads * n;
  float *q = a->qkv + h * n;
  Head head = { .q = q, .k = q + width, .v = q + 2 * width, .stride = 3 * (gsize)width };
  float *packed = a->packed + vitgate__attend_heads_size(a->precision, h, a->n_tokens, n);
  carve_head(&head, packed, a->precision, a->n_tokens, n);
  return head;
}

void vitgate__attend(const Attention *a, guint first, guint last)
{
  static const struct {
    void (*pack)(const Attention *, const Head *);
    void (*replace)(const Attention *, const Head *);
    void (*attend)(const Attention *, const Head *, guint, guint);
  } table[] = {
    [VITGATE_PRECISION_FLOAT32] = { pack_float32, replace_float32, attend_float32 },
    [VITGATE_PRECISION_BF16] = { pack_bf16, replace_bf16, attend_bf16 },
    [VITGATE_PRECISION_INT8] = { pack_int8, replace_int8, attend_int8 },
  };
  const ProfilePart before = vitgate__profile_part(PART_PACK);
  for (guint h = a->member; h < a->heads; h += a->n) {
    const Head head = head_of(a, h);
    (a->slots ? table[a->precision].replace : table[a->precision].pack)(a, &head);
  }
  vitgate__team_barrier(a->team);
  for (guint h = 0; h < a->heads; h++) {
    const Head head = head_of(a, h);
    table[a->precision].attend(a, &head, first, last);
  }
  vitgate__profile_part(before);
}
