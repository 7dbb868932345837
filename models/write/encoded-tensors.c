#include "write/encoded-tensors.h"

#include <math.h>
#include <string.h>

#include "base/command-error.h"
#include "kernels/int8.h"

#define MAX_FLOAT16 65504.0f
#define MAX_BF16    0x1.fep127f

EncodedTensors *encoded_tensors_new(VitgatePrecision precision)
{
  EncodedTensors *storage = g_new(EncodedTensors, 1);
  *storage = (EncodedTensors){
    .precision = precision,
    .tensors = g_array_new(FALSE, FALSE, sizeof(Tensor)),
    .owned = g_ptr_array_new_with_free_func(g_free),
  };
  return storage;
}

void encoded_tensors_free(EncodedTensors **storage)
{
  EncodedTensors *s = g_steal_pointer(storage);
  if (!s)
    return;
  g_array_unref(s->tensors);
  g_ptr_array_unref(s->owned);
  g_free(s);
}

gboolean encoded_tensors_parse(const char *name, VitgatePrecision *precision, GError **error)
{
  if (vitgate_precision_parse(name, precision, NULL) && *precision != VITGATE_PRECISION_AUTO)
    return TRUE;
  return command_fail(error, "--precision is \"%s\", expected float32, bf16 or int8", name);
}

const char *encoded_tensors_name(VitgatePrecision precision)
{
  return precision == VITGATE_PRECISION_BF16 ? "bfloat16" : vitgate_precision_name(precision);
}

static gboolean all_within(float limit, const float *values, gsize n)
{
  gsize i = 0;
  while (i < n && fabsf(values[i]) <= limit)
    i++;
  return i == n;
}

static TensorType choose_type(VitgatePrecision precision, const char *name, guint n_dims,
                              const float *values, gsize n)
{
  if (precision == VITGATE_PRECISION_FLOAT32)
    return TENSOR_F32;
  /* The largest tensor that is not a matrix; and matrices that are multiplied in float32. */
  if (!strcmp(name, "pos_embed") || g_str_has_prefix(name, "unknown."))
    return all_within(MAX_FLOAT16, values, n) ? TENSOR_F16 : TENSOR_F32;
  /* A performer's random features stay in float32. */
  const gboolean matrix = (n_dims == 2 || n_dims == 4) && !g_str_has_suffix(name, ".w");
  if (matrix && precision == VITGATE_PRECISION_INT8)
    return TENSOR_I8;
  return matrix && all_within(MAX_BF16, values, n) ? TENSOR_BF16 : TENSOR_F32;
}

static void convert_to_bf16(guint16 *out, const float *values, gsize n)
{
  for (gsize i = 0; i < n; i++) {
    guint32 bits;
    memcpy(&bits, &values[i], sizeof bits);
    out[i] = (guint16)((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
  }
}

/* IEEE 754 binary32 to binary16: nearest, ties to even.
 * @value: at most MAX_FLOAT16 in magnitude */
static guint16 float_to_half(float value)
{
  union {
    float value;
    guint32 bits;
  } u = { value };
  const guint32 sign = u.bits & 0x80000000;
  u.bits ^= sign;
  if (u.value < 0x1p-14f) {
    u.value += 0.5f; /* moves the subnormal's ten bits to the end of the mantissa */
    u.bits -= 0x3f000000;
  } else {
    u.bits = (u.bits - 0x38000000 + 0xfff + (u.bits >> 13 & 1)) >> 13;
  }
  return (guint16)(sign >> 16 | u.bits);
}

/* Rounds like the engine does when it loads float weights, so that both get the same integers. A
 * scale in a file must be positive, so a row of zeros gets the scale 1. */
static void convert_to_int8(gint8 *out, float *scales, const float *values, gsize rows,
                            gsize columns)
{
  vitgate__int8_kernels()->quantize_rows(out, scales, values, columns, (guint)rows, (guint)columns);
  for (gsize r = 0; r < rows; r++)
    if (scales[r] == 0)
      scales[r] = 1;
}

/* Returns: (transfer none): memory for the data of the added tensor */
static gpointer add_tensor(EncodedTensors *storage, const char *name, TensorType type,
                           const guint64 *shape, guint n_dims)
{
  Tensor tensor = { .name = name, .type = type, .n_dims = n_dims };
  tensor.n_bytes = vitgate__tensor_types[type].size;
  for (guint i = 0; i < n_dims; i++)
    tensor.n_bytes *= tensor.shape[i] = shape[i];
  gpointer data = g_malloc(tensor.n_bytes);
  tensor.data = data;
  g_ptr_array_add(storage->owned, data);
  g_array_append_val(storage->tensors, tensor);
  return data;
}

void encoded_tensors_add(EncodedTensors *storage, const char *name, const guint64 *shape,
                         guint n_dims, const float *values)
{
  gsize n = 1;
  for (guint i = 0; i < n_dims; i++)
    n *= shape[i];
  const TensorType type = choose_type(storage->precision, name, n_dims, values, n);
  gpointer data = add_tensor(storage, name, type, shape, n_dims);
  if (type == TENSOR_I8) {
    char *scale_name = g_strconcat(name, "_scale", NULL);
    g_ptr_array_add(storage->owned, scale_name);
    float *scales = add_tensor(storage, scale_name, TENSOR_F32, shape, 1);
    convert_to_int8(data, scales, values, shape[0], shape[0] ? n / shape[0] : 0);
  } else if (type == TENSOR_BF16) {
    convert_to_bf16(data, values, n);
  } else if (type == TENSOR_F16) {
    guint16 *halves = data;
    for (gsize i = 0; i < n; i++)
      halves[i] = float_to_half(values[i]);
  } else {
    memcpy(data, values, n * sizeof *values);
  }
}

void encoded_tensors_round(VitgatePrecision precision, const char *name, const guint64 *shape,
                           guint n_dims, float *values)
{
  g_autoptr(EncodedTensors) storage = encoded_tensors_new(precision);
  encoded_tensors_add(storage, name, shape, n_dims, values);
  const Tensor *tensor = &g_array_index(storage->tensors, Tensor, 0);
  vitgate__tensor_to_float(values, tensor, NULL); /* cannot fail: it is in memory */
  if (tensor->type != TENSOR_I8)
    return;
  const float *scales = tensor[1].data;
  const gsize n = vitgate__tensor_n_elements(tensor);
  for (gsize i = 0; i < n; i++)
    values[i] *= scales[i / (n / shape[0])];
}
