/* Streams: what is computed of a frame, and that it is what the network would compute. */
#include <math.h>

#include "stream-fixture.h"

/* ---- Frames ---- */

typedef struct {
  VitgateModel *model;
  VitgateSession *session;
  VitgateStream *stream;
  float tensor[STREAM_IMAGE];
  guint32 random;
} Setup;

/* A session that records patches, an eager stream, and a random picture.
 * Returns: FALSE if the machine has no products of this precision */
static gboolean setup_init(Setup *s, VitgatePrecision precision)
{
  const VitgateStreamOptions options = stream_eager();
  *s = (Setup){ .model = stream_model(precision), .random = 8 };
  if (!s->model)
    return FALSE;
  s->session =
      fixture_session_with(s->model, &(VitgateSessionOptions){ .max_batch = 4, .patches = TRUE });
  s->stream = stream_new(s->model, &options);
  fixture_fill(s->tensor, STREAM_IMAGE, -1, 1, &s->random);
  return TRUE;
}

static void setup_clear(Setup *s)
{
  vitgate_stream_free(&s->stream);
  vitgate_session_free(&s->session);
  vitgate_model_unref(&s->model);
}

static const VitgateResult *next(Setup *s)
{
  return stream_follow(s->session, s->stream, s->tensor);
}

static void check_as_alone(const Setup *s, const VitgateResult *result)
{
  stream_check_alone(s->model, result, s->tensor);
}

START_TEST(an_identical_frame_costs_nothing)
{
  static const guint8 none[STREAM_MODULES * STREAM_PATCHES];
  static const guint no_tokens[STREAM_MODULES];
  Setup s;
  float logits[STREAM_CLASSES], probabilities[STREAM_CLASSES];
  if (!setup_init(&s, stream_precisions[_i]))
    return;
  const VitgateResult *result = next(&s);
  assert_decision(result, "full", "first");
  ck_assert_uint_eq(result->decision->n_patches, STREAM_PATCHES);
  memcpy(logits, result->logits, sizeof logits);
  memcpy(probabilities, result->probabilities, sizeof probabilities);
  for (guint i = 0; i < 60; i++) {
    /* Other work of the session has no effect. */
    g_autofree float *other = fixture_tensors(3 + i, STREAM_IMAGE);
    fixture_forward(s.session, other, 1);
    result = next(&s);
    assert_decision(result, "unchanged", "none");
    ck_assert_double_eq(result->gmacs, 0);
    ck_assert_double_eq(result->compute_ratio, 0);
    ck_assert_double_eq(result->decision->change, 0);
    ck_assert_uint_eq(result->decision->n_patches, 0);
    ck_assert_uint_eq(result->n_tokens, 0);
    ck_assert_uint_eq(result->n_classes, STREAM_CLASSES);
    ck_assert_mem_eq(result->decision->marks, none, STREAM_PATCHES);
    ck_assert_mem_eq(result->logits, logits, sizeof logits);
    ck_assert_mem_eq(result->probabilities, probabilities, sizeof probabilities);
    ck_assert_mem_eq(result->modules, none, STREAM_MODULES);
    ck_assert_mem_eq(result->module_tokens, no_tokens, sizeof no_tokens);
    ck_assert_mem_eq(result->module_substitutes, no_tokens, sizeof no_tokens);
    ck_assert_mem_eq(result->patches, none, sizeof none);
  }
  /* This session does not record patches. */
  g_autoptr(VitgateSession) plain = fixture_session(s.model, 1, 1);
  ck_assert_ptr_null(stream_follow(plain, s.stream, s.tensor)->patches);
  setup_clear(&s);
}
END_TEST

/* Somewhere in the middle of a scene, one patch changes: it and its neighbours run. */
START_TEST(a_changed_patch_and_its_neighbours_run)
{
  Setup s;
  setup_init(&s, VITGATE_PRECISION_FLOAT32);
  const double full = next(&s)->gmacs;
  stream_change_patch(s.tensor, STREAM_MIDDLE, .2f);
  const VitgateResult *result = next(&s);
  assert_decision(result, "updated", "none");
  ck_assert_uint_eq(result->decision->n_patches, 9);
  ck_assert_double_eq_tol(result->decision->change, .2, 1e-5);
  ck_assert_double_lt(result->gmacs, .35 * full);
  ck_assert_uint_eq(result->n_tokens, 10);
  for (guint m = 0; m < STREAM_MODULES; m++)
    if (result->modules[m])
      ck_assert_uint_eq(result->module_tokens[m] + result->module_substitutes[m], m < 6 ? 10 : 1);
  for (guint p = 0; p < STREAM_PATCHES; p++) {
    const gboolean near =
        ABS((gint)(p / STREAM_SIDE) - 3) <= 1 && ABS((gint)(p % STREAM_SIDE) - 3) <= 1;
    ck_assert_uint_eq(result->decision->marks[p], near);
    ck_assert_uint_eq(result->patches[p], near ? VITGATE_PATCH_RAN : 0); /* attention */
    ck_assert_uint_le(result->patches[STREAM_PATCHES + p], near);        /* by a token gate */
    ck_assert_uint_eq(result->patches[4 * STREAM_PATCHES + p], near ? VITGATE_PATCH_RAN : 0);
    ck_assert_uint_eq(result->patches[6 * STREAM_PATCHES + p], 0); /* the tail */
  }
  setup_clear(&s);
}
END_TEST

START_TEST(a_scene_that_settles_is_as_if_seen_first)
{
  Setup s;
  if (!setup_init(&s, stream_precisions[_i]))
    return;
  next(&s);
  for (guint i = 0; i < 12; i++) {
    stream_change_patch(s.tensor, 3 * (i % 3), i % 2 ? .2f : -.4f); /* none stands still */
    assert_decision(next(&s), "updated", "none");
  }
  for (guint i = 0; i < 4; i++)
    assert_decision(next(&s), "unchanged", "none");
  const VitgateResult *result = next(&s);
  assert_decision(result, "full", "settled");
  check_as_alone(&s, result);
  for (guint i = 0; i < 60; i++)
    assert_decision(next(&s), "unchanged", "none");
  setup_clear(&s);
}
END_TEST

/* While something else moves all the time. */
START_TEST(something_new_is_soon_as_if_seen_first)
{
  Setup s;
  if (!setup_init(&s, stream_precisions[_i]))
    return;
  next(&s);
  for (guint i = 0; i < 20; i++) {
    stream_change_patch(s.tensor, STREAM_PATCHES - 1, i % 2 ? .2f : -.2f);
    if (i == 5)
      stream_change_patch(s.tensor, 0, .3f);
    const VitgateResult *result = next(&s);
    assert_decision(result, i == 8 ? "full" : "updated", i == 8 ? "settled" : "none");
    if (i == 8)
      check_as_alone(&s, result);
  }
  setup_clear(&s);
}
END_TEST

START_TEST(a_cut_is_as_if_seen_first)
{
  Setup s;
  if (!setup_init(&s, stream_precisions[_i]))
    return;
  for (guint i = 0; i < 9; i++) {
    if (i % 3 == 0)
      fixture_fill(s.tensor, STREAM_IMAGE, -2, 2, &s.random);
    else
      stream_change_patch(s.tensor, 7 * i % STREAM_PATCHES, .3f);
    const VitgateResult *result = next(&s);
    assert_decision(result, i % 3 ? "updated" : "full",
                    i == 0  ? "first"
                    : i % 3 ? "none"
                            : "motion");
    if (i % 3 == 0)
      check_as_alone(&s, result);
  }
  setup_clear(&s);
}
END_TEST

/* A threshold of zero is no guarantee: patches that do not change keep what they knew. */
START_TEST(unchanged_patches_keep_what_they_knew)
{
  Setup s;
  setup_init(&s, VITGATE_PRECISION_FLOAT32);
  VitgateStreamOptions options = stream_eager();
  options.unchanged = options.changed = 0;
  ck_assert(vitgate_stream_set_options(s.stream, &options, NULL));
  next(&s);
  stream_change_patch(s.tensor, STREAM_MIDDLE, .3f);
  const VitgateResult *result = next(&s);
  assert_decision(result, "updated", "none");
  g_autoptr(VitgateSession) session = fixture_session(s.model, 1, 1);
  const float *dense = fixture_forward(session, s.tensor, 1)->logits;
  ck_assert(memcmp(dense, result->logits, STREAM_CLASSES * sizeof(float)) != 0);
  setup_clear(&s);
}
END_TEST

/* ---- Settings ---- */

/* Returns: the patches that a change of one patch marks at a setting of the dial */
static guint count_marks(double compute, float change)
{
  Setup s;
  setup_init(&s, VITGATE_PRECISION_FLOAT32);
  vitgate_session_set_compute(s.session, compute);
  VitgateStreamOptions options = stream_eager();
  options.unchanged = -1;
  ck_assert(vitgate_stream_set_options(s.stream, &options, NULL));
  next(&s);
  stream_change_patch(s.tensor, STREAM_MIDDLE, change);
  const VitgateResult *result = next(&s);
  const guint n = result->decision->n_patches;
  assert_decision(result, "updated", "none");
  setup_clear(&s);
  return n;
}

/* 3/255 at the default of .8, 6/255 at the minimum of .2; neighbours down to .5. */
START_TEST(the_dial_raises_the_threshold)
{
  ck_assert_uint_eq(count_marks(.8, 2.9f / 255), 0);
  ck_assert_uint_eq(count_marks(.8, 3.1f / 255), 9);
  ck_assert_uint_eq(count_marks(.65, 3.7f / 255), 0);
  ck_assert_uint_eq(count_marks(.65, 3.8f / 255), 9);
  ck_assert_uint_eq(count_marks(.51, 20 / 255.f), 9);
  ck_assert_uint_eq(count_marks(.49, 20 / 255.f), 1);
  ck_assert_uint_eq(count_marks(.2, 5.9f / 255), 0);
  ck_assert_uint_eq(count_marks(.2, 6.1f / 255), 1);
}
END_TEST

static const struct {
  gsize field;
  double value;
  const char *message;
} bad_options[] = {
  { G_STRUCT_OFFSET(VitgateStreamOptions, unchanged), NAN, "unchanged is nan, expected at most 1" },
  { G_STRUCT_OFFSET(VitgateStreamOptions, unchanged), 1.01, "unchanged is 1.01" },
  { G_STRUCT_OFFSET(VitgateStreamOptions, changed), NAN, "changed is nan, expected at most 1" },
  { G_STRUCT_OFFSET(VitgateStreamOptions, changed), INFINITY, "changed is inf" },
  { G_STRUCT_OFFSET(VitgateStreamOptions, max_compute), NAN, "max_compute is nan" },
  { G_STRUCT_OFFSET(VitgateStreamOptions, max_compute), 2, "max_compute is 2, expected at most 1" },
};

START_TEST(bad_options_are_refused)
{
  g_autoptr(GError) error = NULL;
  Setup s;
  VitgateStreamOptions options = stream_eager();
  setup_init(&s, VITGATE_PRECISION_FLOAT32);
  memcpy((guint8 *)&options + bad_options[_i].field, &bad_options[_i].value, sizeof(double));
  ck_assert_ptr_null(vitgate_stream_new(s.model, &options, &error));
  assert_error(error, VITGATE_ERROR_ARGUMENT, bad_options[_i].message);
  next(&s);
  ck_assert(!vitgate_stream_set_options(s.stream, &options, &error));
  assert_error(error, VITGATE_ERROR_ARGUMENT, bad_options[_i].message);
  assert_decision(next(&s), "unchanged", "none"); /* the old ones go on */
  setup_clear(&s);
}
END_TEST

START_TEST(unknown_options_are_refused)
{
  g_autoptr(GError) error = NULL;
  Setup s;
  setup_init(&s, VITGATE_PRECISION_FLOAT32);
  for (guint i = 0; i < G_N_ELEMENTS(stream_eager().reserved); i++) {
    g_autofree char *part = g_strdup_printf("reserved field %u of the stream's options", i);
    VitgateStreamOptions options = stream_eager();
    options.reserved[i] = &s;
    ck_assert_ptr_null(vitgate_stream_new(s.model, &options, &error));
    assert_error(error, VITGATE_ERROR_ARGUMENT, part);
    ck_assert(!vitgate_stream_set_options(s.stream, &options, &error));
    assert_error(error, VITGATE_ERROR_ARGUMENT, part);
  }
  VitgateStreamOptions without = stream_eager();
  without.temporal = FALSE;
  g_autoptr(VitgateStream) stream = stream_new(s.model, &without);
  const VitgateStreamOptions with = stream_eager();
  ck_assert(!vitgate_stream_set_options(stream, &with, &error));
  assert_error(error, VITGATE_ERROR_ARGUMENT, "temporal is set");
  setup_clear(&s);
}
END_TEST

/* Every threshold within the documented range gives right results, at worst full passes. */
START_TEST(extreme_thresholds_work)
{
  static const double values[] = { -INFINITY, -1, 0, 1e-300, 1 };
  for (guint i = 0; i < 25; i++) {
    Setup s;
    VitgateStreamOptions options = stream_eager();
    setup_init(&s, VITGATE_PRECISION_FLOAT32);
    options.unchanged = values[i / 5];
    options.changed = values[i % 5];
    ck_assert(vitgate_stream_set_options(s.stream, &options, NULL));
    check_as_alone(&s, next(&s));
    for (guint f = 0; f < 8; f++) {
      stream_change_patch(s.tensor, 5 * f, .3f);
      const VitgateResult *result = next(&s);
      ck_assert(result->decision->n_patches == STREAM_PATCHES || options.changed >= 0 ||
                options.unchanged == 1);
      if (result->decision->n_patches == STREAM_PATCHES)
        check_as_alone(&s, result);
      for (guint c = 0; c < STREAM_CLASSES; c++)
        ck_assert(isfinite(result->logits[c]));
    }
    setup_clear(&s);
  }
}
END_TEST

START_TEST(options_change_while_playing)
{
  Setup s;
  setup_init(&s, VITGATE_PRECISION_FLOAT32);
  VitgateStreamOptions options = stream_eager();
  next(&s);
  stream_change_patch(s.tensor, 3, .2f);
  assert_decision(next(&s), "updated", "none");
  options.temporal = FALSE;
  ck_assert(vitgate_stream_set_options(s.stream, &options, NULL));
  stream_change_patch(s.tensor, 3, .2f);
  const VitgateResult *result = next(&s);
  assert_decision(result, "independent", "motion");
  check_as_alone(&s, result);
  options.temporal = TRUE;
  ck_assert(vitgate_stream_set_options(s.stream, &options, NULL));
  stream_change_patch(s.tensor, 3, .2f);
  result = next(&s);
  assert_decision(result, "full", "motion");
  check_as_alone(&s, result);
  setup_clear(&s);
}
END_TEST

/* ---- Calls ---- */

START_TEST(an_expired_result_is_computed_again)
{
  Setup s;
  setup_init(&s, VITGATE_PRECISION_FLOAT32);
  next(&s);
  stream_change_patch(s.tensor, 3, .2f);
  next(&s);
  vitgate_stream_expire(s.stream);
  const VitgateResult *result = next(&s);
  assert_decision(result, "full", "expired");
  check_as_alone(&s, result);
  assert_decision(next(&s), "unchanged", "none");
  setup_clear(&s);
}
END_TEST

START_TEST(a_forgotten_stream_starts_again)
{
  Setup s;
  setup_init(&s, VITGATE_PRECISION_FLOAT32);
  for (guint i = 0; i < 3; i++) {
    vitgate_stream_look(s.stream, s.session, s.tensor);
    ck_assert_double_eq(vitgate_stream_changed_share(s.stream, .1), 1);
    const VitgateResult *result = next(&s);
    assert_decision(result, "full", "first");
    ck_assert_double_eq(result->decision->change, 1);
    stream_change_patch(s.tensor, 3, .2f);
    assert_decision(next(&s), "updated", "none");
    vitgate_stream_forget(s.stream);
  }
  setup_clear(&s);
}
END_TEST

/* The picture counts as seen, but its keys and values are not there. */
START_TEST(an_accepted_picture_is_not_updated)
{
  Setup s;
  setup_init(&s, VITGATE_PRECISION_FLOAT32);
  float logits[STREAM_CLASSES];
  memcpy(logits, next(&s)->logits, sizeof logits);
  stream_change_patch(s.tensor, STREAM_MIDDLE, .2f);
  vitgate_stream_look(s.stream, s.session, s.tensor);
  ck_assert_double_eq_tol(vitgate_stream_changed_share(s.stream, .1), 1. / STREAM_PATCHES, 1e-6);
  vitgate_stream_accept(s.stream);
  const VitgateResult *result = next(&s);
  assert_decision(result, "unchanged", "none");
  ck_assert_mem_eq(result->logits, logits, sizeof logits);
  stream_change_patch(s.tensor, 0, .2f);
  result = next(&s);
  assert_decision(result, "full", "motion");
  check_as_alone(&s, result);
  setup_clear(&s);
}
END_TEST

/* Broken pixels may spoil the results of their own frames only. */
START_TEST(a_frame_that_is_not_a_number_leaves_no_trace)
{
  static const float broken[] = { NAN, INFINITY, 1e30f };
  Setup s;
  if (!setup_init(&s, stream_precisions[_i % 3]))
    return;
  const float good = s.tensor[0];
  next(&s);
  for (guint i = 0; i < 4; i++) {
    s.tensor[0] = broken[_i / 3];
    stream_change_patch(s.tensor, STREAM_PATCHES - 1, .2f); /* sees the broken patch */
    const VitgateResult *result = next(&s);
    s.tensor[0] = good;
    for (guint f = 0; f < 3; f++) {
      result = next(&s);
      for (guint c = 0; c < STREAM_CLASSES; c++)
        assert_each(isfinite(result->logits[c]), "round %u, frame %u: not a number", i, f);
    }
  }
  setup_clear(&s);
}
END_TEST

int main(void)
{
  const int n = G_N_ELEMENTS(stream_precisions);
  TCase *stream = tcase_create("stream");
  tcase_add_loop_test(stream, an_identical_frame_costs_nothing, 0, n);
  tcase_add_test(stream, a_changed_patch_and_its_neighbours_run);
  tcase_add_loop_test(stream, a_scene_that_settles_is_as_if_seen_first, 0, n);
  tcase_add_loop_test(stream, something_new_is_soon_as_if_seen_first, 0, n);
  tcase_add_loop_test(stream, a_cut_is_as_if_seen_first, 0, n);
  tcase_add_test(stream, unchanged_patches_keep_what_they_knew);
  tcase_add_test(stream, the_dial_raises_the_threshold);
  tcase_add_loop_test(stream, bad_options_are_refused, 0, G_N_ELEMENTS(bad_options));
  tcase_add_test(stream, unknown_options_are_refused);
  tcase_add_test(stream, extreme_thresholds_work);
  tcase_add_test(stream, options_change_while_playing);
  tcase_add_test(stream, an_expired_result_is_computed_again);
  tcase_add_test(stream, a_forgotten_stream_starts_again);
  tcase_add_test(stream, an_accepted_picture_is_not_updated);
  tcase_add_loop_test(stream, a_frame_that_is_not_a_number_leaves_no_trace, 0, 3 * n);
  return fixture_run("stream", stream, NULL);
}
