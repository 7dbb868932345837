/* Attention of one image, head by head: softmax(q k^T / sqrt(head_dim) + log size) v. A head's keys
 * and values are packed once; its queries pass by in blocks whose scores stay in the first cache.
 *
 * Operands are rounded to the model's precision: in a model of int8 queries, and the shares that
 * the softmax deals out, row by row, keys token by token, and values channel by channel. Sums are
 * exact or float32, and the softmax is float32. */
#include <math.h>
#include <string.h>

#include "bf16.h"
#include "int8.h"
#include "vit-work.h"

/* One head of the rows at hand: queries and, in their place, the outcome. */
typedef struct {
  float *q, *k, *v; /* [n_tokens], at stride */
  gsize stride;
} Head;

/* ---- Memory ---- */

/* A head, and a block of rows, on their way into products of int8. */
typedef struct {
  gpointer keys, values; /* packed */
  gint8 *bytes;          /* keys or values before */
  float *key_scales;     /* [n_tokens, rounded up] */
  float *value_scales;   /* [head_dim] */
  gpointer left;         /* queries or shares */
  Int8Row *rows;         /* [CHUNK] of them */
} Int8Parts;

static gpointer take(guint8 *memory, gsize *used, gsize n_bytes)
{
  guint8 *part = memory ? memory + *used : NULL;
  *used += (n_bytes + 63) / 64 * 64;
  return part;
}

/* Returns: the bytes that they take */
static gsize carve_int8(Int8Parts *parts, guint8 *memory, guint tokens, guint n)
{
  const Int8Kernels *kernels = vitgate__int8_kernels();
  const gsize rounded = vitgate__round_up(tokens);
  gsize used = 0;
  parts->keys = take(memory, &used, vitgate__int8_packed_size(kernels, tokens, n));
  parts->values = take(memory, &used, vitgate__int8_packed_size(kernels, n, tokens));
  parts->bytes = take(memory, &used, rounded * n);
  parts->key_scales = take(memory, &used, rounded * sizeof(float));
  parts->value_scales = take(memory, &used, n * sizeof(float));
  parts->left = take(memory, &used, CHUNK * vitgate__int8_row_size(kernels, MAX(tokens, n)));
  parts->rows = take(memory, &used, CHUNK * sizeof(Int8Row));
  return used;
}

gsize vitgate__vit_attend_size(const Vit *vit)
{
  const guint tokens = vitgate__description_n_tokens(vit->description);
  const guint n = vit->description->head_dim;
  Int8Parts parts;
  gsize bytes = 0;
  switch (vit->precision) {
  case VITGATE_PRECISION_INT8:
    bytes = carve_int8(&parts, NULL, tokens, n);
    break;
  case VITGATE_PRECISION_BF16:
    bytes = sizeof(guint16) *
            (vitgate__bf16_packed_size(tokens, n) + vitgate__bf16_packed_size(n, tokens) +
             BF16_ROWS * (vitgate__bf16_row_size(n) + vitgate__bf16_row_size(tokens)));
    break;
  case VITGATE_PRECISION_FLOAT32:
  case VITGATE_PRECISION_AUTO:
    return vitgate__round_up(vitgate__packed_size(tokens, n)) + vitgate__packed_size(n, tokens);
  }
  return (bytes + sizeof(float) - 1) / sizeof(float);
}

/* ---- Heads ---- */

static float score_factor(const Job *job)
{
  return 1.0f / sqrtf((float)job->vit->description->head_dim);
}

static void soften(const Job *job, float *scores, guint rows)
{
  const guint tokens = job->image->n_tokens;
  for (guint i = 0; i < rows; i++)
    vitgate__kernels()->softmax(scores + (gsize)i * tokens, score_factor(job), tokens);
}

static const float *offsets_of(const Job *job)
{
  return job->image->merged ? job->image->offsets : NULL;
}

static void attend_float32(const Job *job, const Head *head, guint first, guint last)
{
  const Kernels *kernels = vitgate__kernels();
  const guint tokens = job->image->n_tokens, n = job->vit->description->head_dim;
  float *scores = job->scratch->scores, *keys = job->scratch->attend;
  float *values = keys + vitgate__round_up(vitgate__packed_size(tokens, n));
  kernels->pack_transposed(keys, head->k, head->stride, tokens, n);
  kernels->pack(values, head->v, head->stride, n, tokens);
  for (guint row = first, rows; row < last; row += rows) {
    rows = MIN(ATTENTION_ROWS, last - row);
    float *q = head->q + row * head->stride;
    kernels->gemm(scores, tokens, q, head->stride, keys, offsets_of(job), FALSE, rows, tokens, n);
    soften(job, scores, rows);
    kernels->gemm(q, head->stride, scores, tokens, values, NULL, FALSE, rows, n, tokens);
  }
}

static void attend_bf16(const Job *job, const Head *head, guint first, guint last)
{
  const Bf16Kernels *kernels = vitgate__bf16_kernels();
  const guint tokens = job->image->n_tokens, n = job->vit->description->head_dim;
  float *scores = job->scratch->scores;
  guint16 *keys = (guint16 *)(gpointer)job->scratch->attend;
  guint16 *values = keys + vitgate__bf16_packed_size(tokens, n);
  guint16 *queries = values + vitgate__bf16_packed_size(n, tokens);
  guint16 *shares = queries + BF16_ROWS * vitgate__bf16_row_size(n);
  kernels->pack_transposed(keys, head->k, head->stride, tokens, n);
  kernels->pack(values, head->v, head->stride, n, tokens);
  for (guint row = first, rows; row < last; row += rows) {
    rows = MIN(BF16_ROWS, last - row);
    float *q = head->q + row * head->stride;
    kernels->convert(queries, q, head->stride, rows, n);
    kernels->gemm(scores, tokens, queries, keys, offsets_of(job), FALSE, rows, tokens, n);
    soften(job, scores, rows);
    kernels->convert(shares, scores, tokens, rows, tokens);
    kernels->gemm(q, head->stride, shares, values, NULL, FALSE, rows, n, tokens);
  }
}

/* Keys of zeros fill the last vector, for the products' sake; softmax leaves their scores out. */
static void attend_int8(const Job *job, const Head *head, guint first, guint last)
{
  const Int8Kernels *kernels = vitgate__int8_kernels();
  const guint tokens = job->image->n_tokens, n = job->vit->description->head_dim;
  const guint columns = (guint)vitgate__round_up(tokens);
  float *scores = job->scratch->scores;
  Int8Parts p;
  carve_int8(&p, (guint8 *)job->scratch->attend, tokens, n);
  kernels->quantize_rows(p.bytes, p.key_scales, head->k, head->stride, tokens, n);
  memset(p.bytes + (gsize)tokens * n, 0, (gsize)(columns - tokens) * n);
  memset(p.key_scales + tokens, 0, (columns - tokens) * sizeof *p.key_scales);
  kernels->pack(p.keys, p.bytes, n, columns, n);
  kernels->quantize_columns(p.bytes, p.value_scales, head->v, head->stride, n, tokens);
  kernels->pack_transposed(p.values, p.bytes, n, n, tokens);
  for (guint row = first, rows; row < last; row += rows) {
    rows = vitgate__linear_rows(last - row);
    float *q = head->q + row * head->stride;
    kernels->quantize(p.left, p.rows, q, head->stride, rows, n);
    kernels->gemm(scores, columns, p.left, p.rows, p.keys, p.key_scales, offsets_of(job),
                  INT8_STORE, rows, columns, n);
    kernels->soften(p.left, p.rows, scores, columns, score_factor(job), rows, tokens);
    kernels->gemm(q, head->stride, p.left, p.rows, p.values, p.value_scales, NULL, INT8_STORE, rows,
                  n, tokens);
  }
}

void vitgate__vit_attend(const Job *job, guint heads, guint first, guint last)
{
  static void (*const attend[])(const Job *, const Head *, guint, guint) = {
    [VITGATE_PRECISION_FLOAT32] = attend_float32,
    [VITGATE_PRECISION_BF16] = attend_bf16,
    [VITGATE_PRECISION_INT8] = attend_int8,
  };
  const guint n = job->vit->description->head_dim, width = heads * n;
  for (guint h = 0; h < heads; h++) {
    float *q = job->qkv + h * n;
    const Head head = { q, q + width, q + 2 * width, 3 * (gsize)width };
    attend[job->vit->precision](job, &head, first, last);
  }
}
