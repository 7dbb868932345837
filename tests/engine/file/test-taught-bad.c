/* What `vitgate teach` adds to a model file: a valid file opens and is written as it was read, and
 * the error of another one names the field or tensor at fault. */
#include <math.h>

#include "file/description-json.h"
#include "fixture.h"
#include "model-file.h"

enum { CLASSES = 3, DIM = 4, VIEWS = 5 };

/* Returns: (transfer full): a model with all that can be added, for the description of a sigmoid */
static ModelFile *taught(void)
{
  ModelFile *file = model_file_tiny();
  model_file_set(file, "activation", "\"sigmoid\"");
  model_file_set(file, "unknown", "{\"median\": 1.5, \"limit\": 2.25}");
  model_file_set(file, "thresholds", "[0.25, 0.5, 0.875]");
  model_file_set(file, "teach", "{\"views\": 5, \"counts\": [2, 3], \"inner\": {\"a\": null}}");
  model_file_put(file, "unknown.whitening", TENSOR_F32, 2, (const guint64[]){ DIM, DIM });
  model_file_put(file, "unknown.means", TENSOR_F32, 2, (const guint64[]){ CLASSES, DIM });
  model_file_put(file, "teach.features", TENSOR_F16, 2, (const guint64[]){ VIEWS, DIM });
  return file;
}

START_TEST(a_valid_file_can_be_opened)
{
  g_autoptr(ModelFile) file = taught(), plain = model_file_tiny();
  g_autoptr(VitgateModel) model = model_file_open(file, "good"),
                          bare = model_file_open(plain, "plain");
  const VitgateModelInfo *info = vitgate_model_get_info(model);
  ck_assert(info->has_unknown);
  ck_assert_uint_eq(info->n_features, DIM);
  ck_assert_mem_eq(info->thresholds, ((const float[]){ .25f, .5f, .875f }), CLASSES * 4);
  info = vitgate_model_get_info(bare);
  ck_assert(!info->has_unknown && !info->thresholds);
  ck_assert_uint_eq(info->n_features, DIM);
}
END_TEST

START_TEST(a_description_is_written_as_it_was_read)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(ModelFile) file = taught();
  g_autofree char *path = model_file_write(file, "good");
  g_autoptr(Safetensors) opened = vitgate__safetensors_open(path, &error);
  g_autoptr(Description) d = vitgate__description_read(opened, &error);
  assert_success(d, error);
  g_autofree char *text = vitgate__description_to_json(d);
  static const char *const parts[] = {
    "\"unknown\":{\"median\":1.5,\"limit\":2.25}", "\"thresholds\":[0.25,0.5,0.875]",
    "\"teach\":{\"views\":5,\"counts\":[2,3],\"inner\":{\"a\":null}}"
  };
  for (guint i = 0; i < G_N_ELEMENTS(parts); i++)
    ck_assert_msg(strstr(text, parts[i]) != NULL, "%s is not in %s", parts[i], text);
}
END_TEST

static const struct {
  const char *field, *json, *part;
} fields[] = {
  { "unknown", "[1]", "'unknown' is [1], expected an object" },
  { "unknown", "null", "'unknown' is null, expected an object" },
  { "unknown.median", NULL, "'median' is absent" },
  { "unknown.limit", NULL, "'limit' is absent" },
  { "unknown.median", "0", "'median' is 0, expected a number above 0" },
  { "unknown.median", "-1", "'median' is -1" },
  { "unknown.limit", "\"far\"", "'limit' is \"far\"" },
  { "unknown.limit", "1e31", "'limit' is" },
  { "unknown.limit", "1.5", "'limit' is 1.5, expected a number above median" },
  { "unknown.limit", "1.25", "expected a number above median" },
  { "thresholds", "0.5", "'thresholds' is 0.5, expected an array of numbers between 0 and 1" },
  { "thresholds", "[0.5, 0.5]", "the length of metadata field 'thresholds' is 2, expected 3" },
  { "thresholds", "[0.5, 0.5, 0.5, 0.5]", "'thresholds' is 4, expected 3" },
  { "thresholds", "[0.5, 0, 0.5]", "expected an array of numbers between 0 and 1" },
  { "thresholds", "[0.5, 1, 0.5]", "expected an array of numbers between 0 and 1" },
  { "thresholds", "[0.5, 0.99999999999, 0.5]", "expected an array of numbers between 0 and 1" },
  { "thresholds", "[0.5, 1e-60, 0.5]", "expected an array of numbers between 0 and 1" },
  { "thresholds", "[0.5, null, 0.5]", "expected an array of numbers between 0 and 1" },
  { "activation", "\"softmax\"", "'thresholds' is [0.25,0.5,0.875], expected none for a model" },
  { "activation", NULL, "'thresholds' is [0.25,0.5,0.875], expected none for a model" },
  { "teach", "5", "'teach' is 5, expected an object" },
  { "teach.views", NULL, "'views' is absent" },
  { "teach.views", "0", "'views' is 0, expected a whole number from 1 to 100000" },
  { "teach.views", "100001", "'views' is 100001" },
  { "teach.views", "2.5", "'views' is 2.5" },
};

START_TEST(a_wrong_field_is_named)
{
  g_autoptr(ModelFile) file = taught();
  model_file_set(file, fields[_i].field, fields[_i].json);
  model_file_refuse(file, VITGATE_ERROR_METADATA, fields[_i].part);
}
END_TEST

static const struct {
  const char *name;
  guint64 shape[2];
} tensors[] = { { "unknown.whitening", { DIM, DIM } },
                { "unknown.means", { CLASSES, DIM } },
                { "teach.features", { VIEWS, DIM } } };

START_TEST(a_missing_or_misshapen_tensor_is_named)
{
  const char *name = tensors[_i].name;
  g_autofree char *missing = g_strdup_printf(
      "tensor '%s' is missing, expected [%" G_GUINT64_FORMAT ", 4]", name, tensors[_i].shape[0]);
  g_autofree char *misshapen = g_strdup_printf("tensor '%s' is [", name);
  g_autoptr(ModelFile) file = taught();
  model_file_remove(file, name);
  model_file_refuse(file, VITGATE_ERROR_TENSOR, missing);
  for (guint i = 0; i < 2; i++) {
    guint64 shape[] = { tensors[_i].shape[0], tensors[_i].shape[1] };
    shape[i]++;
    model_file_put(file, name, TENSOR_F16, 2, shape);
    model_file_refuse(file, VITGATE_ERROR_TENSOR, misshapen);
  }
}
END_TEST

START_TEST(a_tensor_without_its_field_is_refused)
{
  g_auto(GStrv) parts = g_strsplit(tensors[_i].name, ".", 2);
  g_autoptr(ModelFile) file = taught();
  model_file_set(file, parts[0], NULL);
  model_file_refuse(file, VITGATE_ERROR_UNSUPPORTED, tensors[_i].name);
}
END_TEST

START_TEST(numbers_that_are_not_finite_are_refused)
{
  for (guint i = 0; i < G_N_ELEMENTS(tensors); i++) {
    g_autoptr(ModelFile) file = taught();
    g_autofree char *part = g_strdup_printf("tensor '%s' holds nan at element 7", tensors[i].name);
    Tensor *tensor = model_file_put(file, tensors[i].name, TENSOR_F16, 2, tensors[i].shape);
    ((guint16 *)tensor->data)[7] = 0x7e00;
    model_file_refuse(file, VITGATE_ERROR_TENSOR, part);
  }
}
END_TEST

/* They are read in pieces. */
START_TEST(the_last_of_many_stored_features_is_checked)
{
  enum { MANY = 3001 };
  g_autoptr(ModelFile) file = taught();
  Tensor *tensor =
      model_file_put(file, "teach.features", TENSOR_F16, 2, (const guint64[]){ MANY, DIM });
  model_file_set(file, "teach.views", "3001");
  ((guint16 *)tensor->data)[MANY * DIM - 1] = 0xfc00;
  model_file_refuse(file, VITGATE_ERROR_TENSOR,
                    "tensor 'teach.features' holds -inf at element 12003");
  ((guint16 *)model_file_find(file, "teach.features")->data)[MANY * DIM - 1] = 0x7bff;
  g_autoptr(VitgateModel) model = model_file_open(file, "good");
  ck_assert(vitgate_model_get_info(model)->has_unknown);
}
END_TEST

START_TEST(stored_features_are_half_floats_or_bytes)
{
  static const TensorType types[] = { TENSOR_F32, TENSOR_BF16, TENSOR_U8 };
  const guint64 shape[] = { VIEWS, DIM };
  g_autoptr(ModelFile) file = taught();
  for (guint i = 0; i < G_N_ELEMENTS(types); i++) {
    model_file_put(file, "teach.features", types[i], 2, shape);
    model_file_refuse(file, VITGATE_ERROR_UNSUPPORTED, "tensor 'teach.features' is of type");
  }
  model_file_put(file, "teach.features", TENSOR_I8, 2, shape);
  model_file_refuse(file, VITGATE_ERROR_TENSOR,
                    "tensor 'teach.features_scale' is missing, expected [5]");
  Tensor *scale = model_file_put(file, "teach.features_scale", TENSOR_F32, 1, shape);
  model_file_refuse(file, VITGATE_ERROR_TENSOR, "tensor 'teach.features_scale' holds 0");
  scale = model_file_find(file, "teach.features_scale");
  for (guint i = 0; i < VIEWS; i++)
    ((float *)scale->data)[i] = .01f;
  g_autoptr(VitgateModel) model = model_file_open(file, "good");
  ck_assert(vitgate_model_get_info(model)->has_unknown);
  ((float *)scale->data)[VIEWS - 1] = NAN;
  model_file_refuse(file, VITGATE_ERROR_TENSOR,
                    "tensor 'teach.features_scale' holds nan at element 4");
}
END_TEST

int main(void)
{
  TCase *bad = tcase_create("taught-bad");
  tcase_add_test(bad, a_valid_file_can_be_opened);
  tcase_add_test(bad, a_description_is_written_as_it_was_read);
  tcase_add_loop_test(bad, a_wrong_field_is_named, 0, G_N_ELEMENTS(fields));
  tcase_add_loop_test(bad, a_missing_or_misshapen_tensor_is_named, 0, G_N_ELEMENTS(tensors));
  tcase_add_loop_test(bad, a_tensor_without_its_field_is_refused, 0, G_N_ELEMENTS(tensors));
  tcase_add_test(bad, numbers_that_are_not_finite_are_refused);
  tcase_add_test(bad, the_last_of_many_stored_features_is_checked);
  tcase_add_test(bad, stored_features_are_half_floats_or_bytes);
  return fixture_run("taught-bad", bad, NULL);
}
