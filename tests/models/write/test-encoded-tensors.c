/* Tests how weights are encoded in a model file. */
#include <math.h>
#include <string.h>

#include "base/command-error.h"
#include "fixtures.h"
#include "kernels/int8.h"
#include "write/encoded-tensors.h"

/* Returns the result of encoded_tensors_add() for a tensor with this name and 2 rows of 3
 * values. */
static EncodedTensors *store(VitgatePrecision precision, const char *name, const float values[6])
{
  static const guint64 shape[] = { 2, 3 };
  EncodedTensors *storage = encoded_tensors_new(precision);
  encoded_tensors_add(storage, name, shape, 2, values);
  return storage;
}

static const Tensor *tensor_of(const EncodedTensors *storage, guint i)
{
  ck_assert_uint_lt(i, storage->tensors->len);
  return &g_array_index(storage->tensors, Tensor, i);
}

/* 1 + 2^-8 and 1 + 3 * 2^-8 lie halfway between two neighbours. */
START_TEST(bf16_rounds_to_nearest_with_ties_to_even)
{
  const float values[] = { 0x1.01p0f, 0x1.03p0f, -0x1.01p0f, 0x1.010002p0f, 0x1p-133f, -0.0f };
  static const guint16 expected[] = { 0x3f80, 0x3f82, 0xbf80, 0x3f81, 0x0001, 0x8000 };
  g_autoptr(EncodedTensors) storage = store(VITGATE_PRECISION_BF16, "head.weight", values);
  const Tensor *tensor = tensor_of(storage, 0);
  ck_assert_int_eq(tensor->type, TENSOR_BF16);
  ck_assert_uint_eq(tensor->n_bytes, sizeof expected);
  ck_assert_mem_eq(tensor->data, expected, sizeof expected);
}
END_TEST

/* float16 values have the order of their bits. The mean of two neighbours is exact in float32. */
START_TEST(float16_rounds_to_nearest_with_ties_to_even)
{
  const guint16 largest = 0x7bff;
  for (guint i = 0; i < largest; i++) {
    const guint16 pair[] = { (guint16)i, (guint16)(i + 1) };
    const Tensor neighbours = { .type = TENSOR_F16, .data = pair, .n_bytes = sizeof pair };
    float ends[2];
    ck_assert(vitgate__tensor_to_float(ends, &neighbours, NULL));
    const float middle = (ends[0] + ends[1]) / 2;
    const float values[] = { ends[0], nextafterf(middle, 0),
                             middle,  nextafterf(middle, 1e6f),
                             -middle, -ends[0] };
    const guint16 even = pair[i & 1], sign = 0x8000;
    const guint16 expected[] = { pair[0], pair[0], even, pair[1], sign | even, sign | pair[0] };
    g_autoptr(EncodedTensors) storage = store(VITGATE_PRECISION_BF16, "pos_embed", values);
    const Tensor *tensor = tensor_of(storage, 0);
    ck_assert_int_eq(tensor->type, TENSOR_F16);
    ck_assert_mem_eq(tensor->data, expected, sizeof expected);
  }
}
END_TEST

START_TEST(int8_has_a_scale_for_each_row)
{
  const float values[] = { 0.5f, -2, 1, 0, 0, 0 };
  static const gint8 expected[] = { 32, -127, 64, 0, 0, 0 };
  g_autoptr(EncodedTensors) storage = store(VITGATE_PRECISION_INT8, "head.weight", values);
  ck_assert_uint_eq(storage->tensors->len, 2);
  const Tensor *tensor = tensor_of(storage, 0), *scale = tensor_of(storage, 1);
  ck_assert_int_eq(tensor->type, TENSOR_I8);
  ck_assert_mem_eq(tensor->data, expected, sizeof expected);
  ck_assert_str_eq(scale->name, "head.weight_scale");
  ck_assert_uint_eq(scale->n_dims, 1);
  ck_assert_uint_eq(scale->n_bytes, 2 * sizeof(float));
  ck_assert_float_eq(((const float *)scale->data)[0], 2.0f / 127);
  ck_assert_float_gt(((const float *)scale->data)[1], 0);
}
END_TEST

/* The engine quantises float weights when it loads them. Both must get the same integers. */
START_TEST(int8_rounds_like_the_engine)
{
  enum { ROWS = 64, COLUMNS = 192 };
  static const guint64 shape[] = { ROWS, COLUMNS };
  static float values[ROWS * COLUMNS], scales[ROWS];
  static gint8 integers[ROWS * COLUMNS];
  g_autoptr(GRand) random = g_rand_new_with_seed(3);
  for (guint i = 0; i < ROWS * COLUMNS; i++)
    values[i] = (float)(0.001 * g_rand_int_range(random, -1000, 1001)); /* ties and near ties */
  vitgate__int8_kernels()->quantize_rows(integers, scales, values, COLUMNS, ROWS, COLUMNS);
  g_autoptr(EncodedTensors) storage = encoded_tensors_new(VITGATE_PRECISION_INT8);
  encoded_tensors_add(storage, "head.weight", shape, 2, values);
  ck_assert_mem_eq(tensor_of(storage, 0)->data, integers, sizeof integers);
  ck_assert_mem_eq(tensor_of(storage, 1)->data, scales, sizeof scales);
}
END_TEST

START_TEST(a_row_too_small_for_a_scale_becomes_zero)
{
  const float values[] = { 0x1p-149f, 0, 0, 1, 1, 1 };
  g_autoptr(EncodedTensors) storage = store(VITGATE_PRECISION_INT8, "head.weight", values);
  ck_assert_int_eq(*(const gint8 *)tensor_of(storage, 0)->data, 0);
  ck_assert_float_gt(*(const float *)tensor_of(storage, 1)->data, 0);
}
END_TEST

START_TEST(tensors_other_than_matrices_stay_float32)
{
  static const struct {
    const char *name;
    guint n_dims;
    TensorType bf16, int8;
  } cases[] = {
    { "patch_embed.proj.weight", 4, TENSOR_BF16, TENSOR_I8 },
    { "blocks.0.attn_gate.fc1.weight", 2, TENSOR_BF16, TENSOR_I8 },
    { "pos_embed", 3, TENSOR_F16, TENSOR_F16 },
    { "cls_token", 3, TENSOR_F32, TENSOR_F32 },
    { "norm.weight", 1, TENSOR_F32, TENSOR_F32 },
    { "tokens_to_token.attention1.w", 2, TENSOR_F32, TENSOR_F32 },
  };
  static const guint64 shape[] = { 1, 1, 1, 1 };
  const float value = 0.1f;
  for (guint i = 0; i < G_N_ELEMENTS(cases); i++)
    for (guint p = VITGATE_PRECISION_FLOAT32; p < VITGATE_N_PRECISIONS; p++) {
      g_autoptr(EncodedTensors) storage = encoded_tensors_new((VitgatePrecision)p);
      encoded_tensors_add(storage, cases[i].name, shape, cases[i].n_dims, &value);
      const TensorType type = tensor_of(storage, 0)->type;
      ck_assert_int_eq(type, p == VITGATE_PRECISION_FLOAT32 ? TENSOR_F32
                             : p == VITGATE_PRECISION_BF16  ? cases[i].bf16
                                                            : cases[i].int8);
      if (type == TENSOR_F32)
        ck_assert_mem_eq(tensor_of(storage, 0)->data, &value, sizeof value);
    }
}
END_TEST

START_TEST(a_value_out_of_range_keeps_its_tensor_in_float32)
{
  const float large[] = { 65520, 0, 0, 0, 0, 0 }, huge[] = { 0x1.ffp127f, 0, 0, 0, 0, 0 };
  g_autoptr(EncodedTensors) half = store(VITGATE_PRECISION_INT8, "pos_embed", large);
  g_autoptr(EncodedTensors) bf16 = store(VITGATE_PRECISION_BF16, "head.weight", huge);
  ck_assert_int_eq(tensor_of(half, 0)->type, TENSOR_F32);
  ck_assert_int_eq(tensor_of(bf16, 0)->type, TENSOR_F32);
}
END_TEST

/* @_i: the precision */
START_TEST(rounded_values_are_stored_unchanged)
{
  static const guint64 shape[] = { 2, 3 };
  const float values[] = { 0.1f, -0.7f, 0.33f, 1e-3f, 2e-3f, -3e-3f };
  const float largest[] = { 0.7f, 3e-3f };
  const gboolean whole = _i == VITGATE_PRECISION_FLOAT32;
  static const char *const names[] = { "head.weight", "pos_embed" };
  for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
    float once[6], twice[6];
    memcpy(once, values, sizeof once);
    encoded_tensors_round((VitgatePrecision)_i, names[i], shape, 2, once);
    ck_assert_int_eq(!memcmp(once, values, sizeof once), whole);
    for (guint j = 0; j < 6; j++)
      ck_assert_float_eq_tol(once[j], values[j], largest[j / 3] / 127);
    memcpy(twice, once, sizeof twice);
    encoded_tensors_round((VitgatePrecision)_i, names[i], shape, 2, twice);
    ck_assert_mem_eq(once, twice, sizeof once);
  }
}
END_TEST

START_TEST(other_precisions_are_rejected)
{
  static const char *const bad[] = { "auto", "int3", "bfloat16", "" };
  VitgatePrecision precision;
  ck_assert(encoded_tensors_parse("bf16", &precision, NULL));
  ck_assert_int_eq(precision, VITGATE_PRECISION_BF16);
  ck_assert_str_eq(encoded_tensors_name(precision), "bfloat16");
  for (guint i = 0; i < G_N_ELEMENTS(bad); i++) {
    g_autoptr(GError) error = NULL;
    ck_assert(!encoded_tensors_parse(bad[i], &precision, &error));
    assert_error(error, "expected float32, bf16 or int8");
  }
}
END_TEST

int main(void)
{
  TCase *tests = tcase_create("storage");
  tcase_add_test(tests, bf16_rounds_to_nearest_with_ties_to_even);
  tcase_add_test(tests, float16_rounds_to_nearest_with_ties_to_even);
  tcase_add_test(tests, int8_has_a_scale_for_each_row);
  tcase_add_test(tests, int8_rounds_like_the_engine);
  tcase_add_test(tests, a_row_too_small_for_a_scale_becomes_zero);
  tcase_add_test(tests, tensors_other_than_matrices_stay_float32);
  tcase_add_test(tests, a_value_out_of_range_keeps_its_tensor_in_float32);
  tcase_add_loop_test(tests, rounded_values_are_stored_unchanged, VITGATE_PRECISION_FLOAT32,
                      VITGATE_N_PRECISIONS);
  tcase_add_test(tests, other_precisions_are_rejected);
  return fixtures_run(tests, "storage");
}
