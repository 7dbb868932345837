/* Token gates: which tokens run, what the others get, and what that costs, compared with the
 * reference in double precision and, bit by bit, with the same rows computed densely. */
#include <math.h>

#include "file/architecture.h"
#include "fixture.h"
#include "model.h"
#include "network/families/families.h"
#include "reference-model.h"

/* A decision with a smaller margin could differ in float32. */
#define LEAST_MARGIN 1e-5

enum { N_IMAGES = 5 };

#define TOKENS(rank)                                                                               \
  {                                                                                                \
    TRUE, rank                                                                                     \
  }

/* Substitutes are constants, products of two matrices, and whole matrices. */
static BlockShape plain_blocks[] = {
  { 2, 12, .mlp_tokens = TOKENS(0) },
  { 3, 20, .attention_tokens = TOKENS(3), .mlp_tokens = TOKENS(14) },
  { 0, 8, .mlp_tokens = TOKENS(6) },
  { 1, 0, .attention_tokens = TOKENS(0) },
  { 2, 16, .attention_tokens = TOKENS(7), .mlp_tokens = TOKENS(1) },
};
/* The gates of block 3, after the tail, have no effect. Those of blocks 1 and 2 decide by image. */
static BlockShape distilled_blocks[] = {
  { 1, 10, .attention_tokens = TOKENS(5), .mlp_tokens = TOKENS(4) },
  { 2, 16, TRUE, .mlp_tokens = TOKENS(12) },
  { 2, 8, .attention_tokens = TOKENS(2), .mlp_gate = TRUE },
  { 0, 12, .mlp_tokens = TOKENS(3) },
};
static BlockShape mean_blocks[] = {
  { 2, 9, .attention_tokens = TOKENS(6), .mlp_tokens = TOKENS(5) },
  { 1, 10, .attention_tokens = TOKENS(0), .mlp_tokens = TOKENS(1) },
  { 0, 7, .mlp_tokens = TOKENS(0) },
};

#define PREPROCESSING                                                                              \
  .preprocessing = { .resize = 20, .mean = { .5f, .5f, .5f }, .std = { .5f, .5f, .5f } },          \
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
    .name = "distilled",
    .image_size = 20,
    .patch_size = 2,
    .dim = 12,
    .head_dim = 5,
    .depth = G_N_ELEMENTS(distilled_blocks),
    .blocks = distilled_blocks,
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
    .depth = G_N_ELEMENTS(mean_blocks),
    .blocks = mean_blocks,
    .mean_pooling = TRUE,
    .n_classes = 5,
    .layer_norm_eps = 1e-6,
    PREPROCESSING },
};
enum { N_MODELS = G_N_ELEMENTS(descriptions) };

/* Settings of the dial: a bias for all gates, and merging thresholds by block. */
static const struct {
  double bias, thresholds[REFERENCE_MAX_DEPTH];
} settings[] = {
  { 0, { 1, 1, 1, 1, 1 } },       { -0.7, { 1, 1, 1, 1, 1 } },
  { 0.7, { 1, 1, 1, 1, 1 } },     { 0, { 0.8, 0.8, 0.8, 0.8, 0.8 } },
  { 0, { 0.3, 1, 0.4, 0.2, 1 } }, { -1000, { 1, 1, 1, 1, 1 } },
  { 100, { 1, 1, 1, 1, 1 } },     { 100, { 0.8, 0.8, 0.8, 0.8, 0.8 } },
};
enum {
  UNMERGED = 3,
  MIXED = 5,
  SHUT = 5,
  OPEN = 6,
  OPEN_AND_MERGED = 7,
  N_SETTINGS = G_N_ELEMENTS(settings)
};

typedef struct {
  Description d;
  CalibrationPoint point;
  double thresholds[REFERENCE_MAX_DEPTH];
  ModelFile *file;
  VitgateModel *model;
  gsize image;
  float *inputs; /* [N_IMAGES][3][image_size][image_size] */
} Setup;

static const VitgatePrecision precisions[] = { VITGATE_PRECISION_FLOAT32, VITGATE_PRECISION_INT8 };
enum { N_PRECISIONS = G_N_ELEMENTS(precisions) };

static VitgateModel *open_in(ModelFile *file, const char *name, VitgatePrecision precision)
{
  g_autoptr(GError) error = NULL;
  g_autofree char *path = model_file_write(file, name);
  VitgateModel *model = vitgate_model_open_with(path, precision, &error);
  assert_success(model, error);
  return model;
}

static void setup_init_in(Setup *s, guint which, guint setting, VitgatePrecision precision)
{
  *s = (Setup){ .d = descriptions[which] };
  memcpy(s->thresholds, settings[setting].thresholds, sizeof s->thresholds);
  s->point = (CalibrationPoint){ 0.5, 1, settings[setting].bias, s->thresholds };
  s->d.calibration = &s->point;
  s->d.n_calibration = 1;
  s->d.default_compute = 0.5;
  s->image = (gsize)3 * s->d.image_size * s->d.image_size;
  s->inputs = fixture_tensors(6, N_IMAGES * s->image);
  s->file = reference_model(&s->d, 41 + which);
  s->model = open_in(s->file, s->d.name, precision);
}

static void setup_init(Setup *s, guint which, guint setting)
{
  setup_init_in(s, which, setting, VITGATE_PRECISION_FLOAT32);
}

static void setup_clear(Setup *s)
{
  vitgate_model_unref(&s->model);
  model_file_free(s->file);
  g_free(s->inputs);
}

static ReferenceImage *run_plainly(const Setup *s, guint group)
{
  ReferenceSettings plain = { .gate_bias = s->point.gate_bias, .group = group };
  memcpy(plain.thresholds, s->thresholds, sizeof plain.thresholds);
  return reference_forward(s->file, &s->d, &plain, s->inputs, N_IMAGES);
}

/* Returns: (transfer full): a session that records patches */
static VitgateSession *new_session(const Setup *s, guint threads, guint group)
{
  const VitgateSessionOptions options = {
    .threads = threads,
    .max_batch = N_IMAGES,
    .granularity = group > 1 ? VITGATE_GRANULARITY_GROUP : VITGATE_GRANULARITY_SAMPLE,
    .group_size = group,
    .patches = TRUE,
  };
  return fixture_session_with(s->model, &options);
}

/* Numbers of tokens, costs, logits and the record of patches. */
START_TEST(tokens_decide_as_defined)
{
  Setup s;
  setup_init(&s, (guint)_i % N_MODELS, (guint)_i / N_MODELS);
  g_autoptr(VitgateSession) session = new_session(&s, 1, 1);
  const VitgateResult *found = fixture_forward(session, s.inputs, N_IMAGES);
  ReferenceImage *expected = run_plainly(&s, 1);
  reference_check(found, expected, N_IMAGES, &s.d, LEAST_MARGIN, s.d.name);
  reference_free(expected, N_IMAGES);
  setup_clear(&s);
}
END_TEST

static gboolean is_gated(const Description *d, guint m)
{
  const BlockShape *shape = &d->blocks[m / 2];
  return (m % 2 ? shape->mlp_tokens.present : shape->attention_tokens.present) &&
         m / 2 < vitgate__description_tail(d);
}

/* Otherwise the tests in this file would prove little. */
START_TEST(every_gate_opens_for_only_some_tokens)
{
  Setup s;
  setup_init(&s, (guint)_i % N_MODELS, (guint)_i / N_MODELS);
  g_autoptr(VitgateSession) session = fixture_session(s.model, 1, N_IMAGES);
  const VitgateResult *found = fixture_forward(session, s.inputs, N_IMAGES);
  for (guint m = 0; m < 2 * s.d.depth; m++) {
    guint open = 0, least = G_MAXUINT;
    for (guint i = 0; i < N_IMAGES; i++) {
      open += found[i].module_tokens[m];
      least = MIN(least, found[i].module_tokens[m]);
    }
    if (is_gated(&s.d, m))
      ck_assert_msg(open > N_IMAGES * (s.d.distilled ? 2 : 1) &&
                        least < vitgate__description_n_tokens(&s.d),
                    "module %u runs for %u tokens", m, open);
  }
  setup_clear(&s);
}
END_TEST

/* Neighbours share the decision on each position. */
START_TEST(groups_decide_by_the_mean_of_a_position)
{
  static const guint groups[] = { 2, 3, 4, N_IMAGES };
  Setup s;
  setup_init(&s, (guint)_i % N_MODELS, (guint)_i / N_MODELS);
  for (guint g = 0; g < G_N_ELEMENTS(groups); g++) {
    ReferenceImage *expected = run_plainly(&s, groups[g]);
    VitgateResult first[N_IMAGES];
    g_autoptr(VitgateSession) one = new_session(&s, 1, groups[g]);
    memcpy(first, fixture_forward(one, s.inputs, N_IMAGES), sizeof first);
    reference_check(first, expected, N_IMAGES, &s.d, LEAST_MARGIN, s.d.name);
    for (guint threads = 2; threads <= 4; threads++) {
      g_autoptr(VitgateSession) session = new_session(&s, threads, groups[g]);
      const VitgateResult *found = fixture_forward(session, s.inputs, N_IMAGES);
      for (guint i = 0; i < N_IMAGES; i++)
        ck_assert_mem_eq(found[i].logits, first[i].logits, s.d.n_classes * sizeof(float));
    }
    reference_free(expected, N_IMAGES);
  }
  setup_clear(&s);
}
END_TEST

/* Returns: (transfer full): the setup's network without its token gates */
static VitgateModel *open_without_gates(const Setup *s, VitgatePrecision precision)
{
  BlockShape blocks[REFERENCE_MAX_DEPTH];
  Description d = s->d;
  memcpy(blocks, s->d.blocks, d.depth * sizeof *blocks);
  for (guint b = 0; b < d.depth; b++)
    blocks[b].attention_tokens = blocks[b].mlp_tokens = (TokenGate){ 0 };
  d.blocks = blocks;
  g_autoptr(ModelFile) file = model_file_new(&d);
  for (guint t = 0; t < model_file_n_tensors(file); t++) {
    Tensor *tensor = model_file_tensor(file, t);
    memcpy((gpointer)tensor->data, model_file_find(s->file, tensor->name)->data, tensor->n_bytes);
  }
  g_autofree char *name = g_strdup_printf("without-%s", d.name);
  return open_in(file, name, precision);
}

START_TEST(groups_are_refused_where_tokens_merge)
{
  Setup s;
  setup_init(&s, (guint)_i, OPEN_AND_MERGED);
  for (guint g = VITGATE_GRANULARITY_SAMPLE; g <= VITGATE_GRANULARITY_BATCH; g++) {
    g_autoptr(GError) error = NULL;
    const VitgateSessionOptions options = { .granularity = g, .group_size = 4, .max_batch = 4 };
    g_autoptr(VitgateSession) session = vitgate_session_new(s.model, &options, &error);
    if (g == VITGATE_GRANULARITY_SAMPLE)
      assert_success(session, error);
    else
      assert_error(error, VITGATE_ERROR_ARGUMENT, "its dial merges tokens");
  }
  g_autoptr(VitgateModel) without = open_without_gates(&s, VITGATE_PRECISION_FLOAT32);
  const VitgateSessionOptions options = { .granularity = VITGATE_GRANULARITY_BATCH };
  g_autoptr(VitgateSession) session = fixture_session_with(without, &options);
  ck_assert_ptr_nonnull(session);
  setup_clear(&s);
}
END_TEST

START_TEST(threads_and_batches_change_no_bit)
{
  const guint which = (guint)_i / N_PRECISIONS;
  Setup s;
  setup_init_in(&s, which % N_MODELS, which / N_MODELS, precisions[_i % N_PRECISIONS]);
  g_autoptr(VitgateSession) single = new_session(&s, 1, 1);
  for (guint threads = 1; threads <= 4; threads++) {
    g_autoptr(VitgateSession) session = new_session(&s, threads, 1);
    const VitgateResult *found = fixture_forward(session, s.inputs, N_IMAGES);
    for (guint i = 0; i < N_IMAGES; i++) {
      const VitgateResult *alone = fixture_forward(single, s.inputs + i * s.image, 1);
      ck_assert_uint_eq(found[i].n_tokens, alone->n_tokens);
      ck_assert_double_eq(found[i].gmacs, alone->gmacs);
      ck_assert_mem_eq(found[i].module_tokens, alone->module_tokens, 2 * s.d.depth * sizeof(guint));
      ck_assert_mem_eq(found[i].logits, alone->logits, s.d.n_classes * sizeof(float));
      ck_assert_mem_eq(found[i].patches, alone->patches,
                       2 * s.d.depth * vitgate__description_n_patches(&s.d));
    }
  }
  setup_clear(&s);
}
END_TEST

START_TEST(open_gates_change_no_bit_and_cost_nothing)
{
  const VitgatePrecision precision = precisions[_i % N_PRECISIONS];
  const guint which = (guint)_i / N_PRECISIONS;
  Setup s;
  setup_init_in(&s, which % N_MODELS, which < N_MODELS ? OPEN : OPEN_AND_MERGED, precision);
  g_autoptr(VitgateModel) without = open_without_gates(&s, precision);
  g_autoptr(VitgateSession) a = fixture_session(s.model, 2, N_IMAGES);
  g_autoptr(VitgateSession) b = fixture_session(without, 2, N_IMAGES);
  const VitgateResult *gated = fixture_forward(a, s.inputs, N_IMAGES);
  const VitgateResult *plain = fixture_forward(b, s.inputs, N_IMAGES);
  for (guint i = 0; i < N_IMAGES; i++) {
    ck_assert_mem_eq(gated[i].logits, plain[i].logits, s.d.n_classes * sizeof(float));
    ck_assert_double_eq(gated[i].gmacs, plain[i].gmacs);
    ck_assert_ptr_null(gated[i].patches); /* nobody asked for them */
    ck_assert_mem_eq(gated[i].module_tokens, plain[i].module_tokens, 2 * s.d.depth * sizeof(guint));
  }
  setup_clear(&s);
}
END_TEST

/* ---- T2T-ViT ---- */

static void put_random(ModelFile *file, const char *name, guint rows, guint columns,
                       guint32 *random)
{
  Tensor *tensor =
      model_file_put(file, name, TENSOR_F32, columns ? 2 : 1, (const guint64[]){ rows, columns });
  fixture_fill((float *)tensor->data, (gsize)rows * MAX(columns, 1), -0.4f, 0.4f, random);
}

START_TEST(tokens_of_a_stem_decide_as_defined)
{
  static const char name[] = "t2t-performer";
  enum { IMAGE = 3 * 48 * 48, DIM = 24 };
  g_autoptr(ModelFile) file = model_file_read(name);
  g_autofree float *inputs = fixture_tensors(7, N_IMAGES * IMAGE);
  g_autofree float *tokens = reference_embed(name, inputs, N_IMAGES);
  guint32 random = 9;
  model_file_set(file, "blocks",
                 "[{\"heads\": 3, \"neurons\": 48, \"attention_token_gate\": {\"rank\": 12},"
                 "\"mlp_token_gate\": {\"rank\": 3}}, {\"heads\": 3, \"neurons\": 48}]");
  put_random(file, "blocks.0.attn_token_gate.weight", 1, DIM, &random);
  put_random(file, "blocks.0.attn_token_gate.bias", 1, 0, &random);
  put_random(file, "blocks.0.attn_substitute.weight", DIM, DIM, &random);
  put_random(file, "blocks.0.attn_substitute.bias", DIM, 0, &random);
  put_random(file, "blocks.0.mlp_token_gate.weight", 1, DIM, &random);
  put_random(file, "blocks.0.mlp_token_gate.bias", 1, 0, &random);
  put_random(file, "blocks.0.mlp_substitute.down.weight", 3, DIM, &random);
  put_random(file, "blocks.0.mlp_substitute.up.weight", DIM, 3, &random);
  put_random(file, "blocks.0.mlp_substitute.bias", DIM, 0, &random);
  g_autoptr(VitgateModel) model = model_file_open(file, "t2t");
  const Description *d = vitgate__model_get_description(model);
  const ReferenceSettings plain = { .thresholds = { 1, 1 }, .group = 1, .embedded = tokens };
  ReferenceImage *expected = reference_forward(file, d, &plain, inputs, N_IMAGES);
  for (guint threads = 1; threads <= 3; threads++) {
    g_autoptr(VitgateSession) session = fixture_session(model, threads, N_IMAGES);
    const VitgateResult *found = fixture_forward(session, inputs, N_IMAGES);
    reference_check(found, expected, N_IMAGES, d, LEAST_MARGIN, name);
    for (guint m = 0; m < 2; m++)
      ck_assert(found->module_tokens[m] > 1 && found->module_tokens[m] < 10);
  }
  reference_free(expected, N_IMAGES);
}
END_TEST

int main(void)
{
  TCase *gates = tcase_create("token-gates");
  tcase_add_loop_test(gates, tokens_decide_as_defined, 0, N_MODELS * N_SETTINGS);
  tcase_add_loop_test(gates, every_gate_opens_for_only_some_tokens, 0, N_MODELS * MIXED);
  tcase_add_loop_test(gates, groups_decide_by_the_mean_of_a_position, 0, N_MODELS * UNMERGED);
  tcase_add_loop_test(gates, groups_are_refused_where_tokens_merge, 0, N_MODELS);
  tcase_add_loop_test(gates, threads_and_batches_change_no_bit, 0,
                      N_MODELS * N_SETTINGS * N_PRECISIONS);
  tcase_add_loop_test(gates, open_gates_change_no_bit_and_cost_nothing, 0,
                      2 * N_MODELS * N_PRECISIONS);
  tcase_add_test(gates, tokens_of_a_stem_decide_as_defined);
  return fixture_run("token-gates", gates, NULL);
}
