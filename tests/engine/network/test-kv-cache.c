/* Passes with a cache of keys and values, compared with the reference in double precision: random
 * rows of random pictures, many in a row. */
#include <math.h>

#include "file/architecture.h"
#include "fixture.h"
#include "model.h"
#include "network/families/families.h"
#include "reference-model.h"
#include "session.h"

/* A decision with a smaller margin could differ in float32. */
#define LEAST_MARGIN 2e-6

#define TOKENS(rank)                                                                               \
  {                                                                                                \
    TRUE, rank                                                                                     \
  }

static BlockShape plain_blocks[] = { { 2, 37 }, { 3, 50 }, { 1, 22 } };
/* Substitutes of every kind, a block without attention and one without an MLP. */
static BlockShape gated_blocks[] = {
  { 2, 12, .mlp_tokens = TOKENS(0) },
  { 3, 20, .attention_tokens = TOKENS(3), .mlp_tokens = TOKENS(14) },
  { 0, 8, .mlp_tokens = TOKENS(6) },
  { 1, 0, .attention_tokens = TOKENS(0) },
  { 2, 16, .attention_tokens = TOKENS(7), .mlp_tokens = TOKENS(1) },
};
static BlockShape distilled_blocks[] = {
  { 1, 10, .attention_tokens = TOKENS(5), .mlp_tokens = TOKENS(4) },
  { 2, 16, .attention_gate = TRUE, .mlp_tokens = TOKENS(12) },
  { 2, 8, .attention_tokens = TOKENS(2), .mlp_gate = TRUE },
  { 0, 12 },
};
static BlockShape mean_blocks[] = {
  { 2, 9, .attention_tokens = TOKENS(6), .mlp_gate = TRUE },
  { 1, 10, .attention_gate = TRUE, .mlp_tokens = TOKENS(1) },
  { 0, 7, .mlp_tokens = TOKENS(0) },
};
/* The only attention sees tokens that depend on their own patches alone. */
static BlockShape single_blocks[] = { { 0, 30 }, { 3, 21, .mlp_tokens = TOKENS(2) }, { 0, 25 } };

#define COMMON                                                                                     \
  .family = &vitgate__family_vit, .n_classes = 5, .layer_norm_eps = 1e-6, .dense_gmacs = 4e-4,     \
  .dense_parameters = 9000,                                                                        \
  .preprocessing = { .resize = 28, .mean = { .5f, .5f, .5f }, .std = { .5f, .5f, .5f } }
#define BLOCKS(name) .depth = G_N_ELEMENTS(name), .blocks = name

static const Description descriptions[] = {
  { .name = "plain",
    .image_size = 28,
    .patch_size = 4,
    .dim = 27,
    .head_dim = 9,
    BLOCKS(plain_blocks),
    COMMON },
  { .name = "gated",
    .image_size = 15,
    .patch_size = 3,
    .dim = 14,
    .head_dim = 7,
    BLOCKS(gated_blocks),
    COMMON },
  { .name = "distilled",
    .image_size = 20,
    .patch_size = 2,
    .dim = 12,
    .head_dim = 5,
    .distilled = TRUE,
    BLOCKS(distilled_blocks),
    COMMON },
  { .name = "mean",
    .image_size = 15,
    .patch_size = 3,
    .dim = 12,
    .head_dim = 6,
    .mean_pooling = TRUE,
    BLOCKS(mean_blocks),
    COMMON },
  { .name = "single",
    .image_size = 14,
    .patch_size = 1,
    .dim = 27,
    .head_dim = 9,
    BLOCKS(single_blocks),
    COMMON },
};
enum { PLAIN, GATED, DISTILLED, MEAN, SINGLE, N_MODELS, MOST_TOKENS = 197, N_FRAMES = 14 };

static const VitgatePrecision precisions[] = { VITGATE_PRECISION_FLOAT32, VITGATE_PRECISION_INT8,
                                               VITGATE_PRECISION_BF16 };
enum { N_PRECISIONS = G_N_ELEMENTS(precisions), MOST_THREADS = 4 };

typedef struct {
  Description d;
  CalibrationPoint point;
  double thresholds[REFERENCE_MAX_DEPTH];
  guint n_patches, n_prefix;
  gsize image;
  ModelFile *file;
  VitgateModel *model;
  VitgateSession *sessions[MOST_THREADS + 1]; /* by threads */
  KvCache *cache;
  guint rows[MOST_TOKENS], n_rows;
} Setup;

/* The dial merges tokens, which passes with a cache must not do.
 * Returns: FALSE if the machine has no products of this precision */
static gboolean setup_init(Setup *s, guint which, VitgatePrecision precision)
{
  g_autoptr(GError) error = NULL;
  *s = (Setup){ .d = descriptions[which], .thresholds = { .3, .3, .3, .3, .3, .3, .3, .3 } };
  s->point = (CalibrationPoint){ .5, 1, .1, s->thresholds };
  s->d.calibration = &s->point;
  s->d.n_calibration = 1;
  s->d.default_compute = .5;
  s->n_patches = vitgate__description_n_patches(&s->d);
  s->n_prefix = vitgate__description_n_prefix(&s->d);
  s->image = (gsize)3 * s->d.image_size * s->d.image_size;
  s->file = reference_model(&s->d, 31 + which);
  g_autofree char *path = model_file_write(s->file, s->d.name);
  s->model = vitgate_model_open_with(path, precision, &error);
  if (g_error_matches(error, VITGATE_ERROR, VITGATE_ERROR_UNSUPPORTED)) {
    model_file_free(s->file);
    return FALSE;
  }
  assert_success(s->model, error);
  for (guint threads = 1; threads <= MOST_THREADS; threads++)
    s->sessions[threads] = fixture_session_with(
        s->model, &(VitgateSessionOptions){ .threads = threads, .patches = TRUE });
  s->cache = vitgate__kv_cache_new(vitgate__model_get_vit(s->model));
  return TRUE;
}

static void setup_clear(Setup *s)
{
  vitgate__kv_cache_free(&s->cache);
  for (guint threads = 1; threads <= MOST_THREADS; threads++)
    vitgate_session_free(&s->sessions[threads]);
  vitgate_model_unref(&s->model);
  model_file_free(s->file);
}

/* Chooses about @share of the patches. */
static void choose_rows(Setup *s, float share, guint32 *random)
{
  s->n_rows = 0;
  for (guint t = 0; t < s->n_prefix + s->n_patches; t++)
    if (t < s->n_prefix || fixture_uniform(random, 0, 1) < share)
      s->rows[s->n_rows++] = t;
}

/* Returns: (transfer none): the result of a pass on @threads threads: an update of the chosen rows,
 * or a full pass */
static const VitgateResult *run(const Setup *s, guint threads, gboolean update, const float *tensor)
{
  VitgateSession *session = s->sessions[threads];
  const CachedPass pass = { s->cache, update ? s->rows : NULL, update ? s->n_rows : 0 };
  vitgate__session_continue(session, &pass, tensor, 0);
  return vitgate__session_get_results(session);
}

/* ---- Against the reference ---- */

/* Full passes now and then, between them updates of none, some and all patches. All pixels change:
 * those of other patches must not be read. */
START_TEST(passes_are_as_defined)
{
  Setup s;
  guint32 random = 77;
  setup_init(&s, (guint)_i, VITGATE_PRECISION_FLOAT32);
  ReferenceCache *cache = reference_cache_new(&s.d);
  g_autofree float *tensor = g_new(float, s.image);
  for (guint i = 0; i < N_FRAMES; i++) {
    static const float shares[] = { .1f, 0, .5f, .2f, 1, .05f };
    const gboolean update = i % 7 > 0;
    g_autofree char *what = g_strdup_printf("%s, frame %u", s.d.name, i);
    fixture_fill(tensor, s.image, -2, 2, &random);
    choose_rows(&s, shares[i % 6], &random);
    const ReferenceSettings plain = { .gate_bias = s.point.gate_bias,
                                      .thresholds = { 1, 1, 1, 1, 1, 1, 1, 1 },
                                      .group = 1,
                                      .cache = cache,
                                      .rows = update ? s.rows : NULL,
                                      .n_rows = s.n_rows };
    ReferenceImage *expected = reference_forward(s.file, &s.d, &plain, tensor, 1);
    reference_check(run(&s, i % MOST_THREADS + 1, update, tensor), expected, 1, &s.d, LEAST_MARGIN,
                    what);
    reference_free(expected, 1);
  }
  reference_cache_free(cache);
  setup_clear(&s);
}
END_TEST

/* Otherwise updates would not prove that gates of modules stay as they were. */
START_TEST(gates_of_modules_would_decide_otherwise)
{
  static const guint models[] = { DISTILLED, MEAN };
  guint n_different = 0;
  Setup s;
  guint32 random = 77;
  setup_init(&s, models[_i], VITGATE_PRECISION_FLOAT32);
  g_autofree float *tensor = g_new(float, s.image);
  guint8 first[2 * REFERENCE_MAX_DEPTH];
  for (guint i = 0; i < N_FRAMES; i++) {
    fixture_fill(tensor, s.image, -2, 2, &random);
    choose_rows(&s, .5f, &random);
    const VitgateResult *result = run(&s, 1, FALSE, tensor);
    if (i == 0)
      memcpy(first, result->modules, 2 * s.d.depth);
    n_different += memcmp(first, result->modules, 2 * s.d.depth) != 0;
  }
  ck_assert_uint_gt(n_different, 0);
  setup_clear(&s);
}
END_TEST

/* The rows of T2T-ViT are the tokens after its stem. */
START_TEST(tokens_of_a_stem_are_updated)
{
  static const char *const names[] = { "t2t-performer", "t2t-transformer" };
  enum { N = 6 };
  g_autoptr(ModelFile) file = model_file_read(names[_i]);
  g_autoptr(VitgateModel) model = model_file_open(file, "t2t");
  const Description *d = vitgate__model_get_description(model);
  const gsize image = (gsize)3 * d->image_size * d->image_size;
  const guint n_tokens = vitgate__description_n_tokens(d);
  g_autofree float *inputs = fixture_tensors(7, N * image);
  g_autofree float *tokens = reference_embed(names[_i], inputs, N);
  g_autoptr(VitgateSession) session = fixture_session(model, 2, 1);
  KvCache *cache = vitgate__kv_cache_new(vitgate__model_get_vit(model));
  ReferenceCache *expected_cache = reference_cache_new(d);
  for (guint i = 0; i < N; i++) {
    const guint rows[] = { 0, 1 + i % 2, n_tokens - 2 + i % 2 }, n = 1 + i % 3;
    const ReferenceSettings plain = { .thresholds = { 1, 1, 1, 1 },
                                      .group = 1,
                                      .embedded = tokens + (gsize)i * n_tokens * d->dim,
                                      .cache = expected_cache,
                                      .rows = i ? rows : NULL,
                                      .n_rows = n };
    ReferenceImage *expected = reference_forward(file, d, &plain, inputs + i * image, 1);
    vitgate__session_continue(session, &(CachedPass){ cache, i ? rows : NULL, n },
                              inputs + i * image, 0);
    reference_check(vitgate__session_get_results(session), expected, 1, d, LEAST_MARGIN, names[_i]);
    reference_free(expected, 1);
  }
  reference_cache_free(expected_cache);
  vitgate__kv_cache_free(&cache);
}
END_TEST

/* ---- Precisions and threads ---- */

/* Copies the logits of a pass. */
static void get_logits(const Setup *s, guint threads, gboolean update, const float *tensor,
                       float *logits)
{
  memcpy(logits, run(s, threads, update, tensor)->logits, s->d.n_classes * sizeof *logits);
}

/* Draws the pixels of the chosen patches anew. */
static void change_rows(const Setup *s, float *tensor, float reach, guint32 *random)
{
  const guint size = s->d.image_size, patch = s->d.patch_size, side = size / patch;
  for (guint i = s->n_prefix; i < s->n_rows; i++) {
    const guint p = s->rows[i] - s->n_prefix;
    for (guint v = 0; v < 3 * patch * patch; v++)
      tensor[(v / patch / patch * size + p / side * patch + v / patch % patch) * size +
             p % side * patch + v % patch] = fixture_uniform(random, -reach, reach);
  }
}

/* Sums of squared errors of logits. */
typedef struct {
  double added; /* an update's, beside a full pass in the same precision */
  double own;   /* a full pass's, beside float32 */
} Errors;

/* Runs 40 updates without a full pass in between, each beside a full pass on the same picture.
 * @share: of patches that change */
static Errors measure_updates(guint which, VitgatePrecision precision, float share)
{
  Setup s, exact;
  guint32 random = 12;
  Errors errors = { 0, 0 };
  if (!setup_init(&s, which, precision))
    return errors;
  setup_init(&exact, which, VITGATE_PRECISION_FLOAT32);
  KvCache *fresh = vitgate__kv_cache_new(vitgate__model_get_vit(s.model)), *kept = s.cache;
  g_autofree float *tensor = g_new(float, s.image);
  float found[5], expected[5], best[5];
  fixture_fill(tensor, s.image, -2, 2, &random);
  run(&s, 1, FALSE, tensor);
  for (guint i = 0; i < 40; i++) {
    choose_rows(&s, share, &random);
    change_rows(&s, tensor, i % 3 ? 2 : 3, &random);
    s.cache = kept;
    get_logits(&s, i % 3 + 1, TRUE, tensor, found);
    s.cache = fresh;
    get_logits(&s, 1, FALSE, tensor, expected);
    get_logits(&exact, 1, FALSE, tensor, best);
    for (guint c = 0; c < s.d.n_classes; c++) {
      errors.added += pow(found[c] - expected[c], 2);
      errors.own += pow(expected[c] - best[c], 2);
    }
  }
  s.cache = kept;
  vitgate__kv_cache_free(&fresh);
  setup_clear(&exact);
  setup_clear(&s);
  return errors;
}

/* Checks that updates are exact bit by bit, but for int8. There, values keep the scales of earlier
 * frames, which may be wider than their own, so that other values round differently: that must not
 * add much more error than int8 itself has. 0.6 to 0.9 times as much was measured. */
static void check_updates(guint which, VitgatePrecision precision, float share)
{
  const Errors errors = measure_updates(which, precision, share);
  ck_assert_msg(precision == VITGATE_PRECISION_INT8 ? errors.added <= 1.5 * 1.5 * errors.own
                                                    : errors.added == 0,
                "%s: an error of %g is added to one of %g", vitgate_precision_name(precision),
                sqrt(errors.added), sqrt(errors.own));
}

/* Gates of modules would keep what they decided. */
START_TEST(updates_of_all_tokens_are_the_whole_network)
{
  check_updates(PLAIN, precisions[_i], 1);
  check_updates(GATED, precisions[_i], 1);
}
END_TEST

/* Tokens know nothing of each other before the only attention. */
START_TEST(updates_are_exact_with_one_attention)
{
  check_updates(SINGLE, precisions[_i], .05f);
  check_updates(SINGLE, precisions[_i], .4f);
}
END_TEST

START_TEST(threads_change_no_bit)
{
  const guint which = (guint)_i / N_PRECISIONS;
  Setup s;
  float logits[MOST_THREADS + 1][5];
  if (!setup_init(&s, which, precisions[_i % N_PRECISIONS]))
    return;
  g_autofree float *tensor = g_new(float, s.image);
  for (guint threads = 1; threads <= MOST_THREADS; threads++) {
    guint32 random = 5;
    for (guint i = 0; i < 5; i++) {
      fixture_fill(tensor, s.image, -2, 2, &random);
      choose_rows(&s, .3f * (float)i, &random);
      get_logits(&s, threads, i > 0, tensor, logits[threads]);
    }
    ck_assert_mem_eq(logits[threads], logits[1], s.d.n_classes * sizeof(float));
  }
  setup_clear(&s);
}
END_TEST

/* Returns: the mean square of the differences between the logits of updates in float32 and in
 * another precision, from frame @first to @last - 1 */
static double error_of(const Setup *exact, const Setup *rounded, float *tensor, guint first,
                       guint last, guint32 *random)
{
  double squares = 0;
  float expected[5], found[5];
  Setup *s = (Setup *)exact;
  for (guint i = first; i < last; i++) {
    choose_rows(s, .1f, random);
    memcpy(((Setup *)rounded)->rows, s->rows, sizeof s->rows);
    ((Setup *)rounded)->n_rows = s->n_rows;
    change_rows(s, tensor, 2, random);
    get_logits(exact, 1, i > 0, tensor, expected);
    get_logits(rounded, 1, i > 0, tensor, found);
    for (guint c = 0; c < s->d.n_classes; c++)
      squares += pow(found[c] - expected[c], 2) / s->d.n_classes / (last - first);
  }
  return squares;
}

/* The error of reduced precisions is that of one pass, however many updates have gone by. */
START_TEST(errors_do_not_grow)
{
  const VitgatePrecision precision = precisions[1 + _i % 2];
  double early = 0, late = 0;
  for (guint run = 0; run < 8; run++) {
    Setup exact, rounded;
    guint32 random = 100 + run;
    if (!setup_init(&rounded, PLAIN, precision))
      return;
    setup_init(&exact, PLAIN, VITGATE_PRECISION_FLOAT32);
    g_autofree float *tensor = g_new(float, exact.image);
    fixture_fill(tensor, exact.image, -2, 2, &random);
    early += error_of(&exact, &rounded, tensor, 0, 5, &random);
    error_of(&exact, &rounded, tensor, 5, 50, &random);
    late += error_of(&exact, &rounded, tensor, 50, 60, &random);
    setup_clear(&exact);
    setup_clear(&rounded);
  }
  ck_assert_msg(early > 0 && late <= 1.5 * 1.5 * early,
                "%s: error %g in the first 5 frames, %g after 50",
                vitgate_precision_name(precision), sqrt(early / 8), sqrt(late / 8));
}
END_TEST

int main(void)
{
  TCase *cache = tcase_create("kv-cache");
  tcase_add_loop_test(cache, passes_are_as_defined, 0, N_MODELS);
  tcase_add_loop_test(cache, gates_of_modules_would_decide_otherwise, 0, 2);
  tcase_add_loop_test(cache, tokens_of_a_stem_are_updated, 0, 2);
  tcase_add_loop_test(cache, updates_of_all_tokens_are_the_whole_network, 0, N_PRECISIONS);
  tcase_add_loop_test(cache, updates_are_exact_with_one_attention, 0, N_PRECISIONS);
  tcase_add_loop_test(cache, threads_change_no_bit, 0, N_MODELS * N_PRECISIONS);
  tcase_add_loop_test(cache, errors_do_not_grow, 0, 2);
  return fixture_run("kv-cache", cache, NULL);
}
