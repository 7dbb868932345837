/* Gates: their logits, which images decide together, and the cost and effect of a skipped module,
 * compared with the reference in double precision. */
#include <math.h>

#include "file/architecture.h"
#include "fixture.h"
#include "model.h"
#include "network/families/families.h"
#include "network/gate.h"
#include "network/token-mean.h"
#include "reference-model.h"
#include "reference-unknown.h"

/* Sums below 10 of at most 400 products in float32. */
#define GATE_TOLERANCE 2e-5

/* A decision with a smaller margin could differ in float32. */
#define LEAST_MARGIN 1e-3

enum { N_IMAGES = 7 };

/* ---- One gate ---- */

typedef struct {
  float values[4 * 192 * 2 + 16 * 2 * 192 + 64];
  Gate gate;
} GateWeights;

static void fill_gate(GateWeights *w, guint dim, float reach, guint32 *random)
{
  float *next = w->values;
  float **parts[] = { &w->gate.norm_scale, &w->gate.norm_shift, &w->gate.fc1_weight,
                      &w->gate.fc1_bias,   &w->gate.fc2_weight, &w->gate.fc2_bias };
  const guint sizes[] = { 2 * dim, 2 * dim, 16 * 2 * dim, 16, 16, 1 };
  for (guint p = 0; p < 6; p++) {
    *parts[p] = next;
    for (guint i = 0; i < sizes[p]; i++)
      *next++ = (p == 0 ? 1 : 0) + fixture_uniform(random, -reach, reach);
  }
}

static void check_gate(guint dim, guint n_tokens, guint n_prefix, guint32 *random)
{
  static GateWeights w;
  g_autofree float *tokens = g_new(float, n_tokens *dim), *size = g_new(float, n_tokens),
                   *work = g_new(float, 4 * dim),
                   *sums = g_new(float, vitgate__token_sums_size(n_tokens, dim));
  g_autofree double *features = g_new0(double, 2 * dim);
  double patches = 0;
  fill_gate(&w, dim, 0.3f, random);
  for (guint t = 0; t < n_tokens; t++) {
    size[t] = (float)(1 + fixture_random(random) % 5);
    patches += t < n_prefix ? 0 : size[t];
    for (guint i = 0; i < dim; i++)
      tokens[t * dim + i] = fixture_uniform(random, -2, 2);
  }
  for (guint i = 0; i < dim; i++) {
    features[i] = tokens[i];
    for (guint t = n_prefix; t < n_tokens; t++)
      features[dim + i] += size[t] * tokens[t * dim + i] / patches;
  }
  const double expected = reference_gate_logit(&w.gate, features, dim, 1e-5);
  memcpy(work, tokens, dim * sizeof *work);
  /* In two shares, as two threads would add them. */
  const guint half = n_tokens / 2;
  vitgate__token_sums(sums, tokens, size, n_tokens, n_prefix, dim, half, n_tokens);
  vitgate__token_sums(sums, tokens, size, n_tokens, n_prefix, dim, 0, half);
  vitgate__token_mean(work + dim, sums, size, n_tokens, n_prefix, dim);
  const float found = vitgate__gate_logit(&w.gate, work, dim, 1e-5f);
  ck_assert_msg(fabs(found - expected) <= GATE_TOLERANCE,
                "%u tokens, %u of them not patches, of %u: %.7g, expected %.7g", n_tokens, n_prefix,
                dim, found, expected);
}

/* After the last attention there are no patch tokens, and their mean counts as zero. */
START_TEST(logits_match_the_formula)
{
  static const guint dims[] = { 3, 5, 8, 17, 33, 192 }, counts[] = { 2, 3, 4, 17, 50, 197 };
  guint32 random = 3;
  for (guint d = 0; d < G_N_ELEMENTS(dims); d++)
    for (guint c = 0; c < G_N_ELEMENTS(counts); c++)
      for (guint prefix = 1; prefix <= 2; prefix++) {
        check_gate(dims[d], counts[c], prefix, &random);
        check_gate(dims[d], prefix, prefix, &random);
      }
}
END_TEST

START_TEST(a_logit_stays_within_its_bound)
{
  static GateWeights w;
  guint32 random = 4;
  float work[32], min = 0, max = 0;
  for (guint i = 0; i < 200; i++) {
    fill_gate(&w, 8, 1e6f, &random);
    fixture_fill(work, 16, -1e6f, 1e6f, &random);
    const float logit = vitgate__gate_logit(&w.gate, work, 8, 1e-6f);
    ck_assert_float_ge(logit, -6);
    ck_assert_float_le(logit, 6);
    min = MIN(min, logit);
    max = MAX(max, logit);
  }
  ck_assert_float_eq(min, -6);
  ck_assert_float_eq(max, 6);
}
END_TEST

/* Each member of a team adds the blocks that begin among its rows: the sums are the same, bit by
 * bit, on any number of threads. */
START_TEST(sums_do_not_depend_on_the_number_of_threads)
{
  enum { DIM = 21, MOST = 100 };
  float tokens[MOST * DIM], size[MOST], sums[2][7 * DIM], mean[2][DIM];
  guint32 random = 5;
  fixture_fill(tokens, MOST * DIM, -2, 2, &random);
  fixture_fill(size, MOST, 1, 5, &random);
  for (guint n_tokens = 1; n_tokens <= MOST; n_tokens++)
    for (guint n = 1; n <= 9; n++) {
      memset(sums, 0xff, sizeof sums); /* NaN */
      vitgate__token_sums(sums[0], tokens, size, n_tokens, 1, DIM, 0, n_tokens);
      for (guint member = 0; member < n; member++)
        vitgate__token_sums(sums[1], tokens, size, n_tokens, 1, DIM, n_tokens * member / n,
                            n_tokens * (member + 1) / n);
      for (guint i = 0; i < 2; i++)
        vitgate__token_mean(mean[i], sums[i], size, n_tokens, 1, DIM);
      assert_each(!memcmp(mean[0], mean[1], sizeof mean[0]), "%u tokens, %u threads", n_tokens, n);
    }
}
END_TEST

/* ---- Networks ---- */

static BlockShape deep_blocks[] = {
  { 2, 20 }, { 1, 17, TRUE, TRUE }, { 3, 0, TRUE }, { 0, 24, FALSE, TRUE }, { 2, 9, TRUE, TRUE }
};
/* After the attention of block 2 there are only two tokens. */
static BlockShape tailed_blocks[] = {
  { 1, 10, TRUE, TRUE }, { 2, 16, TRUE }, { 2, 8, TRUE, TRUE }, { 0, 12, FALSE, TRUE }
};

#define PREPROCESSING                                                                              \
  .preprocessing = { .resize = 16,                                                                 \
                     .bicubic = TRUE,                                                              \
                     .mean = { .5f, .5f, .5f },                                                    \
                     .std = { .5f, .5f, .5f } },                                                   \
  .dense_gmacs = 2e-4, .dense_parameters = 9000

static const Description descriptions[] = {
  { .family = &vitgate__family_vit,
    .name = "deep",
    .image_size = 12,
    .patch_size = 3,
    .dim = 15,
    .head_dim = 5,
    .depth = G_N_ELEMENTS(deep_blocks),
    .blocks = deep_blocks,
    .n_classes = 6,
    .layer_norm_eps = 1e-6,
    PREPROCESSING },
  { .family = &vitgate__family_vit,
    .name = "tailed",
    .image_size = 15,
    .patch_size = 3,
    .dim = 12,
    .head_dim = 6,
    .depth = G_N_ELEMENTS(tailed_blocks),
    .blocks = tailed_blocks,
    .distilled = TRUE,
    .n_classes = 5,
    .layer_norm_eps = 1e-5,
    PREPROCESSING },
};
enum { N_MODELS = G_N_ELEMENTS(descriptions) };

/* Points of the dial, which add these biases to the logit of every gate; no tokens merge. */
static const double biases[] = { -0.8, 0, 0.8 };
enum { N_POINTS = G_N_ELEMENTS(biases) };
static const double computes[N_POINTS] = { 0.25, 0.5, 0.75 };

typedef struct {
  Description d;
  CalibrationPoint points[N_POINTS];
  double never[REFERENCE_MAX_DEPTH];
  ModelFile *file;
  VitgateModel *model;
  gsize image;
  float *inputs; /* [N_IMAGES][3][image_size][image_size] */
} Setup;

static void setup_init(Setup *s, guint which)
{
  *s = (Setup){ .d = descriptions[which] };
  reference_add_unknown(&s->d);
  for (guint b = 0; b < s->d.depth; b++)
    s->never[b] = 1;
  for (guint p = 0; p < N_POINTS; p++)
    s->points[p] = (CalibrationPoint){ computes[p], 1, biases[p], s->never };
  s->d.calibration = s->points;
  s->d.n_calibration = N_POINTS;
  s->d.default_compute = computes[1];
  s->image = (gsize)3 * s->d.image_size * s->d.image_size;
  s->inputs = fixture_tensors(11, N_IMAGES * s->image);
  s->file = reference_model(&s->d, 21 + which);
  reference_balance_gates(s->file, &s->d, s->inputs, N_IMAGES);
  s->model = model_file_open(s->file, s->d.name);
}

static void setup_clear(Setup *s)
{
  vitgate_model_unref(&s->model);
  model_file_free(s->file);
  g_free(s->inputs);
}

static VitgateSession *new_session(VitgateModel *model, guint threads, guint group)
{
  const VitgateSessionOptions options = {
    .threads = threads,
    .max_batch = N_IMAGES,
    .granularity = group == G_MAXUINT ? VITGATE_GRANULARITY_BATCH
                   : group            ? VITGATE_GRANULARITY_GROUP
                                      : VITGATE_GRANULARITY_SAMPLE,
    .group_size = group == G_MAXUINT ? 0 : group,
    .patches = TRUE,
  };
  return fixture_session_with(model, &options);
}

/* Sizes of groups that decide together: 0 is "sample", G_MAXUINT is "batch". Of those above one,
 * only seven divides the batch of seven. */
static const guint groups[] = { 0, 1, 2, 3, 4, 5, 7, 9, G_MAXUINT };

/* What a batch becomes, by the number of images that decide together; NULL if not yet computed. */
typedef struct {
  ReferenceImage *images[N_IMAGES + 1];
} Decisions;

/* Returns: what @n images become if groups of @group decide together */
static const ReferenceImage *expect(const Setup *s, Decisions *known, guint n, guint group,
                                    guint point)
{
  group = CLAMP(group, 1, n); /* a larger group is the whole batch */
  const ReferenceSettings settings = { .gate_bias = biases[point],
                                       .thresholds = { 1, 1, 1, 1, 1, 1, 1, 1 },
                                       .group = group };
  if (!known->images[group])
    known->images[group] = reference_forward(s->file, &s->d, &settings, s->inputs, n);
  return known->images[group];
}

/* Each number of threads takes its turn; another test compares them with each other. */
static void check_decisions(const Setup *s, guint n, guint point)
{
  Decisions known = { 0 };
  for (guint g = 0; g < G_N_ELEMENTS(groups); g++) {
    const guint threads = 1 + (g + point + n / 2) % 3;
    g_autoptr(VitgateSession) session = new_session(s->model, threads, groups[g]);
    vitgate_session_set_compute(session, computes[point]);
    const VitgateResult *found = fixture_forward(session, s->inputs, n);
    g_autofree char *what = g_strdup_printf("%s, groups of %u, bias %g, %u threads", s->d.name,
                                            groups[g], biases[point], threads);
    reference_check(found, expect(s, &known, n, groups[g], point), n, &s->d, LEAST_MARGIN, what);
  }
  for (guint group = 1; group <= N_IMAGES; group++)
    if (known.images[group])
      reference_free(known.images[group], n);
}

START_TEST(images_decide_as_defined)
{
  Setup s;
  setup_init(&s, (guint)_i);
  for (guint n = 1; n <= N_IMAGES; n += 2)
    for (guint point = 0; point < N_POINTS; point++)
      check_decisions(&s, n, point);
  setup_clear(&s);
}
END_TEST

/* Otherwise the tests in this file would prove little. */
START_TEST(every_gate_opens_for_only_some_images)
{
  Setup s;
  setup_init(&s, (guint)_i);
  g_autoptr(VitgateSession) session = new_session(s.model, 1, 0);
  const VitgateResult *found = fixture_forward(session, s.inputs, N_IMAGES);
  for (guint m = 0; m < 2 * s.d.depth; m++) {
    const BlockShape *shape = &s.d.blocks[m / 2];
    guint open = 0;
    for (guint i = 0; i < N_IMAGES; i++)
      open += found[i].modules[m];
    if (m % 2 ? shape->mlp_gate : shape->attention_gate)
      ck_assert_msg(open > 0 && open < N_IMAGES, "module %u runs for %u images", m, open);
    else
      ck_assert_uint_eq(open, (m % 2 ? shape->neurons : shape->heads) ? N_IMAGES : 0);
  }
  setup_clear(&s);
}
END_TEST

START_TEST(images_that_decide_alone_do_not_depend_on_their_batch)
{
  Setup s;
  setup_init(&s, (guint)_i);
  g_autoptr(VitgateSession) batch = new_session(s.model, 1, 0), single = new_session(s.model, 1, 0);
  const VitgateResult *found = fixture_forward(batch, s.inputs, N_IMAGES);
  for (guint i = 0; i < N_IMAGES; i++) {
    const VitgateResult *alone = fixture_forward(single, s.inputs + i * s.image, 1);
    ck_assert_mem_eq(found[i].logits, alone->logits, s.d.n_classes * sizeof(float));
    ck_assert_mem_eq(found[i].modules, alone->modules, 2 * s.d.depth);
    ck_assert_double_eq(found[i].gmacs, alone->gmacs);
    ck_assert_uint_eq(found[i].n_tokens, alone->n_tokens);
  }
  setup_clear(&s);
}
END_TEST

START_TEST(any_number_of_threads_gives_the_same)
{
  Setup s;
  setup_init(&s, (guint)_i);
  for (guint g = 0; g < G_N_ELEMENTS(groups); g++)
    for (guint threads = 2; threads <= 3; threads++) {
      g_autoptr(VitgateSession) one = new_session(s.model, 1, groups[g]);
      g_autoptr(VitgateSession) many = new_session(s.model, threads, groups[g]);
      for (guint n = 1; n <= N_IMAGES; n += 2) {
        const VitgateResult *a = fixture_forward(one, s.inputs, n),
                            *b = fixture_forward(many, s.inputs, n);
        for (guint i = 0; i < n; i++) {
          ck_assert_mem_eq(a[i].modules, b[i].modules, 2 * s.d.depth);
          ck_assert_double_eq(a[i].gmacs, b[i].gmacs);
          for (guint c = 0; c < s.d.n_classes; c++)
            assert_each(fabsf(a[i].logits[c] - b[i].logits[c]) <= ORDER_TOLERANCE,
                        "groups of %u, image %u of %u, class %u: %.7g on %u threads, %.7g on one",
                        groups[g], i, n, c, b[i].logits[c], threads, a[i].logits[c]);
        }
      }
    }
  setup_clear(&s);
}
END_TEST

/* ---- A module with its gate, compared with the same network without it ---- */

typedef enum { SHUT, OPEN, WITHOUT_GATE, WITHOUT_MODULE } Variant;

/* Returns: (transfer full): a copy of the setup's network in which every gate is open, except that
 * the gate of @module is as @variant says, or is removed, alone or with the module */
static VitgateModel *open_variant(const Setup *s, guint module, Variant variant)
{
  BlockShape blocks[REFERENCE_MAX_DEPTH];
  Description d = s->d;
  memcpy(blocks, s->d.blocks, d.depth * sizeof *blocks);
  d.blocks = blocks;
  BlockShape *shape = &blocks[module / 2];
  if (variant == WITHOUT_GATE || variant == WITHOUT_MODULE)
    *(module % 2 ? &shape->mlp_gate : &shape->attention_gate) = FALSE;
  if (variant == WITHOUT_MODULE)
    *(module % 2 ? &shape->neurons : &shape->heads) = 0;
  g_autoptr(ModelFile) file = model_file_new(&d);
  g_autofree char *own =
      g_strdup_printf("blocks.%u.%s_gate.fc2.bias", module / 2, module % 2 ? "mlp" : "attn");
  for (guint t = 0; t < model_file_n_tensors(file); t++) {
    Tensor *tensor = model_file_tensor(file, t);
    memcpy((gpointer)tensor->data, model_file_find(s->file, tensor->name)->data, tensor->n_bytes);
    if (g_str_has_suffix(tensor->name, "_gate.fc2.bias"))
      *(float *)tensor->data = variant == SHUT && !strcmp(tensor->name, own) ? -1e4f : 1e4f;
  }
  g_autofree char *name = g_strdup_printf("variant-%s-%u-%u", d.name, module, variant);
  return model_file_open(file, name);
}

/* Checks that both compute the same, to the last bit of logits and tokens, and that @dearer costs
 * one gate more. */
static void check_same(const Setup *s, VitgateModel *dearer, VitgateModel *cheaper, guint module)
{
  g_autoptr(VitgateSession) a = new_session(dearer, 1, 0), b = new_session(cheaper, 1, 0);
  const VitgateResult *of_a = fixture_forward(a, s->inputs, N_IMAGES);
  const VitgateResult *of_b = fixture_forward(b, s->inputs, N_IMAGES);
  float tokens_a[2 * 16], tokens_b[2 * 16];
  const gsize n_bytes = (s->d.distilled ? 2 : 1) * s->d.dim * sizeof(float);
  const double gate = 1e-9 * (16 * 2 * s->d.dim + 16);
  for (guint i = 0; i < N_IMAGES; i++) {
    ck_assert_mem_eq(of_a[i].logits, of_b[i].logits, s->d.n_classes * sizeof(float));
    vitgate__session_get_tokens(a, i, tokens_a);
    vitgate__session_get_tokens(b, i, tokens_b);
    ck_assert_mem_eq(tokens_a, tokens_b, n_bytes);
    ck_assert_uint_eq(of_a[i].modules[module], of_b[i].modules[module]);
    ck_assert_double_eq_tol(of_a[i].gmacs, of_b[i].gmacs + gate, COUNT_TOLERANCE * of_b[i].gmacs);
  }
}

/* Checks all gated modules except the last attention: without it, the tail would be an earlier
 * block. */
START_TEST(a_skipped_module_costs_only_its_gate)
{
  Setup s;
  setup_init(&s, (guint)_i);
  const guint tail = vitgate__description_tail(&s.d);
  for (guint m = 0; m < 2 * s.d.depth; m++) {
    const BlockShape *shape = &s.d.blocks[m / 2];
    if (m == 2 * tail || !(m % 2 ? shape->mlp_gate : shape->attention_gate))
      continue;
    g_autoptr(VitgateModel) shut = open_variant(&s, m, SHUT);
    g_autoptr(VitgateModel) without = open_variant(&s, m, WITHOUT_MODULE);
    check_same(&s, shut, without, m);
  }
  setup_clear(&s);
}
END_TEST

START_TEST(an_open_gate_changes_only_the_cost)
{
  Setup s;
  setup_init(&s, (guint)_i);
  for (guint m = 0; m < 2 * s.d.depth; m++) {
    const BlockShape *shape = &s.d.blocks[m / 2];
    if (!(m % 2 ? shape->mlp_gate : shape->attention_gate))
      continue;
    g_autoptr(VitgateModel) open = open_variant(&s, m, OPEN);
    g_autoptr(VitgateModel) without = open_variant(&s, m, WITHOUT_GATE);
    check_same(&s, open, without, m);
  }
  setup_clear(&s);
}
END_TEST

/* The cost that a model reports is that of all modules running. */
START_TEST(a_model_reports_its_cost_with_open_gates)
{
  Setup s;
  setup_init(&s, (guint)_i);
  g_autoptr(VitgateModel) open = open_variant(&s, 0, OPEN);
  g_autoptr(VitgateSession) session = new_session(open, 1, 0);
  const VitgateModelInfo *info = vitgate_model_get_info(open);
  ck_assert_double_eq_tol(fixture_forward(session, s.inputs, 1)->gmacs, info->gmacs,
                          COUNT_TOLERANCE * info->gmacs);
  setup_clear(&s);
}
END_TEST

int main(void)
{
  TCase *gates = tcase_create("gates");
  tcase_add_test(gates, logits_match_the_formula);
  tcase_add_test(gates, a_logit_stays_within_its_bound);
  tcase_add_test(gates, sums_do_not_depend_on_the_number_of_threads);
  tcase_add_loop_test(gates, images_decide_as_defined, 0, N_MODELS);
  tcase_add_loop_test(gates, every_gate_opens_for_only_some_images, 0, N_MODELS);
  tcase_add_loop_test(gates, images_that_decide_alone_do_not_depend_on_their_batch, 0, N_MODELS);
  tcase_add_loop_test(gates, any_number_of_threads_gives_the_same, 0, N_MODELS);
  tcase_add_loop_test(gates, a_skipped_module_costs_only_its_gate, 0, N_MODELS);
  tcase_add_loop_test(gates, an_open_gate_changes_only_the_cost, 0, N_MODELS);
  tcase_add_loop_test(gates, a_model_reports_its_cost_with_open_gates, 0, N_MODELS);
  return fixture_run("gates", gates, NULL);
}
