/* Models whose products are below float32: their logits are close to the golden float32 logits and
 * do not depend on batch and number of threads. A precision that is not available is refused. */
#include <math.h>

#include "fixture.h"
#include "kernels/bf16.h"
#include "model-file.h"
#include "network/families/families.h"

enum { N_IMAGES = 3 };

static const char *const models[] = { "small", "odd",           "distilled",
                                      "cut",   "unbiased",      "deit3",
                                      "mean",  "t2t-performer", "t2t-transformer" };

/* Maximum error, as a share of the range of an image's logits. The rounding errors of the inputs of
 * all products add up over the blocks. These models are random, without the margins that training
 * gives. */
static const struct {
  VitgatePrecision precision;
  float tolerance;
} precisions[] = { { VITGATE_PRECISION_BF16, 0.02f }, { VITGATE_PRECISION_INT8, 0.06f } };

typedef struct {
  VitgateModel *model; /* NULL: the CPU cannot compute in this precision */
  const VitgateModelInfo *info;
  Safetensors *golden;
  const float *inputs, *logits;
} Case;

/* @which: number of precision and model */
static Case open_case(int which)
{
  const char *name = models[which % (int)G_N_ELEMENTS(models)];
  const VitgatePrecision precision = precisions[which / (int)G_N_ELEMENTS(models)].precision;
  g_autofree char *path = fixture_golden("model", name);
  g_autoptr(GError) error = NULL;
  Case c = { .model = vitgate_model_open_with(path, precision, &error) };
  if (!c.model && precision == VITGATE_PRECISION_BF16 && !vitgate__bf16_kernels()) {
    assert_error(error, VITGATE_ERROR_UNSUPPORTED, "no instructions for bf16");
    return c;
  }
  assert_success(c.model, error);
  c.info = vitgate_model_get_info(c.model);
  ck_assert_int_eq(c.info->precision, precision);
  c.golden = fixture_open_golden("golden", name);
  c.inputs = vitgate__safetensors_find(c.golden, "input")->data;
  c.logits = vitgate__safetensors_find(c.golden, "logits")->data;
  return c;
}

static void close_case(Case *c)
{
  vitgate_model_unref(&c->model);
  vitgate__safetensors_close(&c->golden);
}

START_TEST(logits_are_close_to_float32)
{
  Case c = open_case(_i);
  if (!c.model)
    return;
  const float tolerance = precisions[_i / (int)G_N_ELEMENTS(models)].tolerance;
  g_autoptr(VitgateSession) session = fixture_session(c.model, 1, N_IMAGES);
  const VitgateResult *results = fixture_forward(session, c.inputs, N_IMAGES);
  gboolean differs = FALSE;
  for (guint i = 0; i < N_IMAGES; i++) {
    const float *expected = c.logits + i * c.info->n_classes;
    float min = INFINITY, max = -INFINITY;
    for (guint j = 0; j < c.info->n_classes; j++) {
      min = MIN(min, expected[j]);
      max = MAX(max, expected[j]);
    }
    for (guint j = 0; j < c.info->n_classes; j++) {
      const float error = fabsf(results[i].logits[j] - expected[j]) / (max - min);
      differs |= error > 1e-5f;
      assert_each(error <= tolerance, "%s: image %u, class %u: %g, expected %g: off by %g of %g",
                  models[_i % (int)G_N_ELEMENTS(models)], i, j, results[i].logits[j], expected[j],
                  error, tolerance);
    }
  }
  ck_assert_msg(differs, "nothing was rounded");
  close_case(&c);
}
END_TEST

START_TEST(batches_and_threads_do_not_matter)
{
  Case c = open_case(_i);
  if (!c.model)
    return;
  const gsize image = (gsize)3 * c.info->image_size * c.info->image_size;
  const gsize n_bytes = c.info->n_classes * sizeof(float);
  g_autoptr(VitgateSession) single = fixture_session(c.model, 1, 1);
  for (guint threads = 1; threads <= 3; threads++) {
    g_autoptr(VitgateSession) batch = fixture_session(c.model, threads, N_IMAGES);
    const VitgateResult *results = fixture_forward(batch, c.inputs, N_IMAGES);
    for (guint i = 0; i < N_IMAGES; i++)
      ck_assert_mem_eq(results[i].logits, fixture_forward(single, c.inputs + i * image, 1)->logits,
                       n_bytes);
  }
  close_case(&c);
}
END_TEST

START_TEST(each_precision_of_a_file_is_a_separate_model)
{
  g_autofree char *path = fixture_golden("model", "small");
  g_autoptr(VitgateModel) automatic = vitgate_model_open(path, NULL);
  g_autoptr(VitgateModel) whole = vitgate_model_open_with(path, VITGATE_PRECISION_FLOAT32, NULL);
  g_autoptr(VitgateModel) rounded = vitgate_model_open_with(path, VITGATE_PRECISION_INT8, NULL);
  g_autoptr(VitgateModel) again = vitgate_model_open_with(path, VITGATE_PRECISION_INT8, NULL);
  ck_assert_ptr_eq(automatic, whole);
  ck_assert_ptr_ne(rounded, whole);
  ck_assert_ptr_eq(rounded, again);
}
END_TEST

/* The agreement that a file records for its precisions, and the precision that AUTO chooses. */
static const struct {
  const char *agreement;
  VitgatePrecision taken;
} records[] = {
  { NULL, VITGATE_PRECISION_FLOAT32 },
  { "{}", VITGATE_PRECISION_FLOAT32 },
  { "{\"int8\": 0.986}", VITGATE_PRECISION_INT8 },
  { "{\"int8\": 0.984}", VITGATE_PRECISION_FLOAT32 },
  { "{\"float32\": 0.85, \"int8\": 0.836}", VITGATE_PRECISION_INT8 },
  { "{\"float32\": 0.85, \"int8\": 0.834}", VITGATE_PRECISION_FLOAT32 },
  { "{\"float32\": 0.01}", VITGATE_PRECISION_FLOAT32 },
};

START_TEST(auto_follows_the_recorded_agreement)
{
  g_autoptr(ModelFile) file = model_file_read("small");
  model_file_set(file, "precision_agreement", records[_i].agreement);
  g_autoptr(VitgateModel) model = model_file_open(file, "small");
  ck_assert_int_eq(vitgate_model_get_info(model)->precision, records[_i].taken);
}
END_TEST

START_TEST(the_agreement_of_a_precision_is_what_the_file_records)
{
  g_autoptr(ModelFile) file = model_file_read("small");
  model_file_set(file, "precision_agreement", "{\"float32\": 0.85, \"int8\": 0.834}");
  g_autoptr(VitgateModel) model = model_file_open(file, "small");
  const double expected[] = {
    [VITGATE_PRECISION_FLOAT32] = 0.85, [VITGATE_PRECISION_INT8] = 0.834
  };
  for (guint p = 0; p < G_N_ELEMENTS(expected); p++)
    ck_assert(vitgate_model_get_precision_agreement(model, p) == expected[p]);
  ck_assert(vitgate_model_get_precision_agreement(model, (VitgatePrecision)77) == 0);
}
END_TEST

/* Sums of 67,500 products of 8 bits overflow: the embedding of such patches stays in float32. */
START_TEST(patches_may_be_larger_than_int8_can_add_up)
{
  enum { SIDE = 150 };
  Description d = {
    .name = "large patches",
    .family = &vitgate__family_vit,
    .image_size = SIDE,
    .patch_size = SIDE,
    .dim = 4,
    .head_dim = 2,
    .n_classes = 3,
    .layer_norm_eps = 1e-6,
    .mean_pooling = TRUE,
    .preprocessing = { .resize = SIDE, .mean = { 0.5f, 0.5f, 0.5f }, .std = { 0.5f, 0.5f, 0.5f } },
    .dense_gmacs = 1e-6,
    .dense_parameters = 1000,
  };
  g_autoptr(GError) error = NULL;
  g_autoptr(ModelFile) file = model_file_new(&d);
  /* All products of the first output have one sign and the largest magnitude. */
  float *weight = (float *)model_file_find(file, "patch_embed.proj.weight")->data;
  g_autofree float *tensor = g_new(float, 3 * SIDE * SIDE);
  for (guint i = 0; i < 3 * SIDE * SIDE; i++) {
    weight[i] = 0.25f;
    tensor[i] = 1;
  }
  g_autofree char *path = model_file_write(file, "large");
  float logits[2][3];
  for (guint i = 0; i < 2; i++) {
    g_autoptr(VitgateModel) model = vitgate_model_open_with(
        path, i ? VITGATE_PRECISION_INT8 : VITGATE_PRECISION_FLOAT32, &error);
    assert_success(model, error);
    g_autoptr(VitgateSession) session = fixture_session(model, 1, 1);
    memcpy(logits[i], fixture_forward(session, tensor, 1)->logits, sizeof logits[i]);
  }
  for (guint i = 0; i < 3; i++)
    ck_assert_msg(fabsf(logits[0][i] - logits[1][i]) < 0.01f, "logit %u is %g, in int8 %g", i,
                  logits[0][i], logits[1][i]);
}
END_TEST

/* Attention adds up over tokens: that many are refused. */
START_TEST(int8_is_refused_for_too_many_tokens)
{
  Description d = {
    .name = "many tokens",
    .family = &vitgate__family_vit,
    .image_size = 182,
    .patch_size = 1,
    .dim = 2,
    .head_dim = 2,
    .n_classes = 3,
    .layer_norm_eps = 1e-6,
    .preprocessing = { .resize = 182, .mean = { 0.5f, 0.5f, 0.5f }, .std = { 0.5f, 0.5f, 0.5f } },
    .dense_gmacs = 1e-6,
    .dense_parameters = 1000,
  };
  g_autoptr(GError) error = NULL;
  g_autoptr(ModelFile) file = model_file_new(&d);
  model_file_set(file, "precision_agreement", "{\"int8\": 1}");
  g_autofree char *path = model_file_write(file, "many");
  ck_assert_ptr_null(vitgate_model_open_with(path, VITGATE_PRECISION_INT8, &error));
  ck_assert(strstr(error->message, path));
  assert_error(error, VITGATE_ERROR_UNSUPPORTED,
               "attention over 33125 tokens, expected at most 32768 for int8");
  g_autoptr(VitgateModel) model = fixture_open_model(path);
  ck_assert_int_eq(vitgate_model_get_info(model)->precision, VITGATE_PRECISION_FLOAT32);
}
END_TEST

START_TEST(precisions_have_names)
{
  VitgatePrecision found;
  for (int p = VITGATE_PRECISION_AUTO; p <= VITGATE_PRECISION_INT8; p++) {
    ck_assert(vitgate_precision_parse(vitgate_precision_name((VitgatePrecision)p), &found, NULL));
    ck_assert_int_eq(found, p);
  }
  static const char *const bad[] = { "", "int4", "FLOAT32", NULL };
  for (guint i = 0; i < G_N_ELEMENTS(bad); i++) {
    g_autoptr(GError) error = NULL;
    ck_assert(!vitgate_precision_parse(bad[i], &found, &error));
    assert_error(error, VITGATE_ERROR_ARGUMENT, "expected auto, float32, bf16 or int8");
  }
}
END_TEST

START_TEST(an_unknown_precision_is_refused)
{
  g_autofree char *path = fixture_golden("model", "small");
  g_autoptr(GError) error = NULL;
  ck_assert_ptr_null(vitgate_model_open_with(path, (VitgatePrecision)77, &error));
  assert_error(error, VITGATE_ERROR_ARGUMENT, "77");
}
END_TEST

START_TEST(a_precision_that_the_cpu_cannot_compute_is_refused)
{
  g_setenv("VITGATE_CPU_MASK", "avx512-bf16,bf16",
           TRUE); /* before the CPU's features are first read */
  g_autofree char *path = fixture_golden("model", "small");
  g_autoptr(GError) error = NULL;
  ck_assert_ptr_null(vitgate_model_open_with(path, VITGATE_PRECISION_BF16, &error));
  assert_error(error, VITGATE_ERROR_UNSUPPORTED, "no instructions for bf16");
}
END_TEST

int main(void)
{
  TCase *tests = tcase_create("precision");
  const int n = G_N_ELEMENTS(models) * G_N_ELEMENTS(precisions);
  tcase_add_loop_test(tests, logits_are_close_to_float32, 0, n);
  tcase_add_loop_test(tests, batches_and_threads_do_not_matter, 0, n);
  tcase_add_test(tests, each_precision_of_a_file_is_a_separate_model);
  tcase_add_loop_test(tests, auto_follows_the_recorded_agreement, 0, G_N_ELEMENTS(records));
  tcase_add_test(tests, the_agreement_of_a_precision_is_what_the_file_records);
  tcase_add_test(tests, patches_may_be_larger_than_int8_can_add_up);
  tcase_add_test(tests, int8_is_refused_for_too_many_tokens);
  tcase_add_test(tests, precisions_have_names);
  tcase_add_test(tests, an_unknown_precision_is_refused);
  tcase_add_test(tests, a_precision_that_the_cpu_cannot_compute_is_refused);
  return fixture_run("precision", tests, NULL);
}
