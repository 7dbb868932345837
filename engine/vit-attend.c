/* Attention of one image, head by head: softmax(q k^T / sqrt(head_dim) + log size) v. A head's keys
 * and values are packed once; its queries pass by in blocks whose scores stay in the first cache.
 *
 * In a model of bf16, and one of int8 where the CPU gains by it, queries, keys, values and the
 * softmax' outcome are rounded to bfloat16; sums and the softmax itself are float32. */
#include <math.h>

#include "bf16.h"
#include "vit-work.h"

/* One head of the rows at hand: queries and, in their place, the outcome. */
typedef struct {
  float *q, *k, *v; /* [n_tokens], at stride */
  gsize stride;
} Head;

gboolean vitgate__vit_attends_in_bf16(const Vit *vit)
{
  return vit->precision == VITGATE_PRECISION_BF16 ||
         (vit->precision == VITGATE_PRECISION_INT8 && vitgate__bf16_is_fast());
}

gsize vitgate__vit_attend_size(const Vit *vit)
{
  const guint tokens = vitgate__description_n_tokens(vit->description);
  const guint n = vit->description->head_dim;
  if (!vitgate__vit_attends_in_bf16(vit))
    return vitgate__round_up(vitgate__packed_size(tokens, n)) + vitgate__packed_size(n, tokens);
  const gsize values = vitgate__bf16_packed_size(tokens, n) + vitgate__bf16_packed_size(n, tokens) +
                       BF16_ROWS * (vitgate__bf16_row_size(n) + vitgate__bf16_row_size(tokens));
  return (values * sizeof(guint16) + sizeof(float) - 1) / sizeof(float);
}

static void soften(const Job *job, float *scores, guint rows)
{
  const guint tokens = job->image->n_tokens;
  const float factor = 1.0f / sqrtf((float)job->vit->description->head_dim);
  for (guint i = 0; i < rows; i++)
    vitgate__kernels()->softmax(scores + (gsize)i * tokens, factor, tokens);
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

void vitgate__vit_attend(const Job *job, guint heads, guint first, guint last)
{
  const guint n = job->vit->description->head_dim, width = heads * n;
  const gboolean bf16 = vitgate__vit_attends_in_bf16(job->vit);
  for (guint h = 0; h < heads; h++) {
    float *q = job->qkv + h * n;
    const Head head = { q, q + width, q + 2 * width, 3 * (gsize)width };
    (bf16 ? attend_bf16 : attend_float32)(job, &head, first, last);
  }
}
