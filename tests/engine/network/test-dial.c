/* The dial: the settings for a compute ratio, and the effect of changing it in a session. */
#include <math.h>

#include "fixture.h"
#include "network/dial.h"
#include "network/families/families.h"
#include "reference-model.h"

/* Numbers up to 4, interpolated in double and stored in float32. */
#define SETTING_TOLERANCE 1e-6
/* Numbers below 1, interpolated and stored in double. */
#define COMPUTE_TOLERANCE 1e-12

/* A decision with a smaller margin could differ in float32. */
#define LEAST_MARGIN 1e-5

enum { DEPTH = 4, N_POINTS = 4, N_IMAGES = 6 };

static double rows[N_POINTS][DEPTH] = {
  { 0.1, 0.2, 0.3, 1 }, { 0.5, 0.6, 0.9, 1 }, { 0.8, 1, 0.95, 1 }, { 1, 1, 1, 1 }
};

/* Points at uneven distances. */
static CalibrationPoint table[N_POINTS] = {
  { 0.2, 0.5, -1.5, rows[0] },
  { 0.35, 0.7, -0.5, rows[1] },
  { 0.4, 0.8, 0.25, rows[2] },
  { 0.9, 0.9, 4, rows[3] },
};

static BlockShape blocks[DEPTH] = {
  { 2, 20 }, { 2, 16, TRUE, TRUE }, { 3, 12, TRUE, TRUE }, { 1, 10, FALSE, TRUE }
};

static Description describe(CalibrationPoint *points, guint n_points)
{
  return (Description){
    .family = &vitgate__family_vit,
    .name = "dialled",
    .image_size = 18,
    .patch_size = 3,
    .dim = 12,
    .head_dim = 4,
    .depth = DEPTH,
    .blocks = blocks,
    .n_classes = 5,
    .layer_norm_eps = 1e-6,
    .preprocessing = { .resize = 20, .mean = { .5f, .5f, .5f }, .std = { .5f, .5f, .5f } },
    .dense_gmacs = 4e-4,
    .dense_parameters = 9000,
    .calibration = points,
    .n_calibration = n_points,
    .default_compute = 0.38,
  };
}

/* ---- The table ---- */

static void check_between(const Dial *dial, guint low, double t)
{
  const CalibrationPoint *a = &table[low], *b = t > 0 ? a + 1 : a;
  ck_assert_double_eq_tol(dial->compute, (1 - t) * a->compute + t * b->compute, COMPUTE_TOLERANCE);
  ck_assert_float_eq_tol(dial->gate_bias, (1 - t) * a->gate_bias + t * b->gate_bias,
                         SETTING_TOLERANCE);
  for (guint i = 0; i < DEPTH; i++)
    ck_assert_float_eq_tol(dial->thresholds[i], (1 - t) * a->thresholds[i] + t * b->thresholds[i],
                           SETTING_TOLERANCE);
}

START_TEST(settings_between_two_points_are_interpolated)
{
  const Description d = describe(table, N_POINTS);
  for (guint low = 0; low + 1 < N_POINTS; low++)
    for (double t = 0.05; t < 1; t += 0.05) {
      Dial dial;
      vitgate__dial_set(&dial, &d, (1 - t) * table[low].compute + t * table[low + 1].compute);
      check_between(&dial, low, t);
    }
}
END_TEST

/* A threshold of 1 must stay exactly 1: if it were rounded down, tokens would be matched for
 * nothing. */
START_TEST(a_point_is_its_own_setting)
{
  const Description d = describe(table, N_POINTS);
  for (guint p = 0; p < N_POINTS; p++) {
    Dial dial;
    vitgate__dial_set(&dial, &d, table[p].compute);
    check_between(&dial, p, 0);
    for (guint i = 0; i < DEPTH; i++)
      ck_assert_int_eq(dial.thresholds[i] >= MERGE_NEVER, rows[p][i] >= 1);
  }
}
END_TEST

START_TEST(nothing_merges_between_two_points_that_never_merge)
{
  const Description d = describe(table, N_POINTS);
  for (double compute = 0.1; compute < 1; compute += 0.001) {
    Dial dial;
    vitgate__dial_set(&dial, &d, compute);
    ck_assert_float_ge(dial.thresholds[3], MERGE_NEVER);
    if (compute > table[2].compute)
      ck_assert_float_ge(dial.thresholds[1], MERGE_NEVER);
  }
}
END_TEST

START_TEST(a_ratio_outside_the_table_gets_the_nearest_end)
{
  static const double below[] = { 0.2, 0.1999, 1e-300, 0, -0.0, -1, -1e300, -INFINITY };
  static const double above[] = { 0.9, 0.9001, 1, 2, 1e300, INFINITY };
  const Description d = describe(table, N_POINTS);
  Dial dial;
  for (guint i = 0; i < G_N_ELEMENTS(below); i++) {
    vitgate__dial_set(&dial, &d, below[i]);
    check_between(&dial, 0, 0);
  }
  for (guint i = 0; i < G_N_ELEMENTS(above); i++) {
    vitgate__dial_set(&dial, &d, above[i]);
    check_between(&dial, N_POINTS - 1, 0);
  }
}
END_TEST

/* For a NaN any setting of the table is acceptable, but no other one. */
START_TEST(nan_gives_an_end_of_the_table)
{
  const Description d = describe(table, N_POINTS);
  Dial dial;
  vitgate__dial_set(&dial, &d, NAN);
  ck_assert(dial.compute == table[0].compute || dial.compute == table[N_POINTS - 1].compute);
  check_between(&dial, dial.compute == table[0].compute ? 0 : N_POINTS - 1, 0);
}
END_TEST

START_TEST(one_point_is_the_only_setting)
{
  static const double asked[] = { 0, 0.1, 0.2, 0.3, 5, -1, INFINITY, NAN };
  const Description d = describe(table, 1);
  for (guint i = 0; i < G_N_ELEMENTS(asked); i++) {
    Dial dial;
    vitgate__dial_set(&dial, &d, asked[i]);
    check_between(&dial, 0, 0);
  }
}
END_TEST

START_TEST(without_a_table_gates_have_no_bias_and_nothing_merges)
{
  static const double asked[] = { 0, 0.5, 1, -1, INFINITY, NAN };
  const Description d = describe(NULL, 0);
  for (guint i = 0; i < G_N_ELEMENTS(asked); i++) {
    Dial dial;
    vitgate__dial_set(&dial, &d, asked[i]);
    ck_assert_double_eq(dial.compute, 1);
    ck_assert_float_eq(dial.gate_bias, 0);
    for (guint b = 0; b < DEPTH; b++)
      ck_assert_float_ge(dial.thresholds[b], MERGE_NEVER);
  }
}
END_TEST

/* ---- In a session ---- */

typedef struct {
  Description d;
  ModelFile *file;
  VitgateModel *model;
  VitgateSession *session;
  gsize image;
  float *inputs; /* [N_IMAGES][3][image_size][image_size] */
} Setup;

static void setup_init(Setup *s, CalibrationPoint *points, guint n_points)
{
  *s = (Setup){ .d = describe(points, n_points) };
  s->image = (gsize)3 * s->d.image_size * s->d.image_size;
  s->inputs = fixture_tensors(6, N_IMAGES * s->image);
  s->file = reference_model(&s->d, 41);
  reference_balance_gates(s->file, &s->d, s->inputs, N_IMAGES);
  s->model = model_file_open(s->file, s->d.name);
  s->session = fixture_session(s->model, 1, N_IMAGES);
}

static void setup_clear(Setup *s)
{
  vitgate_session_free(&s->session);
  vitgate_model_unref(&s->model);
  model_file_free(s->file);
  g_free(s->inputs);
}

static const VitgateResult *forward(const Setup *s, VitgateSession *session)
{
  return fixture_forward(session, s->inputs, N_IMAGES);
}

/* Checks that the session's next call has the settings for @compute, interpolated in double. */
static void check_call(const Setup *s, double compute)
{
  ReferenceSettings settings = { .group = 1 };
  guint low = 0;
  while (low + 2 < N_POINTS && table[low + 1].compute < compute)
    low++;
  const CalibrationPoint *a = &table[low], *b = a + 1;
  const double t = (compute - a->compute) / (b->compute - a->compute);
  settings.gate_bias = a->gate_bias + t * (b->gate_bias - a->gate_bias);
  for (guint i = 0; i < DEPTH; i++)
    settings.thresholds[i] = a->thresholds[i] + t * (b->thresholds[i] - a->thresholds[i]);
  ReferenceImage *expected = reference_forward(s->file, &s->d, &settings, s->inputs, N_IMAGES);
  g_autofree char *what = g_strdup_printf("compute %g", compute);
  reference_check(forward(s, s->session), expected, N_IMAGES, &s->d, LEAST_MARGIN, what);
  reference_free(expected, N_IMAGES);
}

START_TEST(setting_the_dial_changes_the_next_call)
{
  static const double asked[] = { 0.9, 0.2, 0.61, 0.37, 0.25, 0.4, 0.33, 0.8 };
  Setup s;
  setup_init(&s, table, N_POINTS);
  check_call(&s, s.d.default_compute);
  for (guint i = 0; i < G_N_ELEMENTS(asked); i++) {
    vitgate_session_set_compute(s.session, asked[i]);
    check_call(&s, asked[i]);
    check_call(&s, asked[i]);
  }
  setup_clear(&s);
}
END_TEST

START_TEST(setting_it_back_gives_the_same_bits)
{
  Setup s;
  setup_init(&s, table, N_POINTS);
  const gsize n_bytes = N_IMAGES * s.d.n_classes * sizeof(float);
  g_autofree float *before = g_memdup2(forward(&s, s.session)->logits, n_bytes);
  vitgate_session_set_compute(s.session, 0.2);
  ck_assert_mem_ne(forward(&s, s.session)->logits, before, n_bytes);
  vitgate_session_set_compute(s.session, s.d.default_compute);
  ck_assert_mem_eq(forward(&s, s.session)->logits, before, n_bytes);
  setup_clear(&s);
}
END_TEST

START_TEST(each_session_has_its_own_dial)
{
  Setup s;
  setup_init(&s, table, N_POINTS);
  g_autoptr(VitgateSession) other = fixture_session(s.model, 1, N_IMAGES);
  const gsize n_bytes = N_IMAGES * s.d.n_classes * sizeof(float);
  g_autofree float *before = g_memdup2(forward(&s, s.session)->logits, n_bytes);
  vitgate_session_set_compute(other, 0.2);
  ck_assert_mem_ne(forward(&s, other)->logits, before, n_bytes);
  ck_assert_mem_eq(forward(&s, s.session)->logits, before, n_bytes);
  setup_clear(&s);
}
END_TEST

START_TEST(extreme_ratios_get_the_nearest_end)
{
  static const struct {
    double asked, end;
  } cases[] = { { 0, 0.2 },     { -0.0, 0.2 }, { -7, 0.2 },      { -INFINITY, 0.2 },
                { 1e300, 0.9 }, { 1.01, 0.9 }, { INFINITY, 0.9 } };
  Setup s;
  setup_init(&s, table, N_POINTS);
  const gsize n_bytes = N_IMAGES * s.d.n_classes * sizeof(float);
  for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
    vitgate_session_set_compute(s.session, cases[i].end);
    g_autofree float *expected = g_memdup2(forward(&s, s.session)->logits, n_bytes);
    vitgate_session_set_compute(s.session, cases[i].asked);
    ck_assert_mem_eq(forward(&s, s.session)->logits, expected, n_bytes);
  }
  vitgate_session_set_compute(s.session, NAN);
  const VitgateResult *found = forward(&s, s.session);
  for (guint i = 0; i < N_IMAGES; i++)
    for (guint c = 0; c < s.d.n_classes; c++)
      ck_assert_float_finite(found[i].logits[c]);
  setup_clear(&s);
}
END_TEST

START_TEST(the_model_reports_the_ends_of_its_dial)
{
  Setup s;
  setup_init(&s, table, N_POINTS);
  const VitgateModelInfo *info = vitgate_model_get_info(s.model);
  ck_assert_double_eq(info->min_compute, 0.2);
  ck_assert_double_eq(info->max_compute, 0.9);
  ck_assert_double_eq(info->default_compute, 0.38);
  setup_clear(&s);
}
END_TEST

/* ---- A lower ratio costs less ---- */

/* Share of the dense network's compute by which one step down of the dial may raise the cost. A
 * block whose threshold drops below 1 starts to match its tokens, and a block that merges more
 * tokens can leave fewer to merge for the next. */
#define LEAST_STEP 0.005

static double mean_macs(const Setup *s)
{
  const VitgateResult *found = forward(s, s->session);
  double sum = 0;
  for (guint i = 0; i < N_IMAGES; i++)
    sum += found[i].gmacs * 1e9 / N_IMAGES;
  return sum;
}

/* Fills images with patches of a few kinds, so that tokens are similar, as in photographs, and
 * merge at all thresholds. */
static void fill_with_kinds(Setup *s)
{
  const guint size = s->d.image_size, patch = s->d.patch_size;
  guint32 random = 8;
  float kinds[4 * 3];
  for (guint i = 0; i < G_N_ELEMENTS(kinds); i++)
    kinds[i] = fixture_uniform(&random, -1, 1);
  for (guint i = 0; i < N_IMAGES; i++)
    for (guint c = 0; c < 3; c++)
      for (guint y = 0; y < size; y++)
        for (guint x = 0; x < size; x++) {
          const guint kind = (x / patch / (i + 1) + y / patch / 2) % 4;
          s->inputs[((i * 3 + c) * size + y) * size + x] =
              kinds[kind * 3 + c] + fixture_uniform(&random, -0.1f, 0.1f);
        }
}

/* In this table, blocks start to merge one after another. */
START_TEST(a_lower_ratio_merges_more)
{
  enum { STEPS = 100, ENDS = 5 };
  static double all[ENDS][DEPTH] = {
    { 0.2, 0.2, 0.2, 1 }, { 0.6, 0.6, 0.6, 1 }, { 0.8, 0.8, 1, 1 }, { 0.9, 1, 1, 1 }, { 1, 1, 1, 1 }
  };
  static CalibrationPoint points[ENDS] = { { 0.3, 1, 10, all[0] },
                                           { 0.45, 1, 10, all[1] },
                                           { 0.6, 1, 10, all[2] },
                                           { 0.75, 1, 10, all[3] },
                                           { 0.9, 1, 10, all[4] } };
  Setup s;
  setup_init(&s, points, ENDS);
  fill_with_kinds(&s);
  vitgate_session_set_compute(s.session, 0.9);
  const double dense = mean_macs(&s);
  double last = dense, of_point = INFINITY;
  for (guint i = 0; i <= STEPS; i++) {
    vitgate_session_set_compute(s.session, points[ENDS - 1].compute - 0.6 * i / STEPS);
    const double now = mean_macs(&s);
    assert_each(now <= last + LEAST_STEP * dense, "step %u: %g multiply-adds after %g", i, now,
                last);
    last = now;
    if (i % (STEPS / (ENDS - 1)) == 0) {
      ck_assert_double_lt(now, of_point);
      of_point = now;
    }
  }
  ck_assert_double_lt(last, 0.6 * dense);
  setup_clear(&s);
}
END_TEST

int main(void)
{
  TCase *dial = tcase_create("dial"), *sessions = tcase_create("sessions");
  tcase_add_test(dial, settings_between_two_points_are_interpolated);
  tcase_add_test(dial, a_point_is_its_own_setting);
  tcase_add_test(dial, nothing_merges_between_two_points_that_never_merge);
  tcase_add_test(dial, a_ratio_outside_the_table_gets_the_nearest_end);
  tcase_add_test(dial, nan_gives_an_end_of_the_table);
  tcase_add_test(dial, one_point_is_the_only_setting);
  tcase_add_test(dial, without_a_table_gates_have_no_bias_and_nothing_merges);
  tcase_add_test(sessions, setting_the_dial_changes_the_next_call);
  tcase_add_test(sessions, setting_it_back_gives_the_same_bits);
  tcase_add_test(sessions, each_session_has_its_own_dial);
  tcase_add_test(sessions, extreme_ratios_get_the_nearest_end);
  tcase_add_test(sessions, the_model_reports_the_ends_of_its_dial);
  tcase_add_test(sessions, a_lower_ratio_merges_more);
  return fixture_run("dial", dial, sessions, NULL);
}
