/* The calibration table of the dial, and that trainer and engine reproduce its figures. */
#include <check.h>
#include <math.h>
#include <string.h>

#include "file/architecture.h"
#include "file/description-json.h"
#include "fixtures.h"
#include "network/families/families.h"
#include "passes.h"
#include "train/dial/dial-table.h"
#include "train/run/model-writer.h"
#include "vitgate.h"

/* The trainer's own figures, summed over other batches. */
#define SAME_COMPUTE 1e-6
/* Whole numbers, divided by the same number. */
#define SAME_SHARE 1e-12

/* float32 on both sides, with sums in another order. One of a few hundred decisions may be so close
 * to its threshold that it differs. */
#define ENGINE_TOLERANCE 0.005

enum { DEPTH = 4, SIZE = 18, PATCH = 3, N_CLASSES = 7, N_IMAGES = 20, BATCH = 8, MEMBERS = 2 };
enum { N_PIXELS = 3 * SIZE * SIZE };

typedef struct {
  Description description;
  BlockShape blocks[DEPTH];
  Network *network;
  Trainer *trainer;
  HeldOut held_out;
  DialTableOptions options;
} Setup;

/* Fills pictures with few kinds of patches, so that some tokens are alike. */
static void fill_pictures(float *tensors)
{
  g_autoptr(GRand) random = g_rand_new_with_seed(5);
  double kinds[5][3];
  for (guint i = 0; i < 5; i++)
    for (guint c = 0; c < 3; c++)
      kinds[i][c] = g_rand_double_range(random, -1.5, 1.5);
  for (guint i = 0; i < N_IMAGES * N_PIXELS; i++) {
    const guint image = i / N_PIXELS, c = i / (SIZE * SIZE) % 3, y = i / SIZE % SIZE, x = i % SIZE;
    const guint kind = (x / PATCH * (1 + image % 4) + y / PATCH * (image / 4 % 3) + image) % 5;
    tensors[i] = (float)(kinds[kind][c] + g_rand_double_range(random, -0.3, 0.3));
  }
}

/* The teacher is the network itself with all modules running, plus some noise. */
static void copy_logits(gpointer data, const TrainingPass *pass, guint first)
{
  const HeldOut *h = data;
  g_autoptr(GRand) random = g_rand_new_with_seed(first);
  for (guint i = 0; i < pass->n_images; i++)
    for (guint c = 0; c < N_CLASSES; c++)
      h->logits[(first + i) * N_CLASSES + c] =
          training_pass_get_logits(pass, i)[c] + (float)g_rand_double_range(random, -0.1, 0.1);
}

static void setup_init(Setup *s, gboolean gates)
{
  static const BlockShape shapes[DEPTH] = { { 3, 48 }, { 2, 32 }, { 2, 40 }, { 2, 24 } };
  memset(s, 0, sizeof *s);
  memcpy(s->blocks, shapes, sizeof shapes);
  s->description = (Description){
    .family = &vitgate__family_vit,
    .name = "dialled",
    .image_size = SIZE,
    .patch_size = PATCH,
    .dim = 12,
    .head_dim = 6,
    .depth = DEPTH,
    .blocks = s->blocks,
    .n_classes = N_CLASSES,
    .layer_norm_eps = 1e-6,
    .preprocessing = { .resize = SIZE, .std = { 1, 1, 1 } },
  };
  if (gates)
    description_add_gates(&s->description);
  s->description.dense_gmacs = vitgate__description_published_gmacs(&s->description);
  s->description.dense_parameters = vitgate__description_parameters(&s->description);
  s->network = network_new(&s->description, FALSE);
  passes_fill(s->network, 13);
  const TrainerOptions options = { .batch = BATCH, .threads = MEMBERS };
  s->trainer = trainer_new(s->network, &options, NULL);
  s->held_out = (HeldOut){ .n = N_IMAGES,
                           .n_classes = N_CLASSES,
                           .pixels = N_PIXELS,
                           .tensors = g_new(float, N_IMAGES *N_PIXELS),
                           .logits = g_new(float, N_IMAGES *N_CLASSES),
                           .labels = g_new0(int, N_IMAGES) };
  fill_pictures(s->held_out.tensors);
  held_out_run(&s->held_out, s->trainer, 100, N_IMAGES, BATCH, copy_logits, &s->held_out);
  s->options = (DialTableOptions){ .phase = "calibrating",
                                   .held_out = &s->held_out,
                                   .images = N_IMAGES,
                                   .priced_images = N_IMAGES,
                                   .batch = BATCH,
                                   .gates = gates,
                                   .merging = TRUE,
                                   .least = 0.3 };
}

static void setup_clear(Setup *s)
{
  trainer_free(&s->trainer);
  network_free(&s->network);
  vitgate__description_clear_calibration(&s->description);
  g_free(s->held_out.tensors);
  g_free(s->held_out.logits);
  g_free(s->held_out.labels);
}

static void make_table(Setup *s, double target)
{
  dial_table_make(s->trainer, &s->options, target, &s->description);
  ck_assert_uint_ge(s->description.n_calibration, 1);
}

static const CalibrationPoint *last_of(const Description *d)
{
  return &d->calibration[d->n_calibration - 1];
}

/* ---- The table itself ---- */

START_TEST(test_compute_ascends)
{
  Setup s;
  setup_init(&s, _i);
  make_table(&s, 0.5);
  const Description *d = &s.description;
  ck_assert_uint_ge(d->n_calibration, 6); /* with fewer points, the test would prove little */
  ck_assert_uint_le(d->n_calibration, DESCRIPTION_MAX_CALIBRATION);
  for (guint p = 0; p < d->n_calibration; p++) {
    const CalibrationPoint *point = &d->calibration[p];
    ck_assert_double_ge(point->agreement, 0);
    ck_assert_double_le(point->agreement, 1);
    ck_assert_double_gt(point->compute, 0);
    if (p)
      ck_assert_double_gt(point->compute, point[-1].compute);
  }
  ck_assert_double_lt(d->calibration[0].compute, 0.7 * last_of(d)->compute);
  setup_clear(&s);
}
END_TEST

/* Checks the ranges in FORMAT.md and the engine. Nothing merges from the last attention on. */
START_TEST(test_settings_are_in_range)
{
  Setup s;
  setup_init(&s, _i);
  make_table(&s, 0.5);
  const guint tail = vitgate__description_tail(&s.description);
  for (guint p = 0; p < s.description.n_calibration; p++) {
    const CalibrationPoint *point = &s.description.calibration[p];
    ck_assert_double_le(fabs(point->gate_bias), _i ? 6 : 0);
    for (guint b = 0; b < DEPTH; b++) {
      ck_assert_double_gt(point->thresholds[b], 0);
      ck_assert_double_le(point->thresholds[b], 1);
      if (b >= tail)
        ck_assert_double_eq(point->thresholds[b], 1);
    }
  }
  setup_clear(&s);
}
END_TEST

/* Logits are bounded by 6, so the largest bias keeps all gates open. */
START_TEST(test_the_maximum_runs_everything)
{
  Setup s;
  setup_init(&s, _i);
  make_table(&s, 0.5);
  const CalibrationPoint *last = last_of(&s.description);
  const double whole = vitgate__description_gmacs(&s.description) / s.description.dense_gmacs;
  ck_assert_double_eq_tol(last->compute, whole, SAME_COMPUTE);
  for (guint b = 0; b < DEPTH; b++)
    ck_assert_double_eq(last->thresholds[b], 1);
  setup_clear(&s);
}
END_TEST

/* From the maximum down, no threshold and no bias ever rises again. */
START_TEST(test_notches_never_go_back)
{
  Setup s;
  setup_init(&s, _i);
  make_table(&s, 0.5);
  for (guint p = 1; p < s.description.n_calibration; p++) {
    const CalibrationPoint *point = &s.description.calibration[p];
    ck_assert_double_ge(point->gate_bias, point[-1].gate_bias);
    for (guint b = 0; b < DEPTH; b++)
      ck_assert_double_ge(point->thresholds[b], point[-1].thresholds[b]);
  }
  setup_clear(&s);
}
END_TEST

START_TEST(test_without_merging_only_gates_are_used)
{
  Setup s;
  setup_init(&s, TRUE);
  s.options.merging = FALSE;
  make_table(&s, 0.5);
  ck_assert_uint_ge(s.description.n_calibration, 3);
  for (guint p = 0; p < s.description.n_calibration; p++)
    for (guint b = 0; b < DEPTH; b++)
      ck_assert_double_eq(s.description.calibration[p].thresholds[b], 1);
  ck_assert_double_lt(s.description.calibration[0].gate_bias, last_of(&s.description)->gate_bias);
  setup_clear(&s);
}
END_TEST

START_TEST(test_the_default_is_the_target_or_the_nearest_end)
{
  static const double targets[] = { 0.5, 0.01, 1.7, 0.62 };
  Setup s;
  setup_init(&s, TRUE);
  for (guint i = 0; i < G_N_ELEMENTS(targets); i++) {
    make_table(&s, targets[i]);
    const double low = s.description.calibration[0].compute;
    const double high = last_of(&s.description)->compute;
    ck_assert_double_eq(s.description.default_compute, targets[i] < low    ? low
                                                       : targets[i] > high ? high
                                                                           : targets[i]);
  }
  setup_clear(&s);
}
END_TEST

START_TEST(test_the_table_ends_at_the_allowed_ratio)
{
  Setup s;
  setup_init(&s, TRUE);
  s.options.least = 0.6;
  make_table(&s, 0.7);
  ck_assert_uint_ge(s.description.n_calibration, 2);
  ck_assert_double_le(s.description.calibration[0].compute, 0.6);
  ck_assert_double_gt(s.description.calibration[1].compute, 0.6);
  setup_clear(&s);
}
END_TEST

START_TEST(test_a_second_table_is_the_same)
{
  Setup s;
  setup_init(&s, _i);
  make_table(&s, 0.5);
  g_autofree char *first = vitgate__description_to_json(&s.description);
  make_table(&s, 0.5);
  g_autofree char *second = vitgate__description_to_json(&s.description);
  ck_assert_str_eq(first, second);
  setup_clear(&s);
}
END_TEST

/* ---- Trainer and engine ---- */

typedef struct {
  const Setup *setup;
  double compute, agreement; /* sums over images */
} Found;

static guint best_of(const float *x)
{
  guint best = 0;
  for (guint c = 1; c < N_CLASSES; c++)
    if (x[c] > x[best])
      best = c;
  return best;
}

static void add_batch(gpointer data, const TrainingPass *pass, guint first)
{
  Found *found = data;
  const HeldOut *h = &found->setup->held_out;
  found->compute +=
      pass->n_images * loss_compute_ratio(pass, found->setup->description.dense_gmacs);
  for (guint i = 0; i < pass->n_images; i++)
    found->agreement +=
        best_of(training_pass_get_logits(pass, i)) == best_of(h->logits + (first + i) * N_CLASSES);
}

/* Measures in batches of another size than in the calibration. */
static Found try_point(const Setup *s, const CalibrationPoint *point)
{
  Found found = { .setup = s };
  for (guint b = 0; b < DEPTH; b++)
    trainer_set_merging(s->trainer, b, point->thresholds[b]);
  held_out_run(&s->held_out, s->trainer, point->gate_bias, s->options.images, 7, add_batch, &found);
  found.compute /= s->options.images;
  found.agreement /= s->options.images;
  return found;
}

/* Checks that a point records the figures measured at that point, not at a better one below. */
static void check_trainer(const Setup *s)
{
  for (guint p = 0; p < s->description.n_calibration; p++) {
    const CalibrationPoint *point = &s->description.calibration[p];
    const Found found = try_point(s, point);
    ck_assert_double_eq_tol(found.compute, point->compute, SAME_COMPUTE);
    ck_assert_double_eq_tol(point->agreement, found.agreement, SAME_SHARE);
  }
}

START_TEST(test_the_trainer_reproduces_the_table)
{
  Setup s;
  setup_init(&s, _i);
  make_table(&s, 0.5);
  check_trainer(&s);
  setup_clear(&s);
}
END_TEST

/* Only the first images give the figures, and still fewer choose the settings. */
START_TEST(test_the_table_can_use_only_the_first_images)
{
  Setup s;
  setup_init(&s, TRUE);
  s.options.images = 15;
  s.options.priced_images = 6;
  make_table(&s, 0.5);
  ck_assert_uint_ge(s.description.n_calibration, 4);
  check_trainer(&s);
  setup_clear(&s);
}
END_TEST

static double mean_of_engine(VitgateSession *session, const HeldOut *h)
{
  g_autoptr(GError) error = NULL;
  double sum = 0;
  for (guint first = 0; first < h->n; first += BATCH) {
    const guint n = MIN(BATCH, h->n - first);
    const VitgateResult *found =
        vitgate_session_forward(session, h->tensors + first * h->pixels, n, &error);
    ck_assert_ptr_nonnull(found);
    for (guint i = 0; i < n; i++)
      sum += found[i].compute_ratio / h->n;
  }
  return sum;
}

START_TEST(test_the_engine_reproduces_the_table)
{
  Setup s;
  g_autoptr(GError) error = NULL;
  setup_init(&s, _i);
  make_table(&s, 0.5);
  char *folder = fixtures_folder();
  g_autofree char *path = g_build_filename(folder, "model.safetensors", NULL);
  ck_assert(network_write(s.network, VITGATE_PRECISION_FLOAT32, path, &error));
  g_autoptr(VitgateModel) model = vitgate_model_open(path, &error);
  ck_assert_msg(model != NULL, "%s", error ? error->message : "");
  ck_assert_double_eq(vitgate_model_get_info(model)->default_compute,
                      s.description.default_compute);
  const VitgateSessionOptions options = { .max_batch = BATCH };
  g_autoptr(VitgateSession) session = vitgate_session_new(model, &options, &error);
  for (guint p = 0; p < s.description.n_calibration; p++) {
    const double promised = s.description.calibration[p].compute;
    vitgate_session_set_compute(session, promised);
    ck_assert_double_eq_tol(mean_of_engine(session, &s.held_out), promised,
                            ENGINE_TOLERANCE * promised);
  }
  fixtures_remove(folder);
  setup_clear(&s);
}
END_TEST

/* ---- Without a dial ---- */

START_TEST(test_a_network_without_a_dial_has_one_point)
{
  Setup s;
  setup_init(&s, FALSE);
  for (guint b = 1; b < DEPTH; b++)
    s.blocks[b].heads = 0; /* block 0 becomes the tail, where nothing merges */
  trainer_free(&s.trainer);
  network_free(&s.network);
  s.network = network_new(&s.description, FALSE);
  passes_fill(s.network, 3);
  const TrainerOptions options = { .batch = BATCH, .threads = MEMBERS };
  s.trainer = trainer_new(s.network, &options, NULL);
  make_table(&s, 0.1);
  ck_assert_uint_eq(s.description.n_calibration, 1);
  ck_assert_double_eq(s.description.default_compute, s.description.calibration[0].compute);
  check_trainer(&s);
  setup_clear(&s);
}
END_TEST

int main(void)
{
  TCase *tcase = tcase_create("dial table");
  tcase_set_timeout(tcase, 60);
  tcase_add_loop_test(tcase, test_compute_ascends, FALSE, TRUE + 1);
  tcase_add_loop_test(tcase, test_settings_are_in_range, FALSE, TRUE + 1);
  tcase_add_loop_test(tcase, test_the_maximum_runs_everything, FALSE, TRUE + 1);
  tcase_add_loop_test(tcase, test_notches_never_go_back, FALSE, TRUE + 1);
  tcase_add_test(tcase, test_without_merging_only_gates_are_used);
  tcase_add_test(tcase, test_the_default_is_the_target_or_the_nearest_end);
  tcase_add_test(tcase, test_the_table_ends_at_the_allowed_ratio);
  tcase_add_loop_test(tcase, test_a_second_table_is_the_same, FALSE, TRUE + 1);
  tcase_add_loop_test(tcase, test_the_trainer_reproduces_the_table, FALSE, TRUE + 1);
  tcase_add_test(tcase, test_the_table_can_use_only_the_first_images);
  tcase_add_loop_test(tcase, test_the_engine_reproduces_the_table, FALSE, TRUE + 1);
  tcase_add_test(tcase, test_a_network_without_a_dial_has_one_point);
  return fixtures_run(tcase, "dial-table");
}
