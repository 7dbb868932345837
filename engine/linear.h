/* Matrix products with a layer's weights. */
#pragma once

#include "kernels.h"

/* y = x W^T + b, as torch.nn.Linear: weight [n_out][n_in], bias [n_out]. */
typedef struct {
  guint n_out, n_in;
  float *packed; /* the weight as vitgate__kernels()->gemm wants it */
  float *bias;
} Linear;

/* Floats that the packed weight and the bias of such a layer take. */
gsize vitgate__linear_size(guint n_out, guint n_in);

/* Packs a layer into @memory.
 * Returns: the first float behind it */
float *vitgate__linear_init(Linear *linear, float *memory, const float *weight, const float *bias,
                            guint n_out, guint n_in);

/* out[rows][n_out] = (accumulate ? out : 0) + in[rows][n_in] W^T + b */
void vitgate__linear(const Linear *linear, float *out, gsize out_stride, const float *in,
                     gsize in_stride, gboolean accumulate, guint rows);
