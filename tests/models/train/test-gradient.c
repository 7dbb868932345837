/* The trainer's gradients against finite differences, in double precision, at small odd sizes. For
 * this program, the trainer's sources are built a second time with doubles. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "file/architecture.h"
#include "network/families/families.h"
#include "passes.h"

/* Central differences of a smooth function at a step of 1e-5 are accurate to about 1e-9 relative to
 * the function. A gradient below the absolute bound is lost in that error. */
#define STEP     1e-5
#define RELATIVE 1e-5
#define ABSOLUTE 1e-8

enum { N_IMAGES = 5, N_MEMBERS = 2, DEPTH = 5, N_WIDE = 11 };

typedef struct {
  Description description;
  BlockShape blocks[DEPTH];
  Network *network;
  Team *team;
  TrainingPass *pass;
  real *tensors, *teacher_logits, *teacher_tokens, *teacher_class, *noise;
  WideHead wide;
  int labels[N_IMAGES];
  guint group[N_IMAGES];
  LossWeights weights;
} Setup;

typedef struct {
  gboolean gates, tokens, groups, choices, distilled, class_head_only, mean_pooling, stem;
  double merge_threshold;
} Variant;

static real *random_values(GRand *random, gsize n, double scale)
{
  real *values = g_new(real, n);
  for (gsize i = 0; i < n; i++)
    values[i] = g_rand_double_range(random, -1, 1) * scale;
  return values;
}

/* Adds token gates whose substitutes are of every kind: constant, of low rank, a whole matrix. */
static void add_token_gates(Description *d)
{
  static const guint ranks[] = { 0, 3, 10 };
  for (guint b = 1; b < DEPTH; b++) {
    d->blocks[b].attention_tokens = (TokenGate){ d->blocks[b].heads > 0, ranks[b % 3] };
    d->blocks[b].mlp_tokens = (TokenGate){ d->blocks[b].neurons > 0, ranks[(b + 1) % 3] };
  }
}

static Setup *setup_new(const Variant *variant)
{
  Setup *s = g_new0(Setup, 1);
  GRand *random = g_rand_new_with_seed(7);
  const BlockShape shapes[DEPTH] = { { .heads = 3, .neurons = 32 },
                                     { .heads = 1, .neurons = 48 },
                                     { .neurons = 16 },
                                     { .heads = 2, .neurons = 16 },
                                     { .heads = 2 } };
  memcpy(s->blocks, shapes, sizeof shapes);
  s->description = (Description){
    .image_size = variant->stem ? 32 : 12,
    .patch_size = variant->stem ? 16 : 3,
    .family = variant->stem ? &vitgate__family_t2t_performer : &vitgate__family_vit,
    .token_dim = 5,
    .n_features = 3,
    .dim = 10,
    .head_dim = 6,
    .depth = DEPTH,
    .blocks = s->blocks,
    .n_classes = 7,
    .layer_norm_eps = 1e-6,
    .distilled = variant->distilled,
    .class_head_only = variant->class_head_only,
    .mean_pooling = variant->mean_pooling,
    .dense_gmacs = 1e-4,
  };
  if (variant->gates)
    description_add_gates(&s->description);
  if (variant->tokens)
    add_token_gates(&s->description);
  s->network = network_new(&s->description, variant->choices);
  network_learn_token_gates(s->network, TRUE);
  for (guint i = 0; i < s->network->parameters->len; i++) {
    const Parameter *p = &g_array_index(s->network->parameters, Parameter, i);
    const gboolean norm = g_str_has_suffix(p->name, "weight") && p->n_dims == 1;
    for (gsize j = 0; j < p->n; j++)
      s->network->values[p->offset + j] += (norm ? 1 : 0) + g_rand_double_range(random, -0.4, 0.4);
  }
  for (guint b = 0; b < DEPTH; b++)
    s->network->blocks[b].merge_threshold = variant->merge_threshold;
  s->team = vitgate__team_new(N_MEMBERS);
  s->pass = training_pass_new(s->network, s->team, N_IMAGES, FALSE, TRUE, NULL);
  const guint tokens = vitgate__description_n_tokens(&s->description);
  const gsize pixels = (gsize)3 * s->description.image_size * s->description.image_size;
  s->tensors = random_values(random, N_IMAGES * pixels, 1);
  s->teacher_logits = random_values(random, N_IMAGES * 7, 2);
  s->pass->levels = levels_between(&s->description, &s->description, TRUE);
  ck_assert_uint_gt(s->pass->levels.n, 1);
  s->teacher_tokens = random_values(random, (gsize)s->pass->levels.n * N_IMAGES * tokens * 10, 1);
  s->teacher_class = random_values(random, N_IMAGES * 10, 1);
  s->wide = (WideHead){ .n = N_WIDE,
                        .dim = 10,
                        .weight = random_values(random, N_WIDE * 10, 1),
                        .bias = random_values(random, N_WIDE, 1) };
  s->noise = random_values(random, 2 * DEPTH * N_IMAGES, 2);
  for (guint i = 0; i < N_IMAGES; i++) {
    s->labels[i] = i % 2 ? (int)i : -1;
    s->group[i] = i / 2;
  }
  s->pass->n_images = N_IMAGES;
  s->pass->tensors = s->tensors;
  s->pass->decisions.sampling = TRUE;
  s->pass->decisions.relaxed = TRUE; /* finite differences see the soft decision */
  s->pass->decisions.temperature = 0.8;
  s->pass->decisions.noise = s->noise;
  s->pass->decisions.group = variant->groups ? s->group : NULL;
  s->weights = (LossWeights){ .distillation = 0.7,
                              .temperature = 2,
                              .tokens = 0.3,
                              .features = 0.4,
                              .others = 0.6,
                              .labels = 0.5,
                              .smoothing = 0.1,
                              .compute = 3,
                              .target = 0.5,
                              .spread = 0.8,
                              .dense_gmacs = s->description.dense_gmacs,
                              .wide = &s->wide };
  g_rand_free(random);
  return s;
}

static void setup_free(Setup *s)
{
  training_pass_free(&s->pass);
  vitgate__team_free(&s->team);
  network_free(&s->network);
  g_free(s->tensors);
  g_free(s->teacher_logits);
  g_free(s->teacher_tokens);
  g_free(s->teacher_class);
  g_free(s->wide.weight);
  g_free(s->wide.bias);
  g_free(s->noise);
  g_free(s);
}

static double loss(Setup *s)
{
  const LossTargets targets = { .teacher_logits = s->teacher_logits,
                                .teacher_tokens = s->teacher_tokens,
                                .teacher_class = s->teacher_class,
                                .labels = s->labels };
  LossSums sums;
  return passes_loss(s->pass, &s->weights, &targets, &sums);
}

static void check_gradients(const Variant *variant)
{
  Setup *s = setup_new(variant);
  loss(s);
  ck_assert((loss_spread(s->pass) > 0) == variant->gates);
  g_autofree real *gradient = passes_gradient(s->pass);
  for (guint i = 0; i < s->network->parameters->len; i++) {
    const Parameter *p = &g_array_index(s->network->parameters, Parameter, i);
    for (gsize j = 0; j < p->n && !p->frozen; j += MAX(1, p->n / 5)) {
      real *value = s->network->values + p->offset + j, before = *value;
      *value = before + STEP;
      const double above = loss(s);
      *value = before - STEP;
      const double below = loss(s);
      *value = before;
      const double expected = (above - below) / (2 * STEP), found = gradient[p->offset + j];
      ck_assert_msg(fabs(found - expected) <= ABSOLUTE + RELATIVE * fabs(expected),
                    "%s[%zu]: gradient %.10g, finite difference %.10g", p->name, (size_t)j, found,
                    expected);
    }
  }
  setup_free(s);
}

START_TEST(test_plain_network)
{
  check_gradients(&(Variant){ .merge_threshold = 2 });
}
END_TEST

START_TEST(test_distillation_token)
{
  check_gradients(&(Variant){ .merge_threshold = 2, .distilled = TRUE });
  check_gradients(&(Variant){ .merge_threshold = 2, .distilled = TRUE, .class_head_only = TRUE });
}
END_TEST

START_TEST(test_gates_by_image)
{
  check_gradients(&(Variant){ .merge_threshold = 2, .gates = TRUE });
}
END_TEST

START_TEST(test_gates_by_group)
{
  check_gradients(&(Variant){ .merge_threshold = 2, .gates = TRUE, .groups = TRUE });
}
END_TEST

START_TEST(test_token_gates)
{
  check_gradients(&(Variant){ .merge_threshold = 2, .tokens = TRUE });
  check_gradients(&(Variant){ .merge_threshold = 2, .tokens = TRUE, .stem = TRUE });
  check_gradients(&(Variant){ .merge_threshold = 2, .tokens = TRUE, .mean_pooling = TRUE });
}
END_TEST

START_TEST(test_token_gates_by_group)
{
  check_gradients(&(Variant){ .merge_threshold = 2, .tokens = TRUE, .groups = TRUE });
}
END_TEST

START_TEST(test_token_gates_on_merged_tokens)
{
  check_gradients(&(Variant){ .merge_threshold = 0.5, .tokens = TRUE, .distilled = TRUE });
}
END_TEST

START_TEST(test_structure_choices)
{
  check_gradients(&(Variant){ .merge_threshold = 2, .choices = TRUE });
}
END_TEST

START_TEST(test_merged_tokens)
{
  check_gradients(&(Variant){ .merge_threshold = 0.5 });
}
END_TEST

START_TEST(test_mean_of_patches)
{
  check_gradients(&(Variant){ .merge_threshold = 2, .mean_pooling = TRUE });
}
END_TEST

START_TEST(test_mean_of_merged_patches_with_gates)
{
  check_gradients(&(Variant){ .merge_threshold = 0.5,
                              .gates = TRUE,
                              .groups = TRUE,
                              .choices = TRUE,
                              .mean_pooling = TRUE });
}
END_TEST

/* The stem itself does not learn. */
START_TEST(test_network_after_a_stem)
{
  check_gradients(&(Variant){ .merge_threshold = 2, .gates = TRUE, .stem = TRUE });
}
END_TEST

START_TEST(test_everything_at_once)
{
  check_gradients(&(Variant){
      .merge_threshold = 0.6, .gates = TRUE, .groups = TRUE, .choices = TRUE, .distilled = TRUE });
}
END_TEST

int main(void)
{
  Suite *suite = suite_create("gradient");
  TCase *tcase = tcase_create("finite differences");
  tcase_set_timeout(tcase, 120);
  tcase_add_test(tcase, test_plain_network);
  tcase_add_test(tcase, test_distillation_token);
  tcase_add_test(tcase, test_gates_by_image);
  tcase_add_test(tcase, test_gates_by_group);
  tcase_add_test(tcase, test_token_gates);
  tcase_add_test(tcase, test_token_gates_by_group);
  tcase_add_test(tcase, test_token_gates_on_merged_tokens);
  tcase_add_test(tcase, test_structure_choices);
  tcase_add_test(tcase, test_merged_tokens);
  tcase_add_test(tcase, test_mean_of_patches);
  tcase_add_test(tcase, test_mean_of_merged_patches_with_gates);
  tcase_add_test(tcase, test_network_after_a_stem);
  tcase_add_test(tcase, test_everything_at_once);
  suite_add_tcase(suite, tcase);
  SRunner *runner = srunner_create(suite);
  srunner_run_all(runner, CK_ENV);
  int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
