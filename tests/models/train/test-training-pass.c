/* The memory of a pass, a trainer and a teacher, the blocks that they compare, and the parameters
 * that count when a gradient is clipped. */
#include <check.h>
#include <math.h>
#include <string.h>
#include <sys/resource.h>

#include "file/architecture.h"
#include "fixtures.h"
#include "network/families/families.h"
#include "passes.h"
#include "train/cut/class-subset.h"
#include "train/learn/teacher.h"
#include "train/learn/trainer.h"

/* A sanitizer ends the process if an allocation fails. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED TRUE
#else
#define SANITIZED FALSE
#endif

/* The same tokens computed in float32 in two ways: mean square of the difference over that of the
 * tokens. */
#define SAME_TOKENS 1e-8

enum { DEPTH = 8, SIZE = 16, N_IMAGES = 6, MEMBERS = 2, N_CLASSES = 5 };

static BlockShape shapes[DEPTH];

static Description describe(void)
{
  for (guint b = 0; b < DEPTH; b++)
    shapes[b] = (BlockShape){ .heads = 2, .neurons = 32 };
  return (Description){ .family = &vitgate__family_vit,
                        .name = "small",
                        .image_size = SIZE,
                        .patch_size = 4,
                        .dim = 24,
                        .head_dim = 8,
                        .depth = DEPTH,
                        .blocks = shapes,
                        .n_classes = N_CLASSES,
                        .layer_norm_eps = 1e-6,
                        .dense_gmacs = 1e-3 };
}

static float *draw_tensors(guint n)
{
  g_autoptr(GRand) random = g_rand_new_with_seed(4);
  float *tensors = g_new(float, (gsize)n * 3 * SIZE * SIZE);
  for (guint i = 0; i < n * 3 * SIZE * SIZE; i++)
    tensors[i] = (float)g_rand_double_range(random, -1, 1);
  return tensors;
}

/* ---- Memory ---- */

START_TEST(a_forward_only_pass_computes_the_same)
{
  const Description d = describe();
  Network *network = network_new(&d, FALSE);
  passes_fill(network, 3);
  Team *team = vitgate__team_new(MEMBERS);
  g_autofree float *tensors = draw_tensors(N_IMAGES);
  TrainingPass *passes[2];
  for (guint backward = 0; backward < 2; backward++) {
    passes[backward] = training_pass_new(network, team, N_IMAGES, FALSE, backward, NULL);
    passes[backward]->tensors = tensors;
    passes[backward]->n_images = N_IMAGES;
    passes_forward(passes[backward]);
  }
  ck_assert_ptr_null(passes[0]->packed[1]);
  ck_assert_ptr_null(passes[0]->shares[0].gradient);
  for (guint i = 0; i < N_IMAGES; i++)
    ck_assert_mem_eq(training_pass_get_logits(passes[0], i), training_pass_get_logits(passes[1], i),
                     N_CLASSES * sizeof(float));
  for (guint b = 0; b <= DEPTH; b++)
    ck_assert_mem_eq(passes[0]->shares[1].blocks[b].x, passes[1]->shares[1].blocks[b].x,
                     d.dim * sizeof(float));
  for (guint i = 0; i < 2; i++)
    training_pass_free(&passes[i]);
  vitgate__team_free(&team);
  network_free(&network);
}
END_TEST

START_TEST(a_forward_only_pass_takes_a_fraction_of_the_memory)
{
  const Description d = describe();
  Network *network = network_new(&d, FALSE);
  const gsize both = training_pass_measure(network, 32, MEMBERS, TRUE);
  const gsize forward = training_pass_measure(network, 32, MEMBERS, FALSE);
  ck_assert_uint_lt(forward, both / 4);
  network_free(&network);
}
END_TEST

/* Leaves @more bytes of address space. Each test runs in its own process. */
static void limit_memory(gsize more)
{
  g_autofree char *statm = NULL;
  ck_assert(g_file_get_contents("/proc/self/statm", &statm, NULL, NULL));
  const rlim_t used = (rlim_t)g_ascii_strtoull(statm, NULL, 10) * 4096;
  ck_assert_int_eq(setrlimit(RLIMIT_AS, &(struct rlimit){ used + more, RLIM_INFINITY }), 0);
}

static void check_memory_error(GError *error, const char *part)
{
  ck_assert_ptr_nonnull(error);
  ck_assert(g_error_matches(error, VITGATE_ERROR, VITGATE_ERROR_MEMORY));
  assert_error(error, part);
}

START_TEST(a_batch_that_does_not_fit_into_memory_is_an_error)
{
  g_autoptr(GError) error = NULL;
  const Description d = describe();
  Network *network = network_new(&d, FALSE);
  const TrainerOptions large = { .batch = 1000, .threads = 1 },
                       small = { .batch = 2, .threads = 1 };
  limit_memory(16 << 20); /* a thousand images take 140 MB */
  ck_assert_ptr_null(trainer_new(network, &large, &error));
  check_memory_error(error, "the activations of 1000 images");
  Trainer *trainer = trainer_new(network, &small, NULL);
  ck_assert_ptr_nonnull(trainer);
  trainer_free(&trainer);
  network_free(&network);
}
END_TEST

START_TEST(threads_that_cannot_be_started_are_an_error)
{
  g_autoptr(GError) error = NULL;
  const Description d = describe();
  Network *network = network_new(&d, FALSE);
  const TrainerOptions options = { .batch = 64, .threads = 64 };
  limit_memory(64 << 20); /* a thread's stack takes 8 MiB of it */
  ck_assert_ptr_null(trainer_new(network, &options, &error));
  check_memory_error(error, "64 threads");
  network_free(&network);
}
END_TEST

/* ---- Levels ---- */

/* @cut: attentions removed at the end */
static Description *describe_student(const Description *teacher, guint cut)
{
  Description *d = class_subset_describe(teacher, NULL, 0);
  for (guint b = DEPTH - cut; b < DEPTH; b++)
    d->blocks[b].heads = 0;
  return d;
}

/* The student is the teacher without its last attentions. Up to there, their tokens are the same.
 * @_i: how many attentions are removed */
START_TEST(tokens_are_compared_as_they_enter_the_same_block)
{
  const Description whole = describe();
  Description *own = class_subset_describe(&whole, NULL, 0);
  Network *teaching = network_new(own, FALSE);
  passes_fill(teaching, 3);
  Description *d = describe_student(&whole, (guint)_i);
  Network *learning = network_new(d, FALSE);
  network_copy_values(learning, teaching);
  Teacher *teacher = teacher_new(teaching, own, N_IMAGES, MEMBERS, TRUE, NULL);
  const TrainerOptions options = {
    .batch = N_IMAGES,
    .threads = MEMBERS,
    .steps = 1,
    .bf16 = matmul_prefers_bf16(), /* as the teacher */
    .optimizer = OPTIMIZER_DEFAULT(0, 0),
    .loss = { .distillation = 1, .temperature = 1, .tokens = 1, .features = 1, .dense_gmacs = 1 },
    .temperature = { 1, 1 },
    .sub_groups = SUB_GROUPS_SAMPLE,
    .levels = teacher_match(teacher, d),
  };
  ck_assert_uint_eq(options.levels.block, (guint)(DEPTH - 1 - _i));
  Trainer *trainer = trainer_new(learning, &options, NULL);
  g_autofree float *tensors = draw_tensors(N_IMAGES);
  teacher_run(teacher, tensors, N_IMAGES);
  const LossTargets targets = { .teacher_logits = teacher_get_logits(teacher),
                                .teacher_tokens = teacher_get_tokens(teacher) };
  StepReport report;
  ck_assert(trainer_step(trainer, tensors, &targets, &report, NULL));
  ck_assert_double_lt(report.tokens, SAME_TOKENS);
  ck_assert_double_lt(report.features, SAME_TOKENS);
  if (_i)
    ck_assert_double_gt(report.distillation, 1e-6); /* the networks differ */
  trainer_free(&trainer);
  teacher_free(&teacher);
  network_free(&learning);
  vitgate__description_free(&d);
}
END_TEST

/* ---- Clipping ---- */

START_TEST(parameters_that_do_not_learn_do_not_count_in_the_norm)
{
  Description d = describe();
  d.qkv_unbiased = TRUE; /* adds biases of zeros that do not learn */
  Network *network = network_new(&d, FALSE);
  Optimizer *optimizer = optimizer_new(network, &(OptimizerOptions)OPTIMIZER_DEFAULT(1e-3, 1e-3));
  g_autofree real *gradient = g_new0(real, network->n_values);
  gsize n_learning = 0, n_fixed = 0;
  for (guint i = 0; i < network->parameters->len; i++) {
    const Parameter *p = &g_array_index(network->parameters, Parameter, i);
    *(p->fixed ? &n_fixed : &n_learning) += p->n;
    for (gsize j = 0; j < p->n; j++)
      gradient[p->offset + j] = 1;
  }
  ck_assert_uint_gt(n_fixed, 0);
  ck_assert_double_eq(optimizer_gather(optimizer, &gradient, 0, 1), (double)n_learning);
  optimizer_free(&optimizer);
  network_free(&network);
}
END_TEST

int main(void)
{
  TCase *tests = tcase_create("training pass");
  tcase_add_test(tests, a_forward_only_pass_computes_the_same);
  tcase_add_test(tests, a_forward_only_pass_takes_a_fraction_of_the_memory);
  if (!SANITIZED) {
    tcase_add_test(tests, a_batch_that_does_not_fit_into_memory_is_an_error);
    tcase_add_test(tests, threads_that_cannot_be_started_are_an_error);
  }
  tcase_add_loop_test(tests, tokens_are_compared_as_they_enter_the_same_block, 0, 3);
  tcase_add_test(tests, parameters_that_do_not_learn_do_not_count_in_the_norm);
  return fixtures_run(tests, "training-pass");
}
