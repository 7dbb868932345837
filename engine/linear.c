#include "linear.h"

#include <string.h>

gsize vitgate__linear_size(guint n_out, guint n_in)
{
  return vitgate__round_up(vitgate__packed_size(n_out, n_in)) + vitgate__round_up(n_out);
}

float *vitgate__linear_init(Linear *linear, float *memory, const float *weight, const float *bias,
                            guint n_out, guint n_in)
{
  linear->n_out = n_out;
  linear->n_in = n_in;
  linear->packed = memory;
  linear->bias = memory + vitgate__round_up(vitgate__packed_size(n_out, n_in));
  vitgate__kernels()->pack_transposed(linear->packed, weight, n_in, n_out, n_in);
  memcpy(linear->bias, bias, n_out * sizeof *bias);
  return linear->bias + vitgate__round_up(n_out);
}

void vitgate__linear(const Linear *linear, float *out, gsize out_stride, const float *in,
                     gsize in_stride, gboolean accumulate, guint rows)
{
  vitgate__kernels()->gemm(out, out_stride, in, in_stride, linear->packed, linear->bias, accumulate,
                           rows, linear->n_out, linear->n_in);
}
