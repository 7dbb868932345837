#include "network/linear.h"

#include <string.h>

#include "base/arena.h"
#include "kernels/bf16.h"
#include "kernels/int8.h"

/* Longer sums could overflow in int8, so such a layer stays in float32. */
static VitgatePrecision precision_for(VitgatePrecision precision, guint n_in)
{
  return precision == VITGATE_PRECISION_INT8 && n_in > INT8_MOST_K ? VITGATE_PRECISION_FLOAT32
                                                                   : precision;
}

gsize vitgate__packed_bytes(VitgatePrecision precision, guint n, guint k)
{
  switch (precision) {
  case VITGATE_PRECISION_INT8:
    return vitgate__int8_packed_size(vitgate__int8_kernels(), n, k);
  case VITGATE_PRECISION_BF16:
    return vitgate__bf16_packed_size(n, k) * sizeof(guint16);
  case VITGATE_PRECISION_FLOAT32:
  case VITGATE_PRECISION_AUTO:
    break;
  }
  return vitgate__packed_size(n, k) * sizeof(float);
}

static gsize packed_size(VitgatePrecision precision, guint n_out, guint n_in)
{
  return vitgate__floats_of(vitgate__packed_bytes(precision, n_out, n_in));
}

gsize vitgate__linear_size(VitgatePrecision precision, guint n_out, guint n_in)
{
  return packed_size(precision_for(precision, n_in), n_out, n_in) + 2 * vitgate__round_up(n_out);
}

/* Returns: the floats that quantised rows take; their scales follow them */
static gsize int8_rows_size(guint n_in)
{
  return vitgate__floats_of(LINEAR_ROWS * vitgate__int8_row_size(vitgate__int8_kernels(), n_in));
}

gsize vitgate__linear_input_size(VitgatePrecision precision, guint n_in)
{
  const gsize blocks = (LINEAR_ROWS + BF16_ROWS - 1) / BF16_ROWS;
  switch (precision) {
  case VITGATE_PRECISION_INT8:
    return int8_rows_size(n_in) + vitgate__floats_of(LINEAR_ROWS * sizeof(Int8Row));
  case VITGATE_PRECISION_BF16:
    return vitgate__floats_of(blocks * BF16_ROWS * vitgate__bf16_row_size(n_in) * sizeof(guint16));
  case VITGATE_PRECISION_FLOAT32:
  case VITGATE_PRECISION_AUTO:
    break;
  }
  return 0;
}

float *vitgate__linear_init(Linear *linear, VitgatePrecision precision, float *memory,
                            const float *weight, const float *bias, guint n_out, guint n_in)
{
  precision = precision_for(precision, n_in);
  float *const scales = memory + packed_size(precision, n_out, n_in);
  *linear = (Linear){ .n_out = n_out,
                      .n_in = n_in,
                      .precision = precision,
                      .packed = memory,
                      .bias = scales + vitgate__round_up(n_out) };
  if (precision == VITGATE_PRECISION_INT8) {
    g_autofree gint8 *rounded = g_new(gint8, (gsize)n_out * n_in);
    linear->scales = scales;
    vitgate__int8_kernels()->quantize_rows(rounded, scales, weight, n_in, n_out, n_in);
    vitgate__int8_kernels()->pack(linear->packed, rounded, n_in, n_out, n_in);
  } else if (precision == VITGATE_PRECISION_BF16) {
    vitgate__bf16_kernels()->pack_transposed(linear->packed, weight, n_in, n_out, n_in);
  } else {
    vitgate__kernels()->pack_transposed(linear->packed, weight, n_in, n_out, n_in);
  }
  memcpy(linear->bias, bias, n_out * sizeof *bias);
  return linear->bias + vitgate__round_up(n_out);
}

static ProfilePart part_of(LinearMode mode)
{
  return mode == LINEAR_GELU ? PART_FC1 : PART_PRODUCTS;
}

static void multiply_int8(const Linear *linear, float *input, float *out, gsize out_stride,
                          const float *in, gsize in_stride, LinearMode mode, guint rows)
{
  static const Int8Mode modes[] = {
    [LINEAR_STORE] = INT8_STORE, [LINEAR_ADD] = INT8_ADD, [LINEAR_GELU] = INT8_GELU
  };
  const Int8Kernels *kernels = vitgate__int8_kernels();
  Int8Row *scales = (Int8Row *)(gpointer)(input + int8_rows_size(linear->n_in));
  const ProfilePart before = vitgate__profile_part(PART_CONVERT);
  kernels->quantize(input, scales, in, in_stride, rows, linear->n_in);
  vitgate__profile_part(part_of(mode));
  vitgate__profile_product(rows, linear->n_out, linear->n_in);
  kernels->gemm(out, out_stride, input, scales, linear->packed, linear->scales, linear->bias,
                modes[mode], rows, linear->n_out, linear->n_in);
  vitgate__profile_part(before);
}

static void multiply_floats(const Linear *linear, float *input, float *out, gsize out_stride,
                            const float *in, gsize in_stride, LinearMode mode, guint rows)
{
  const gboolean add = mode == LINEAR_ADD;
  const ProfilePart before = vitgate__profile_part(part_of(mode));
  vitgate__profile_product(rows, linear->n_out, linear->n_in);
  if (linear->precision == VITGATE_PRECISION_BF16) {
    const Bf16Kernels *kernels = vitgate__bf16_kernels();
    guint16 *left = (guint16 *)(gpointer)input;
    vitgate__profile_part(PART_CONVERT);
    kernels->convert(left, in, in_stride, rows, linear->n_in);
    vitgate__profile_part(part_of(mode));
    kernels->gemm(out, out_stride, left, linear->packed, linear->bias, add, rows, linear->n_out,
                  linear->n_in);
  } else {
    vitgate__kernels()->gemm(out, out_stride, in, in_stride, linear->packed, linear->bias, add,
                             rows, linear->n_out, linear->n_in);
  }
  vitgate__profile_part(PART_GELU);
  for (guint i = 0; mode == LINEAR_GELU && i < rows; i++)
    vitgate__kernels()->gelu(out + i * out_stride, linear->n_out);
  vitgate__profile_part(before);
}

void vitgate__linear(const Linear *linear, float *input, float *out, gsize out_stride,
                     const float *in, gsize in_stride, LinearMode mode, guint rows)
{
  for (guint row = 0, some; row < rows; row += some) {
    some = vitgate__linear_rows(rows - row);
    (linear->precision == VITGATE_PRECISION_INT8 ? multiply_int8 : multiply_floats)(
        linear, input, out + row * out_stride, out_stride, in + row * in_stride, in_stride, mode,
        some);
  }
}
