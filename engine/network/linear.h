/* Matrix products with the weights of a layer, in the precision that the model was opened with. */
#pragma once

#include "base/profile.h"
#include "kernels/kernels.h"
#include "vitgate.h"

/* Maximum number of rows that are converted together for products below float32. */
#define LINEAR_ROWS 72

/* Returns: the size of the next chunk of the rows that are left. Rows are split evenly into chunks
 * of at most LINEAR_ROWS. */
static inline guint vitgate__linear_rows(guint left)
{
  const guint turns = (left + LINEAR_ROWS - 1) / LINEAR_ROWS;
  return turns ? (left + turns - 1) / turns : 0;
}

/* y = x W^T + b, as in torch.nn.Linear: weight [n_out][n_in], bias [n_out]. */
typedef struct {
  guint n_out, n_in;
  VitgatePrecision precision; /* not AUTO */
  gpointer packed;            /* the weight in the layout of the precision's kernels */
  float *scales;              /* int8: [n_out] scales of the weights; otherwise NULL */
  float *bias;
} Linear;

typedef struct {
  float *scale, *shift; /* [dim] */
} LayerNorm;

/* out[rows][dim] = LayerNorm(x[rows][dim]) */
static inline void vitgate__normalize(const LayerNorm *norm, double eps, float *out, const float *x,
                                      guint dim, guint rows)
{
  const ProfilePart before = vitgate__profile_part(PART_NORM);
  vitgate__kernels()->layer_norm(out, x, norm->scale, norm->shift, (float)eps, rows, dim);
  vitgate__profile_part(before);
}

typedef enum {
  LINEAR_STORE,
  LINEAR_ADD,  /* adds the product to the output: a residual connection */
  LINEAR_GELU, /* stores GELU(product) */
} LinearMode;

/* Returns: the number of bytes of a packed matrix [k][n] for the kernels of @precision */
gsize vitgate__packed_bytes(VitgatePrecision precision, guint n, guint k);

/* Returns: the number of floats that the packed weight, scales and bias of a layer take */
gsize vitgate__linear_size(VitgatePrecision precision, guint n_out, guint n_in);

/* Returns: the number of floats that LINEAR_ROWS rows of converted input take */
gsize vitgate__linear_input_size(VitgatePrecision precision, guint n_in);

/* Packs a layer into @memory. If int8 is asked for, a layer of more than INT8_MOST_K inputs is
 * packed as float32.
 *
 * Returns: the first float after the layer */
float *vitgate__linear_init(Linear *linear, VitgatePrecision precision, float *memory,
                            const float *weight, const float *bias, guint n_out, guint n_in);

/* out[rows][n_out] = in[rows][n_in] W^T + b, stored as @mode says.
 * @input: scratch memory of vitgate__linear_input_size() floats */
void vitgate__linear(const Linear *linear, float *input, float *out, gsize out_stride,
                     const float *in, gsize in_stride, LinearMode mode, guint rows);
