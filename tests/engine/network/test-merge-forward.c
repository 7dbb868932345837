/* Token merging inside the network: proportional attention, sizes from block to block, and class
 * tokens that never merge, compared with the reference in double precision. test-merge.c tests only
 * the matching. */
#include <math.h>

#include "fixture.h"
#include "model.h"
#include "network/families/families.h"
#include "reference-model.h"

/* Cosines closer than this to a threshold or to each other could compare differently in float32. */
#define LEAST_MARGIN 1e-5

enum { N_IMAGES = 5 };

static BlockShape plain_blocks[] = { { 2, 12 }, { 3, 20 }, { 0, 8 }, { 1, 0 }, { 2, 16 } };
/* Numbers of tokens are even and odd; the tail is block 2. */
static BlockShape gated_blocks[] = {
  { 1, 10 }, { 2, 16, TRUE, TRUE }, { 3, 8, TRUE }, { 0, 12, FALSE, TRUE }
};

#define PREPROCESSING                                                                              \
  .preprocessing = { .resize = 16, .mean = { .5f, .5f, .5f }, .std = { .5f, .5f, .5f } },          \
  .dense_gmacs = 4e-4, .dense_parameters = 9000

static const Description descriptions[] = {
  { .family = &vitgate__family_vit,
    .name = "plain",
    .image_size = 15,
    .patch_size = 3,
    .dim = 14,
    .head_dim = 7,
    .depth = G_N_ELEMENTS(plain_blocks),
    .blocks = plain_blocks,
    .n_classes = 6,
    .layer_norm_eps = 1e-6,
    PREPROCESSING },
  { .family = &vitgate__family_vit,
    .name = "gated",
    .image_size = 16,
    .patch_size = 2,
    .dim = 12,
    .head_dim = 5,
    .depth = G_N_ELEMENTS(gated_blocks),
    .blocks = gated_blocks,
    .distilled = TRUE,
    .n_classes = 5,
    .layer_norm_eps = 1e-5,
    PREPROCESSING },
  { .family = &vitgate__family_vit,
    .name = "mean",
    .image_size = 15,
    .patch_size = 3,
    .dim = 12,
    .head_dim = 6,
    .depth = G_N_ELEMENTS(gated_blocks),
    .blocks = gated_blocks,
    .mean_pooling = TRUE,
    .n_classes = 5,
    .layer_norm_eps = 1e-6,
    PREPROCESSING },
};
enum { N_MODELS = G_N_ELEMENTS(descriptions) };

/* Thresholds of the blocks, equal or not. Whatever its threshold, the tail merges nothing. */
static const double thresholds[][REFERENCE_MAX_DEPTH] = {
  { 1, 1, 1, 1, 1 },           { 0.9, 0.9, 0.9, 0.9, 0.9 }, { 0.8, 0.8, 0.8, 0.8, 1 },
  { 0.4, 0.4, 0.4, 0.4, 0.4 }, { -1, -1, -1, -1, -1 },      { 1, 0.5, 0.2, 2, -1 },
};
enum { NEVER = 0, N_SETTINGS = G_N_ELEMENTS(thresholds) };

typedef struct {
  Description d;
  CalibrationPoint point;
  double thresholds[REFERENCE_MAX_DEPTH];
  ModelFile *file;
  VitgateModel *model;
  gsize image;
  float *inputs; /* [N_IMAGES][3][image_size][image_size] */
} Setup;

/* @number: of the test: selects a model and a setting */
static void setup_init(Setup *s, int number)
{
  const guint which = (guint)number % N_MODELS, setting = (guint)number / N_MODELS;
  *s = (Setup){ .d = descriptions[which] };
  memcpy(s->thresholds, thresholds[setting], sizeof s->thresholds);
  s->point = (CalibrationPoint){ 0.5, 1, 0, s->thresholds };
  s->d.calibration = &s->point;
  s->d.n_calibration = 1;
  s->d.default_compute = 0.5;
  s->image = (gsize)3 * s->d.image_size * s->d.image_size;
  s->inputs = fixture_tensors(5, N_IMAGES * s->image);
  s->file = reference_model(&s->d, 31 + which);
  reference_balance_gates(s->file, &s->d, s->inputs, N_IMAGES);
  s->model = model_file_open(s->file, s->d.name);
}

static void setup_clear(Setup *s)
{
  vitgate_model_unref(&s->model);
  model_file_free(s->file);
  g_free(s->inputs);
}

static ReferenceImage *run_plainly(const Setup *s)
{
  ReferenceSettings settings = { .group = 1 };
  memcpy(settings.thresholds, s->thresholds, sizeof settings.thresholds);
  return reference_forward(s->file, &s->d, &settings, s->inputs, N_IMAGES);
}

START_TEST(tokens_merge_as_defined)
{
  Setup s;
  setup_init(&s, _i);
  const VitgateSessionOptions options = { .max_batch = N_IMAGES, .patches = TRUE };
  g_autoptr(VitgateSession) session = fixture_session_with(s.model, &options);
  const VitgateResult *found = fixture_forward(session, s.inputs, N_IMAGES);
  ReferenceImage *expected = run_plainly(&s);
  reference_check(found, expected, N_IMAGES, &s.d, LEAST_MARGIN, s.d.name);
  reference_free(expected, N_IMAGES);
  setup_clear(&s);
}
END_TEST

/* Otherwise the tests in this file would prove little. */
START_TEST(these_thresholds_merge_some_tokens)
{
  Setup s;
  setup_init(&s, _i);
  g_autoptr(VitgateSession) session = fixture_session(s.model, 1, N_IMAGES);
  const VitgateResult *found = fixture_forward(session, s.inputs, N_IMAGES);
  const guint all = vitgate_model_get_info(s.model)->n_tokens;
  guint merged = 0;
  for (guint i = 0; i < N_IMAGES; i++) {
    ck_assert_uint_gt(found[i].n_tokens, s.d.distilled ? 2 : 1);
    merged += all - found[i].n_tokens;
  }
  ck_assert_int_eq(merged > 0, _i / N_MODELS != NEVER);
  setup_clear(&s);
}
END_TEST

START_TEST(threads_and_batches_do_not_change_merging)
{
  Setup s;
  setup_init(&s, _i);
  g_autoptr(VitgateSession) single = fixture_session(s.model, 1, N_IMAGES);
  VitgateSession *sessions[3];
  const VitgateResult *found[3];
  for (guint t = 0; t < 3; t++) {
    sessions[t] = fixture_session(s.model, t + 1, N_IMAGES);
    found[t] = fixture_forward(sessions[t], s.inputs, N_IMAGES);
  }
  for (guint i = 0; i < N_IMAGES; i++) {
    const VitgateResult *alone = fixture_forward(single, s.inputs + i * s.image, 1);
    for (guint t = 0; t < 3; t++) {
      const VitgateResult *batched = &found[t][i];
      ck_assert_uint_eq(batched->n_tokens, alone->n_tokens);
      ck_assert_double_eq(batched->gmacs, alone->gmacs);
      for (guint c = 0; c < s.d.n_classes; c++)
        assert_each(fabsf(batched->logits[c] - alone->logits[c]) <= ORDER_TOLERANCE,
                    "image %u, class %u: %.7g on %u threads, %.7g alone", i, c, batched->logits[c],
                    t + 1, alone->logits[c]);
    }
  }
  for (guint t = 0; t < 3; t++)
    vitgate_session_free(&sessions[t]);
  setup_clear(&s);
}
END_TEST

int main(void)
{
  TCase *merging = tcase_create("merging");
  tcase_add_loop_test(merging, tokens_merge_as_defined, 0, N_MODELS * N_SETTINGS);
  tcase_add_loop_test(merging, these_thresholds_merge_some_tokens, 0, N_MODELS * N_SETTINGS);
  tcase_add_loop_test(merging, threads_and_batches_do_not_change_merging, 0, N_MODELS * N_SETTINGS);
  return fixture_run("merge-forward", merging, NULL);
}
