/* The features of a result, and the score for pictures of none of the classes, at every precision
 * and for every input that a head can have. */
#include <math.h>

#include "file/architecture.h"
#include "fixture.h"
#include "network/families/families.h"
#include "network/unknown.h"
#include "reference-model.h"
#include "reference-unknown.h"

enum { N_IMAGES = 5, SIZE = 12, IMAGE = 3 * SIZE * SIZE, MOST_FEATURES = 40 };

static BlockShape blocks[] = { { 2, 12 }, { 1, 9 } };

#define COMMON                                                                                     \
  .family = &vitgate__family_vit, .image_size = SIZE, .patch_size = 3, .dim = 20, .head_dim = 5,   \
  .depth = G_N_ELEMENTS(blocks), .blocks = blocks, .n_classes = 4, .layer_norm_eps = 1e-6,         \
  .dense_gmacs = 1e-4, .dense_parameters = 900,                                                    \
  .preprocessing = { .resize = 12, .mean = { .5f, .5f, .5f }, .std = { .5f, .5f, .5f } }

static const Description descriptions[] = {
  { .name = "plain", COMMON },
  { .name = "two heads", .distilled = TRUE, COMMON },
  { .name = "one head", .distilled = TRUE, .class_head_only = TRUE, COMMON },
  { .name = "mean", .mean_pooling = TRUE, COMMON },
};
enum { N_MODELS = G_N_ELEMENTS(descriptions) };
static const guint sizes[N_MODELS] = { 20, 40, 20, 20 };

static const VitgatePrecision precisions[] = { VITGATE_PRECISION_FLOAT32, VITGATE_PRECISION_INT8,
                                               VITGATE_PRECISION_BF16 };

typedef struct {
  Description d;
  ModelFile *file;
  float *inputs; /* [N_IMAGES][IMAGE] */
} Setup;

static void setup_init(Setup *s, guint which)
{
  *s = (Setup){ .d = descriptions[which] };
  reference_add_unknown(&s->d);
  s->file = reference_model(&s->d, 7);
  s->inputs = fixture_tensors(9, N_IMAGES * IMAGE);
}

static void setup_clear(Setup *s)
{
  model_file_free(s->file);
  g_free(s->inputs);
}

/* Returns: (transfer full) (nullable): NULL if the machine has no products of this precision */
static VitgateModel *open_with(Setup *s, VitgatePrecision precision)
{
  g_autoptr(GError) error = NULL;
  g_autofree char *path = model_file_write(s->file, s->d.name);
  VitgateModel *model = vitgate_model_open_with(path, precision, &error);
  if (!g_error_matches(error, VITGATE_ERROR, VITGATE_ERROR_UNSUPPORTED))
    assert_success(model, error);
  return model;
}

static double score_of(Setup *s, const float *features)
{
  double values[MOST_FEATURES], macs = 0;
  for (guint i = 0; i < vitgate__description_head_inputs(&s->d); i++)
    values[i] = features[i];
  return reference_unknown(s->file, &s->d, values, &macs);
}

START_TEST(features_and_scores_match_the_reference)
{
  Setup s;
  setup_init(&s, (guint)_i);
  const ReferenceSettings settings = { .thresholds = { 1, 1, 1, 1, 1, 1, 1, 1 }, .group = 1 };
  ReferenceImage *expected = reference_forward(s.file, &s.d, &settings, s.inputs, N_IMAGES);
  g_autoptr(VitgateModel) model = open_with(&s, VITGATE_PRECISION_FLOAT32);
  ck_assert_uint_eq(vitgate_model_get_info(model)->n_features, sizes[_i]);
  ck_assert(vitgate_model_get_info(model)->has_unknown);
  for (guint threads = 1; threads <= 3; threads++) {
    g_autoptr(VitgateSession) session = fixture_session(model, threads, N_IMAGES);
    const VitgateResult *found = fixture_forward(session, s.inputs, N_IMAGES);
    reference_check(found, expected, N_IMAGES, &s.d, 0, s.d.name);
  }
  float min = 1, max = 0;
  for (guint i = 0; i < N_IMAGES; i++) {
    min = MIN(min, (float)expected[i].unknown);
    max = MAX(max, (float)expected[i].unknown);
  }
  ck_assert_msg(min < .9f && max > .1f && max - min > .05f,
                "scores from %g to %g would prove little", min, max);
  reference_free(expected, N_IMAGES);
  setup_clear(&s);
}
END_TEST

/* Whatever the products of the network, its score is that of the features that it has. */
START_TEST(scores_are_exact_at_every_precision)
{
  Setup s;
  setup_init(&s, (guint)_i);
  for (guint p = 0; p < G_N_ELEMENTS(precisions); p++) {
    g_autoptr(VitgateModel) model = open_with(&s, precisions[p]);
    if (!model)
      continue;
    g_autoptr(VitgateSession) session = fixture_session(model, 2, N_IMAGES);
    const VitgateResult *found = fixture_forward(session, s.inputs, N_IMAGES);
    for (guint i = 0; i < N_IMAGES; i++)
      assert_each(fabs(found[i].unknown - score_of(&s, found[i].features)) <= UNKNOWN_TOLERANCE,
                  "%s in %s, image %u: %.8g, expected %.8g", s.d.name,
                  vitgate_precision_name(precisions[p]), i, found[i].unknown,
                  score_of(&s, found[i].features));
  }
  setup_clear(&s);
}
END_TEST

START_TEST(a_batch_gives_the_same_as_single_images)
{
  Setup s;
  setup_init(&s, (guint)_i);
  g_autoptr(VitgateModel) model = open_with(&s, VITGATE_PRECISION_FLOAT32);
  g_autoptr(VitgateSession) batch = fixture_session(model, 1, N_IMAGES),
                            single = fixture_session(model, 1, 1);
  const VitgateResult *found = fixture_forward(batch, s.inputs, N_IMAGES);
  for (guint i = 0; i < N_IMAGES; i++) {
    const VitgateResult *alone = fixture_forward(single, s.inputs + i * IMAGE, 1);
    ck_assert_mem_eq(found[i].features, alone->features, sizes[_i] * sizeof(float));
    ck_assert_float_eq(found[i].unknown, alone->unknown);
  }
  setup_clear(&s);
}
END_TEST

START_TEST(weights_may_be_half_floats_or_bytes)
{
  Setup s;
  setup_init(&s, 0);
  const guint64 shape[] = { 20, 20 };
  Tensor *halves = model_file_put(s.file, "unknown.whitening", TENSOR_F16, 2, shape);
  for (guint i = 0; i < 20; i++)
    ((guint16 *)halves->data)[i * 21] = 0x3800; /* 0.5 */
  Tensor *bytes = model_file_put(s.file, "unknown.means", TENSOR_I8, 2, (const guint64[]){ 4, 20 });
  Tensor *scales = model_file_put(s.file, "unknown.means_scale", TENSOR_F32, 1, shape + 1);
  scales->shape[0] = 4;
  scales->n_bytes = 4 * sizeof(float);
  bytes = model_file_find(s.file, "unknown.means");
  float means[4 * 20], whitened[20];
  for (guint i = 0; i < 4 * 20; i++) {
    ((float *)scales->data)[i / 20] = .25f;
    ((gint8 *)bytes->data)[i] = (gint8)(i % 7 - 3);
    means[i] = .25f * (float)((int)(i % 7) - 3);
  }
  g_autoptr(VitgateModel) model = open_with(&s, VITGATE_PRECISION_INT8);
  g_autoptr(VitgateSession) session = fixture_session(model, 1, 1);
  const VitgateResult *found = fixture_forward(session, s.inputs, 1);
  for (guint i = 0; i < 20; i++)
    whitened[i] = .5f * found->features[i];
  const float expected = vitgate__unknown_score(&s.d.unknown, whitened, means, 4, 20);
  ck_assert_float_eq_tol(found->unknown, expected, 1e-6f);
  setup_clear(&s);
}
END_TEST

START_TEST(a_model_without_a_score_has_none)
{
  g_autoptr(VitgateModel) model = fixture_model("small");
  g_autoptr(VitgateSession) session = fixture_session(model, 1, 1);
  const guint size = vitgate_model_get_info(model)->image_size;
  g_autofree float *tensor = fixture_tensors(3, 3 * size * size);
  ck_assert(!vitgate_model_get_info(model)->has_unknown);
  ck_assert_float_eq(fixture_forward(session, tensor, 1)->unknown, 0);
}
END_TEST

/* ---- The formula ---- */

static const UnknownScale scale = { TRUE, 4, 10 };

/* Returns: the score at that distance from the nearer of two classes */
static float score_at(float distance, guint n)
{
  g_autofree float *whitened = g_new0(float, n), *means = g_new0(float, 2 * n);
  for (guint i = 0; i < n; i++) {
    whitened[i] = means[i] = (float)i / 8;
    means[n + i] = (float)i / 8 + 50;
  }
  whitened[n - 1] -= distance;
  return vitgate__unknown_score(&scale, whitened, means, 2, n);
}

START_TEST(the_median_scores_one_half_and_the_limit_95_percent)
{
  static const guint counts[] = { 1, 7, 8, 9, 63, 64, 65, 192 };
  for (guint i = 0; i < G_N_ELEMENTS(counts); i++) {
    ck_assert_float_eq_tol(score_at(4, counts[i]), .5f, 1e-6f);
    ck_assert_float_eq_tol(score_at(10, counts[i]), .95f, 1e-6f);
    ck_assert_float_eq_tol(score_at(1.6f, counts[i]), .05f, 1e-6f); /* as far below the median */
    ck_assert_float_eq(score_at(0, counts[i]), 0);
    ck_assert_float_gt(score_at(11, counts[i]), .96f);
  }
}
END_TEST

START_TEST(the_nearest_class_counts_whatever_its_place)
{
  const float means[] = { 9, 9, 1, 2, -7, 4 }, near[] = { 1, 5 }, first[] = { 9, 12 },
              last[] = { -7, 1 };
  const float expected =
      vitgate__unknown_score(&scale, (const float[]){ 3, 0 }, (const float[]){ 0, 0 }, 1, 2);
  ck_assert_float_eq(vitgate__unknown_score(&scale, near, means, 3, 2), expected);
  ck_assert_float_eq(vitgate__unknown_score(&scale, first, means, 3, 2), expected);
  ck_assert_float_eq(vitgate__unknown_score(&scale, last, means, 3, 2), expected);
}
END_TEST

/* Numbers that overflow in the network must not pass for a class. */
START_TEST(features_that_are_not_numbers_are_unknown)
{
  static const float values[] = { NAN, INFINITY, -INFINITY, 3e38f };
  for (guint i = 0; i < G_N_ELEMENTS(values); i++)
    ck_assert_float_eq(vitgate__unknown_score(&scale, (const float[]){ 1, values[i] },
                                              (const float[]){ 0, 0, 1, 1 }, 2, 2),
                       1);
}
END_TEST

int main(void)
{
  TCase *unknown = tcase_create("unknown");
  tcase_add_loop_test(unknown, features_and_scores_match_the_reference, 0, N_MODELS);
  tcase_add_loop_test(unknown, scores_are_exact_at_every_precision, 0, N_MODELS);
  tcase_add_loop_test(unknown, a_batch_gives_the_same_as_single_images, 0, N_MODELS);
  tcase_add_test(unknown, weights_may_be_half_floats_or_bytes);
  tcase_add_test(unknown, a_model_without_a_score_has_none);
  tcase_add_test(unknown, the_median_scores_one_half_and_the_limit_95_percent);
  tcase_add_test(unknown, the_nearest_class_counts_whatever_its_place);
  tcase_add_test(unknown, features_that_are_not_numbers_are_unknown);
  return fixture_run("unknown", unknown, NULL);
}
