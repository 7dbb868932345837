/* Matrix products with a layer's weights, in the precision that the model was opened in. */
#pragma once

#include "kernels/kernels.h"
#include "vitgate.h"

/* Most rows that are converted together, for products of less than float32. */
#define LINEAR_ROWS 72

/* Returns: how many of the rows that are left go together: as many as in every other turn */
static inline guint vitgate__linear_rows(guint left)
{
  const guint turns = (left + LINEAR_ROWS - 1) / LINEAR_ROWS;
  return turns ? (left + turns - 1) / turns : 0;
}

/* y = x W^T + b, as torch.nn.Linear: weight [n_out][n_in], bias [n_out]. */
typedef struct {
  guint n_out, n_in;
  VitgatePrecision precision; /* not AUTO */
  gpointer packed;            /* the weight as the precision's kernels want it */
  float *scales;              /* [n_out] of int8's weights, else NULL */
  float *bias;
} Linear;

typedef struct {
  float *scale, *shift; /* [dim] */
} LayerNorm;

/* out[rows][dim] = LayerNorm(x[rows][dim]) */
static inline void vitgate__normalize(const LayerNorm *norm, double eps, float *out, const float *x,
                                      guint dim, guint rows)
{
  vitgate__kernels()->layer_norm(out, x, norm->scale, norm->shift, (float)eps, rows, dim);
}

typedef enum {
  LINEAR_STORE,
  LINEAR_ADD,  /* to what is there: a residual connection */
  LINEAR_GELU, /* x Phi(x) of the product */
} LinearMode;

/* Floats that packed weight, scales and bias of such a layer take. */
gsize vitgate__linear_size(VitgatePrecision precision, guint n_out, guint n_in);

/* Floats that the converted input of LINEAR_ROWS rows takes. */
gsize vitgate__linear_input_size(VitgatePrecision precision, guint n_in);

/* Packs a layer into @memory. One of more than INT8_MOST_K inputs is packed as float32 where int8
 * is asked for. Returns: the first float behind it */
float *vitgate__linear_init(Linear *linear, VitgatePrecision precision, float *memory,
                            const float *weight, const float *bias, guint n_out, guint n_in);

/* out[rows][n_out] = in[rows][n_in] W^T + b, stored, added or made GELU of
 * @input: scratch, vitgate__linear_input_size() floats */
void vitgate__linear(const Linear *linear, float *input, float *out, gsize out_stride,
                     const float *in, gsize in_stride, LinearMode mode, guint rows);
