/* Attention of one image, head by head: softmax(factor (q k^T + offsets)) v. Keys and values are
 * packed once, shared out by heads; then queries pass by in blocks whose scores stay in the first
 * cache.
 *
 * Operands are rounded to the model's precision: in a model of int8 queries, and the shares that
 * the softmax deals out, row by row, keys token by token, and values channel by channel. Sums are
 * exact or float32, and the softmax is float32. */
#include <string.h>

#include "attend.h"
#include "bf16.h"
#include "int8.h"

/* Queries that go together in float32. */
#define ATTENTION_ROWS 12

/* One head of the rows at hand: queries and, in their place, the outcome. */
typedef struct {
  float *q, *k, *v; /* [n_tokens], at stride */
  gsize stride;
  gpointer packed; /* keys and values */
} Head;

static void soften(const Attention *a, float *scores, guint rows)
{
  for (guint i = 0; i < rows; i++)
    vitgate__kernels()->softmax(scores + (gsize)i * a->n_tokens, a->factor, a->n_tokens);
}

static gpointer take(gpointer memory, gsize *used, gsize n_bytes)
{
  guint8 *part = memory ? (guint8 *)memory + *used : NULL;
  *used += (n_bytes + 63) / 64 * 64;
  return part;
}

/* ---- float32 ---- */

typedef struct {
  float *keys, *values;
} Float32Head;

static gsize carve_float32(Float32Head *head, gpointer memory, guint tokens, guint n)
{
  gsize used = 0;
  head->keys = take(memory, &used, vitgate__packed_size(tokens, n) * sizeof(float));
  head->values = take(memory, &used, vitgate__packed_size(n, tokens) * sizeof(float));
  return used;
}

static void pack_float32(const Attention *a, const Head *head)
{
  const guint tokens = a->n_tokens, n = a->head_dim;
  Float32Head packed;
  carve_float32(&packed, head->packed, tokens, n);
  vitgate__kernels()->pack_transposed(packed.keys, head->k, head->stride, tokens, n);
  vitgate__kernels()->pack(packed.values, head->v, head->stride, n, tokens);
}

static void attend_float32(const Attention *a, const Head *head, guint first, guint last)
{
  const Kernels *kernels = vitgate__kernels();
  const guint tokens = a->n_tokens, n = a->head_dim;
  float *scores = a->scores;
  Float32Head packed;
  carve_float32(&packed, head->packed, tokens, n);
  for (guint row = first, rows; row < last; row += rows) {
    rows = MIN(ATTENTION_ROWS, last - row);
    float *q = head->q + row * head->stride;
    kernels->gemm(scores, tokens, q, head->stride, packed.keys, a->offsets, FALSE, rows, tokens, n);
    soften(a, scores, rows);
    kernels->gemm(q, head->stride, scores, tokens, packed.values, NULL, FALSE, rows, n, tokens);
  }
}

/* ---- bfloat16 ---- */

typedef struct {
  guint16 *keys, *values;
} Bf16Head;

static gsize carve_bf16(Bf16Head *head, gpointer memory, guint tokens, guint n)
{
  gsize used = 0;
  head->keys = take(memory, &used, vitgate__bf16_packed_size(tokens, n) * sizeof(guint16));
  head->values = take(memory, &used, vitgate__bf16_packed_size(n, tokens) * sizeof(guint16));
  return used;
}

static gsize bf16_rows_size(guint tokens, guint n)
{
  return BF16_ROWS * vitgate__bf16_row_size(MAX(tokens, n)) * sizeof(guint16);
}

static void pack_bf16(const Attention *a, const Head *head)
{
  const guint tokens = a->n_tokens, n = a->head_dim;
  Bf16Head packed;
  carve_bf16(&packed, head->packed, tokens, n);
  vitgate__bf16_kernels()->pack_transposed(packed.keys, head->k, head->stride, tokens, n);
  vitgate__bf16_kernels()->pack(packed.values, head->v, head->stride, n, tokens);
}

static void attend_bf16(const Attention *a, const Head *head, guint first, guint last)
{
  const Bf16Kernels *kernels = vitgate__bf16_kernels();
  const guint tokens = a->n_tokens, n = a->head_dim;
  float *scores = a->scores;
  guint16 *left = (guint16 *)(gpointer)a->scratch;
  Bf16Head packed;
  carve_bf16(&packed, head->packed, tokens, n);
  for (guint row = first, rows; row < last; row += rows) {
    rows = MIN(BF16_ROWS, last - row);
    float *q = head->q + row * head->stride;
    kernels->convert(left, q, head->stride, rows, n);
    kernels->gemm(scores, tokens, left, packed.keys, a->offsets, FALSE, rows, tokens, n);
    soften(a, scores, rows);
    kernels->convert(left, scores, tokens, rows, tokens);
    kernels->gemm(q, head->stride, left, packed.values, NULL, FALSE, rows, n, tokens);
  }
}

/* ---- int8 ---- */

typedef struct {
  gpointer keys, values;
  float *key_scales;   /* [n_tokens, rounded up] */
  float *value_scales; /* [head_dim] */
} Int8Head;

static gsize carve_int8(Int8Head *head, gpointer memory, guint tokens, guint n)
{
  const Int8Kernels *kernels = vitgate__int8_kernels();
  const guint columns = (guint)vitgate__round_up(tokens);
  gsize used = 0;
  head->keys = take(memory, &used, vitgate__int8_packed_size(kernels, columns, n));
  head->values = take(memory, &used, vitgate__int8_packed_size(kernels, n, tokens));
  head->key_scales = take(memory, &used, columns * sizeof(float));
  head->value_scales = take(memory, &used, n * sizeof(float));
  return used;
}

/* A member's own: keys or values before they are packed, or rows on their way into products. */
typedef struct {
  gint8 *bytes;  /* [n_tokens, rounded up][head_dim] */
  gpointer left; /* queries or shares */
  Int8Row *rows; /* [LINEAR_ROWS] of them */
} Int8Scratch;

static gsize carve_int8_scratch(Int8Scratch *scratch, gpointer memory, guint tokens, guint n)
{
  const Int8Kernels *kernels = vitgate__int8_kernels();
  gsize used = 0;
  scratch->bytes = take(memory, &used, vitgate__round_up(tokens) * n);
  scratch->left =
      take(memory, &used, LINEAR_ROWS * vitgate__int8_row_size(kernels, MAX(tokens, n)));
  scratch->rows = take(memory, &used, LINEAR_ROWS * sizeof(Int8Row));
  return used;
}

/* Keys of zeros fill the last vector, for the products' sake; softmax leaves their scores out. */
static void pack_int8(const Attention *a, const Head *head)
{
  const Int8Kernels *kernels = vitgate__int8_kernels();
  const guint tokens = a->n_tokens, n = a->head_dim;
  const guint columns = (guint)vitgate__round_up(tokens);
  Int8Head packed;
  Int8Scratch scratch;
  carve_int8(&packed, head->packed, tokens, n);
  carve_int8_scratch(&scratch, a->scratch, tokens, n);
  kernels->quantize_rows(scratch.bytes, packed.key_scales, head->k, head->stride, tokens, n);
  memset(scratch.bytes + (gsize)tokens * n, 0, (gsize)(columns - tokens) * n);
  memset(packed.key_scales + tokens, 0, (columns - tokens) * sizeof(float));
  kernels->pack(packed.keys, scratch.bytes, n, columns, n);
  kernels->quantize_columns(scratch.bytes, packed.value_scales, head->v, head->stride, n, tokens);
  kernels->pack_transposed(packed.values, scratch.bytes, n, n, tokens);
}

static void attend_int8(const Attention *a, const Head *head, guint first, guint last)
{
  const Int8Kernels *kernels = vitgate__int8_kernels();
  const guint tokens = a->n_tokens, n = a->head_dim;
  const guint columns = (guint)vitgate__round_up(tokens);
  float *scores = a->scores;
  Int8Head packed;
  Int8Scratch s;
  carve_int8(&packed, head->packed, tokens, n);
  carve_int8_scratch(&s, a->scratch, tokens, n);
  for (guint row = first, rows; row < last; row += rows) {
    rows = vitgate__linear_rows(last - row);
    float *q = head->q + row * head->stride;
    kernels->quantize(s.left, s.rows, q, head->stride, rows, n);
    kernels->gemm(scores, columns, s.left, s.rows, packed.keys, packed.key_scales, a->offsets,
                  INT8_STORE, rows, columns, n);
    kernels->soften(s.left, s.rows, scores, columns, a->factor, rows, tokens);
    kernels->gemm(q, head->stride, s.left, s.rows, packed.values, packed.value_scales, NULL,
                  INT8_STORE, rows, n, tokens);
  }
}

/* ---- All heads ---- */

static gsize floats_of(gsize n_bytes)
{
  return vitgate__round_up((n_bytes + sizeof(float) - 1) / sizeof(float));
}

/* Floats of one head's keys and values. */
static gsize head_size(VitgatePrecision precision, guint tokens, guint n)
{
  Float32Head float32;
  Bf16Head bf16;
  Int8Head int8;
  switch (precision) {
  case VITGATE_PRECISION_INT8:
    return floats_of(carve_int8(&int8, NULL, tokens, n));
  case VITGATE_PRECISION_BF16:
    return floats_of(carve_bf16(&bf16, NULL, tokens, n));
  case VITGATE_PRECISION_FLOAT32:
  case VITGATE_PRECISION_AUTO:
    break;
  }
  return floats_of(carve_float32(&float32, NULL, tokens, n));
}

gsize vitgate__attend_heads_size(VitgatePrecision precision, guint heads, guint tokens, guint n)
{
  return heads * head_size(precision, tokens, n);
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
    return floats_of(carve_int8_scratch(&scratch, NULL, tokens, n));
  return precision == VITGATE_PRECISION_BF16 ? floats_of(bf16_rows_size(tokens, n)) : 0;
}

static Head head_of(const Attention *a, guint h)
{
  const guint n = a->head_dim, width = a->heads * n;
  float *q = a->qkv + h * n;
  return (Head){ .q = q,
                 .k = q + width,
                 .v = q + 2 * width,
                 .stride = 3 * (gsize)width,
                 .packed = a->packed + h * head_size(a->precision, a->n_tokens, n) };
}

void vitgate__attend(const Attention *a, guint first, guint last)
{
  static const struct {
    void (*pack)(const Attention *, const Head *);
    void (*attend)(const Attention *, const Head *, guint, guint);
  } table[] = {
    [VITGATE_PRECISION_FLOAT32] = { pack_float32, attend_float32 },
    [VITGATE_PRECISION_BF16] = { pack_bf16, attend_bf16 },
    [VITGATE_PRECISION_INT8] = { pack_int8, attend_int8 },
  };
  for (guint h = a->member; h < a->heads; h += a->n) {
    const Head head = head_of(a, h);
    table[a->precision].pack(a, &head);
  }
  if (a->team)
    vitgate__team_barrier(a->team);
  for (guint h = 0; h < a->heads; h++) {
    const Head head = head_of(a, h);
    table[a->precision].attend(a, &head, first, last);
  }
}
