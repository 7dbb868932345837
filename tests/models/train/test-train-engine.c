/* The trainer's forward pass against the engine's, on model files. With a model file as argument,
 * the program compares them on that file; exit status 77 if it does not exist. */
#include <check.h>
#include <math.h>
#include <string.h>

#include "file/architecture.h"
#include "fixtures.h"
#include "model.h"
#include "network/families/families.h"
#include "passes.h"
#include "train/run/model-writer.h"

/* float32 on both sides, with sums in another order. Logits and normalised tokens are of the order
 * of one to ten. */
#define TOLERANCE 1e-4
/* The trainer keeps the cost of a module in float32. */
#define GMACS_TOLERANCE 1e-6

enum { N_IMAGES = 5, N_MEMBERS = 2, MAX_DEPTH = 8 };

/* A global variable, since a test case takes no such argument. */
static const char *given_model;

typedef struct {
  VitgateModel *model;
  const Description *description;
  VitgateSession *session;
  const VitgateResult *results; /* [N_IMAGES] */
  Network *network;
  Team *team;
  TrainingPass *pass;
  float *tensors;
} Both;

/* Opens the file on both sides and runs both on the same random images, with the file's dial. */
static void both_run(Both *both, const char *path)
{
  g_autoptr(GError) error = NULL;
  memset(both, 0, sizeof *both);
  both->model = vitgate_model_open(path, &error);
  ck_assert_msg(both->model != NULL, "%s", error ? error->message : "");
  const Description *d = both->description = vitgate__model_get_description(both->model);
  const gsize n = (gsize)N_IMAGES * 3 * d->image_size * d->image_size;
  g_autoptr(GRand) random = g_rand_new_with_seed(5);
  both->tensors = g_new(float, n);
  for (gsize i = 0; i < n; i++)
    both->tensors[i] = (float)g_rand_double_range(random, -2, 2);

  const VitgateSessionOptions options = { .threads = N_MEMBERS, .max_batch = N_IMAGES };
  both->session = vitgate_session_new(both->model, &options, &error);
  ck_assert(both->session != NULL);
  both->results = vitgate_session_forward(both->session, both->tensors, N_IMAGES, &error);
  ck_assert(both->results != NULL);

  g_autoptr(Safetensors) file = vitgate__safetensors_open(path, &error);
  ck_assert(file != NULL);
  both->network = network_new(d, FALSE);
  ck_assert(network_load(both->network, file, &error));
  Dial dial;
  vitgate__dial_set(&dial, d, vitgate_model_get_info(both->model)->default_compute);
  for (guint b = 0; b < d->depth; b++)
    if (dial.thresholds[b] < MERGE_NEVER)
      both->network->blocks[b].merge_threshold = dial.thresholds[b];
  both->team = vitgate__team_new(N_MEMBERS);
  both->pass = training_pass_new(both->network, both->team, N_IMAGES, FALSE, TRUE, NULL);
  both->pass->n_images = N_IMAGES;
  both->pass->tensors = both->tensors;
  both->pass->decisions.bias = dial.gate_bias;
  passes_forward(both->pass);
}

static void both_clear(Both *both)
{
  training_pass_free(&both->pass);
  vitgate__team_free(&both->team);
  network_free(&both->network);
  vitgate_session_free(&both->session);
  vitgate_model_unref(&both->model);
  g_free(both->tensors);
}

static void check_alike(const char *what, guint image, const float *a, const float *b, guint n)
{
  for (guint i = 0; i < n; i++)
    if (!(fabs((double)a[i] - (double)b[i]) <= TOLERANCE))
      ck_abort_msg("image %u, %s %u: %.7g in the engine, %.7g in training", image, what, i,
                   (double)a[i], (double)b[i]);
}

static const Share *share_of(const TrainingPass *pass, guint image)
{
  const Share *share = pass->shares;
  while (image >= share->first + share->n)
    share++;
  return share;
}

static void check_numbers(const Both *both)
{
  const Description *d = both->description;
  const guint n_prefix = both->network->n_prefix;
  g_autofree float *tokens = g_new(float, n_prefix * d->dim);
  for (guint i = 0; i < N_IMAGES; i++) {
    const Share *share = share_of(both->pass, i);
    check_alike("logit", i, both->results[i].logits, training_pass_get_logits(both->pass, i),
                d->n_classes);
    vitgate__session_get_tokens(both->session, i, tokens);
    for (guint t = 0; t < n_prefix && !d->mean_pooling; t++)
      check_alike(t ? "distillation token" : "class token", i, tokens + t * d->dim,
                  share->tokens[t] + (gsize)(i - share->first) * d->dim, d->dim);
  }
}

static gboolean is_module(const Description *d, guint module)
{
  return (module % 2 ? d->blocks[module / 2].neurons : d->blocks[module / 2].heads) > 0;
}

/* @n_tokens: (inout) (optional): adds the tokens left after merging, over all images
 * Returns: how many modules ran, over all images */
static guint check_decisions(const Both *both, guint *n_tokens)
{
  const Description *d = both->description;
  const guint tail = vitgate__description_tail(d);
  guint n_ran = 0;
  for (guint i = 0; i < N_IMAGES; i++) {
    for (guint m = 0; m < 2 * d->depth; m++) {
      const gboolean open = both->pass->decisions.open[(gsize)m * both->pass->capacity + i] > 0;
      ck_assert_msg(both->results[i].modules[m] == (open && is_module(d, m)), "image %u, module %u",
                    i, m);
      n_ran += both->results[i].modules[m];
    }
    const Share *share = share_of(both->pass, i);
    const guint *rows = share->blocks[tail].rows + (i - share->first);
    ck_assert_uint_eq(both->results[i].n_tokens, rows[1] - rows[0]);
    if (n_tokens)
      *n_tokens += both->results[i].n_tokens;
  }
  return n_ran;
}

static guint count_modules(const Description *d)
{
  guint n = 0;
  for (guint m = 0; m < 2 * d->depth; m++)
    n += is_module(d, m);
  return n;
}

/* ---- Model files ---- */

typedef struct {
  guint image_size, patch_size, dim, head_dim, depth, n_classes;
  gboolean distilled;
  double eps;
  BlockShape blocks[MAX_DEPTH]; /* heads, neurons */
  gboolean qkv_unbiased;
  const Family *stem; /* NULL: of a ViT */
  guint token_dim, n_features;
  gboolean mean_pooling;
} Shape;

static const Shape shapes[] = {
  { 21, 7, 30, 10, 5, 11, FALSE, 1e-6, { { 3, 48 }, { 1, 17 }, { 0, 16 }, { 2, 0 }, { 0, 80 } } },
  { 20, 5, 24, 7, 3, 5, TRUE, 1e-5, { { 2, 33 }, { 0, 0 }, { 5, 16 } } },
  { 64,
    16,
    24,
    8,
    3,
    5,
    FALSE,
    1e-5,
    { { 3, 32 }, { 2, 48 }, { 3, 16 } },
    TRUE,
    &vitgate__family_t2t_performer,
    6,
    3 },
  { .image_size = 24,
    .patch_size = 4,
    .dim = 20,
    .head_dim = 5,
    .depth = 4,
    .n_classes = 6,
    .eps = 1e-6,
    .blocks = { { 2, 32 }, { 3, 16 }, { 1, 48 }, { 2, 16 } },
    .mean_pooling = TRUE },
  { 12, 4, 40, 8, 2, 3, TRUE, 1e-6, { { 0, 24 }, { 0, 16 } } }, /* no attention at all */
  { 12, 4, 24, 6, 2, 4, FALSE, 1e-6, { { 2, 16 }, { 3, 32 } }, TRUE },
  { 48,
    16,
    20,
    10,
    2,
    4,
    FALSE,
    1e-5,
    { { 2, 16 }, { 2, 32 } },
    TRUE,
    &vitgate__family_t2t_transformer,
    5 },
};
enum { N_SHAPES = G_N_ELEMENTS(shapes), N_MERGING = 4 /* the first */ };

/* Adds token gates with substitutes of every kind to all modules after the first block. */
static void add_token_gates(Description *d)
{
  const guint ranks[] = { 0, 4, d->dim };
  for (guint b = 1; b < d->depth; b++) {
    d->blocks[b].attention_tokens = (TokenGate){ d->blocks[b].heads > 0, ranks[b % 3] };
    d->blocks[b].mlp_tokens = (TokenGate){ d->blocks[b].neurons > 0, ranks[(b + 1) % 3] };
  }
}

/* Writes a model with a gate on every module after the first block.
 * @gate_bias: of the gates' last layers; NULL: random
 * @calibration: (nullable): its only calibration point
 * Returns: (transfer full): its path, in its own folder */
static char *write_model(const Shape *shape, void (*add_gates)(Description *),
                         const float *gate_bias, CalibrationPoint *calibration)
{
  BlockShape blocks[MAX_DEPTH];
  Description d = { .name = "small",
                    .image_size = shape->image_size,
                    .patch_size = shape->patch_size,
                    .dim = shape->dim,
                    .head_dim = shape->head_dim,
                    .depth = shape->depth,
                    .blocks = blocks,
                    .n_classes = shape->n_classes,
                    .distilled = shape->distilled,
                    .qkv_unbiased = shape->qkv_unbiased,
                    .family = shape->stem ? shape->stem : &vitgate__family_vit,
                    .token_dim = shape->token_dim,
                    .n_features = shape->n_features,
                    .mean_pooling = shape->mean_pooling,
                    .layer_norm_eps = shape->eps,
                    .preprocessing = { .resize = shape->image_size, .std = { 1, 1, 1 } },
                    .calibration = calibration,
                    .n_calibration = calibration ? 1 : 0,
                    .default_compute = 1 };
  memcpy(blocks, shape->blocks, sizeof blocks);
  add_gates(&d);
  d.dense_gmacs = vitgate__description_published_gmacs(&d);
  d.dense_parameters = vitgate__description_parameters(&d);
  Network *network = network_new(&d, FALSE);
  passes_fill(network, 9);
  for (guint m = 0; m < 2 * d.depth; m++) {
    const TrainBlock *block = &network->blocks[m / 2];
    const GateOffsets *gate = m % 2 ? &block->mlp_gate : &block->attention_gate;
    if (gate->present && gate_bias)
      *network_at(network, gate->fc2_bias) = *gate_bias;
  }
  g_autofree char *folder = fixtures_folder();
  char *path = g_build_filename(folder, "model.safetensors", NULL);
  g_autoptr(GError) error = NULL;
  ck_assert_msg(network_write(network, VITGATE_PRECISION_FLOAT32, path, &error), "%s",
                error ? error->message : "");
  network_free(&network);
  return path;
}

static void remove_model(char *path)
{
  fixtures_remove(g_path_get_dirname(path));
  g_free(path);
}

START_TEST(test_open_gates)
{
  static const float wide_open = 100;
  char *path = write_model(&shapes[_i], description_add_gates, &wide_open, NULL);
  Both both;
  both_run(&both, path);
  ck_assert_uint_eq(check_decisions(&both, NULL), N_IMAGES * count_modules(both.description));
  check_numbers(&both);
  both_clear(&both);
  remove_model(path);
}
END_TEST

/* Runs a model with gates, with a dial's bias and threshold; 1: no tokens merge.
 * Returns: (transfer full): the path of the model */
static char *run_dial(Both *both, const Shape *shape, void (*add_gates)(Description *),
                      double threshold)
{
  double thresholds[MAX_DEPTH];
  CalibrationPoint point = { 1, 1, 0.1, thresholds };
  for (guint b = 0; b < MAX_DEPTH; b++)
    thresholds[b] = threshold;
  char *path = write_model(shape, add_gates, NULL, &point);
  both_run(both, path);
  return path;
}

/* Checks what comes out and what it costs. */
static void check_results(const Both *both)
{
  check_numbers(both);
  double gmacs = 0;
  for (guint i = 0; i < N_IMAGES; i++)
    gmacs += both->results[i].gmacs / N_IMAGES;
  ck_assert_double_eq_tol(loss_compute_ratio(both->pass, 1), gmacs, GMACS_TOLERANCE * gmacs);
}

static void check_dial(const Shape *shape, double threshold)
{
  Both both;
  char *path = run_dial(&both, shape, description_add_gates, threshold);
  guint n_tokens = 0;
  const guint n_ran = check_decisions(&both, &n_tokens);
  const guint all_tokens = N_IMAGES * vitgate__description_n_tokens(both.description);
  ck_assert_uint_gt(n_ran, 0);
  ck_assert_uint_lt(n_ran, N_IMAGES * count_modules(both.description));
  ck_assert_int_eq(n_tokens < all_tokens, threshold < 1);
  check_results(&both);
  both_clear(&both);
  remove_model(path);
}

START_TEST(test_gates_decide_alike)
{
  check_dial(&shapes[_i], 1);
}
END_TEST

START_TEST(test_tokens_merge_alike)
{
  check_dial(&shapes[_i], 0.5);
}
END_TEST

/* Returns: tokens that ran modules with a token gate, over all images, of @present */
static guint check_tokens(const Both *both, guint *present)
{
  const Description *d = both->description;
  guint sum = *present = 0;
  for (guint i = 0; i < N_IMAGES; i++)
    for (guint m = 2; m < 2 * vitgate__description_tail(d); m++) {
      const Share *share = share_of(both->pass, i);
      const Activations *a = &share->blocks[m / 2];
      const guint *rows = (m % 2 ? a->merged : a->rows) + (i - share->first);
      guint open = 0;
      for (guint row = rows[0]; row < rows[1] && is_module(d, m); row++)
        open += a->tokens[m % 2].open[row] > 0;
      ck_assert_msg(both->results[i].module_tokens[m] == open, "image %u, module %u: %u, not %u", i,
                    m, both->results[i].module_tokens[m], open);
      sum += open;
      *present += is_module(d, m) ? rows[1] - rows[0] : 0;
    }
  return sum;
}

static void check_token_dial(const Shape *shape, double threshold)
{
  Both both;
  char *path = run_dial(&both, shape, add_token_gates, threshold);
  guint present;
  const guint ran = check_tokens(&both, &present);
  if (present) {
    ck_assert_uint_gt(ran, present / 4);
    ck_assert_uint_lt(ran, present);
  }
  check_results(&both);
  both_clear(&both);
  remove_model(path);
}

START_TEST(test_token_gates_decide_alike)
{
  check_token_dial(&shapes[_i], 1);
}
END_TEST

START_TEST(test_token_gates_decide_alike_on_merged_tokens)
{
  check_token_dial(&shapes[_i], 0.5);
}
END_TEST

START_TEST(test_given_model)
{
  Both both;
  both_run(&both, given_model);
  ck_assert_uint_eq(check_decisions(&both, NULL), N_IMAGES * count_modules(both.description));
  check_numbers(&both);
  both_clear(&both);
}
END_TEST

int main(int argc, char **argv)
{
  TCase *tcase = tcase_create("trainer and engine");
  tcase_set_timeout(tcase, 60);
  if (argc > 1) {
    given_model = argv[1];
    if (!g_file_test(given_model, G_FILE_TEST_EXISTS)) {
      g_print("SKIP: %s does not exist\n", given_model);
      return 77;
    }
    tcase_add_test(tcase, test_given_model);
  } else {
    tcase_add_loop_test(tcase, test_open_gates, 0, N_SHAPES);
    tcase_add_loop_test(tcase, test_gates_decide_alike, 0, N_SHAPES);
    tcase_add_loop_test(tcase, test_tokens_merge_alike, 0, N_MERGING);
    tcase_add_loop_test(tcase, test_token_gates_decide_alike, 0, N_SHAPES);
    tcase_add_loop_test(tcase, test_token_gates_decide_alike_on_merged_tokens, 0, N_MERGING);
  }
  return fixtures_run(tcase, "train-engine");
}
