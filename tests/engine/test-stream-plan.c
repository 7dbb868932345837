/* What is computed of each frame of a stream: the rules, without any network. */
#include "file/architecture.h"
#include "fixture.h"
#include "network/families/families.h"
#include "stream-plan.h"

/* DeiT-Tiny. */
static BlockShape blocks[12];
static const Description description = {
  .family = &vitgate__family_vit,
  .image_size = 224,
  .patch_size = 16,
  .dim = 192,
  .head_dim = 64,
  .depth = G_N_ELEMENTS(blocks),
  .blocks = blocks,
  .n_classes = 1000,
  .dense_gmacs = 1.25,
};
enum { N_PATCHES = 196, FEW = 9 };

#define STILL  (1.0 / 255) /* changes that leave the last result standing, and ones that do not */
#define CHANGE (20.0 / 255)

static StreamPlan plan;
static VitgateStreamOptions options;
static double dial, independent_cost;
static guint n_new; /* patches with something new in the next frame */
static VitgateReason reason;

static void set_up(void)
{
  for (guint b = 0; b < description.depth; b++)
    blocks[b] = (BlockShape){ .heads = 3, .neurons = 768 };
  options = vitgate_stream_default_options();
  dial = independent_cost = 1;
  n_new = 0;
  vitgate__stream_plan_init(&plan, &description);
  vitgate__stream_plan_restart(&plan, &options);
}

static VitgatePass decide(double change, guint n_marked)
{
  return vitgate__stream_plan_decide(&plan, &options, &(PlanFrame){ dial, change, n_marked, n_new },
                                     &reason);
}

/* Decides on a frame and records that it was computed so. */
static VitgatePass frame(double change, guint n_marked)
{
  const VitgatePass pass = decide(change, n_marked);
  vitgate__stream_plan_record(&plan, pass, pass == VITGATE_PASS_INDEPENDENT ? independent_cost : 1);
  return pass;
}

#define assert_frame(change, n, pass, why)                                                         \
  do {                                                                                             \
    ck_assert_str_eq(vitgate_pass_name(frame(change, n)), vitgate_pass_name(VITGATE_PASS_##pass)); \
    ck_assert_str_eq(vitgate_reason_name(reason), vitgate_reason_name(VITGATE_REASON_##why));      \
  } while (0)

/* Frames up to a state with keys and values. */
static void start_cached(void)
{
  options.eager = TRUE;
  vitgate__stream_plan_restart(&plan, &options);
  assert_frame(1, N_PATCHES, FULL, FIRST);
}

START_TEST(the_first_frame_is_full_if_eager)
{
  assert_frame(1, N_PATCHES, INDEPENDENT, FIRST);
  start_cached();
  assert_frame(CHANGE, FEW, UPDATED, NONE);
}
END_TEST

/* Few changes bring about a full pass, then updates. */
START_TEST(alike_frames_lead_to_updates)
{
  guint n = 0;
  assert_frame(1, N_PATCHES, INDEPENDENT, FIRST);
  while (frame(CHANGE, FEW) == VITGATE_PASS_INDEPENDENT && n < 10) {
    ck_assert_int_eq(reason, VITGATE_REASON_MOTION);
    n++;
  }
  ck_assert_uint_le(n, 3);
  assert_frame(CHANGE, FEW, UPDATED, NONE);
}
END_TEST

START_TEST(a_slideshow_never_gets_full_passes)
{
  static const double costs[] = { 1, .7, .4 };
  for (guint c = 0; c < G_N_ELEMENTS(costs); c++) {
    set_up();
    independent_cost = costs[c];
    for (guint i = 0; i < 200; i++) {
      ck_assert_int_eq(frame(i ? .9 : 1, N_PATCHES - i % 20), VITGATE_PASS_INDEPENDENT);
      for (guint still = 0; still < i % 12; still++)
        ck_assert_int_eq(frame(STILL, 0), VITGATE_PASS_UNCHANGED);
    }
  }
}
END_TEST

/* Three after the first, which costs less than a few frames without a cache. */
START_TEST(lasting_motion_ends_full_passes)
{
  start_cached();
  for (guint i = 0; i < 3; i++)
    assert_frame(CHANGE, N_PATCHES, FULL, MOTION);
  for (guint i = 0; i < 100; i++)
    assert_frame(CHANGE, N_PATCHES, INDEPENDENT, MOTION);
  guint n = 0;
  while (frame(CHANGE, FEW) == VITGATE_PASS_INDEPENDENT && n < 10)
    n++;
  ck_assert_uint_le(n, 4);
  assert_frame(CHANGE, FEW, UPDATED, NONE);
}
END_TEST

/* An update costs 1.2 times its multiply-adds, and must cost at most 0.8 of a full pass and at most
 * as much as an independent one. */
START_TEST(updates_must_be_cheaper)
{
  start_cached();
  const double full = vitgate__description_gmacs(&description);
  for (guint n = 0; n <= N_PATCHES; n++) {
    const double share = 1.2 * vitgate__description_update_gmacs(&description, n) / full;
    ck_assert_int_eq(decide(CHANGE, n) == VITGATE_PASS_UPDATED, share <= .8);
    set_up();
    start_cached();
  }
  ck_assert_int_eq(decide(CHANGE, 100), VITGATE_PASS_UPDATED);
  plan.independent = .4;
  ck_assert_int_ne(decide(CHANGE, 100), VITGATE_PASS_UPDATED);
  ck_assert_int_eq(decide(CHANGE, 40), VITGATE_PASS_UPDATED);
}
END_TEST

START_TEST(full_passes_come_at_intervals)
{
  options.interval = 10;
  start_cached();
  for (guint round = 0; round < 5; round++) {
    for (guint i = 1; i < 10; i++)
      assert_frame(CHANGE, FEW, UPDATED, NONE);
    assert_frame(CHANGE, FEW, FULL, INTERVAL);
  }
  /* Unchanged frames count too, but do not bring one about. */
  for (guint i = 0; i < 30; i++)
    assert_frame(STILL, 0, UNCHANGED, NONE);
  assert_frame(CHANGE, FEW, FULL, INTERVAL);
  options.interval = 1;
  for (guint i = 0; i < 5; i++)
    assert_frame(CHANGE, FEW, FULL, INTERVAL);
  options.interval = 0;
  for (guint i = 0; i < 1000; i++)
    assert_frame(CHANGE, FEW, UPDATED, NONE);
}
END_TEST

START_TEST(a_scene_that_settles_is_computed_once)
{
  start_cached();
  for (guint i = 0; i < 20; i++) /* nothing is stale after a full pass */
    assert_frame(STILL, 0, UNCHANGED, NONE);
  assert_frame(CHANGE, FEW, UPDATED, NONE);
  for (guint i = 0; i < 4; i++)
    assert_frame(STILL, 0, UNCHANGED, NONE);
  assert_frame(CHANGE, FEW, UPDATED, NONE); /* starts again */
  for (guint i = 0; i < 4; i++)
    assert_frame(STILL, 0, UNCHANGED, NONE);
  assert_frame(STILL, 0, FULL, SETTLED);
  for (guint i = 0; i < 100; i++)
    assert_frame(STILL, 0, UNCHANGED, NONE);
}
END_TEST

/* Something new brings about a full pass while something else moves, but not more often than every
 * 25 frames. */
START_TEST(something_new_is_computed_with_all_patches)
{
  start_cached();
  assert_frame(CHANGE, FEW, UPDATED, NONE);
  n_new = 2;
  assert_frame(CHANGE, FEW, FULL, SETTLED);
  for (guint i = 1; i < 25; i++)
    assert_frame(CHANGE, FEW, UPDATED, NONE);
  n_new = 0; /* it is remembered */
  assert_frame(CHANGE, FEW, FULL, SETTLED);
  for (guint i = 1; i < 50; i++)
    assert_frame(CHANGE, FEW, UPDATED, NONE);
  assert_frame(CHANGE, FEW, FULL, INTERVAL);
}
END_TEST

START_TEST(something_new_waits_for_an_update)
{
  start_cached();
  n_new = 1;
  assert_frame(CHANGE, FEW, UPDATED, NONE); /* nothing is stale */
  n_new = 0;
  assert_frame(STILL, 0, UNCHANGED, NONE);
  options.max_compute = .01; /* there is no time for it */
  assert_frame(CHANGE, FEW, UPDATED, NONE);
  options.max_compute = 0;
  assert_frame(CHANGE, FEW, FULL, SETTLED);
  n_new = 1;
  options.temporal = FALSE;
  assert_frame(CHANGE, FEW, INDEPENDENT, MOTION);
}
END_TEST

START_TEST(independent_results_do_not_settle)
{
  options.temporal = FALSE;
  assert_frame(1, N_PATCHES, INDEPENDENT, FIRST);
  assert_frame(CHANGE, FEW, INDEPENDENT, MOTION);
  for (guint i = 0; i < 20; i++)
    assert_frame(STILL, 0, UNCHANGED, NONE);
}
END_TEST

START_TEST(full_passes_respect_max_compute)
{
  start_cached();
  options.max_compute = plan.full * .99;
  vitgate__stream_plan_restart(&plan, &options);
  assert_frame(1, N_PATCHES, INDEPENDENT, FIRST);
  for (guint i = 0; i < 200; i++)
    ck_assert_int_eq(frame(i % 9 ? STILL : CHANGE, FEW),
                     i % 9 ? VITGATE_PASS_UNCHANGED : VITGATE_PASS_INDEPENDENT);
  plan.expired = TRUE;
  assert_frame(STILL, 0, INDEPENDENT, EXPIRED);
  options.max_compute = plan.full * 1.01;
  assert_frame(CHANGE, FEW, FULL, MOTION);
}
END_TEST

/* Keys and values that are there go on to be used until a full pass is due. */
START_TEST(max_compute_may_fall_while_playing)
{
  start_cached();
  assert_frame(CHANGE, FEW, UPDATED, NONE);
  options.max_compute = .01;
  for (guint i = 2; i < 50; i++)
    assert_frame(CHANGE, FEW, UPDATED, NONE);
  assert_frame(CHANGE, FEW, INDEPENDENT, INTERVAL);
  assert_frame(CHANGE, FEW, INDEPENDENT, MOTION);
}
END_TEST

START_TEST(a_stale_scene_without_full_passes_stands)
{
  start_cached();
  assert_frame(CHANGE, FEW, UPDATED, NONE);
  options.max_compute = .01;
  for (guint i = 0; i < 20; i++)
    assert_frame(STILL, 0, UNCHANGED, NONE);
}
END_TEST

START_TEST(an_expired_result_does_not_stand)
{
  start_cached();
  plan.expired = TRUE;
  assert_frame(STILL, 0, FULL, EXPIRED);
  assert_frame(STILL, 0, UNCHANGED, NONE);
  options.temporal = FALSE;
  plan.expired = TRUE;
  assert_frame(STILL, 0, INDEPENDENT, EXPIRED);
  assert_frame(STILL, 0, UNCHANGED, NONE);
  plan.expired = TRUE; /* without keys and values, no full pass makes up for them */
  options.temporal = TRUE;
  assert_frame(CHANGE, FEW, INDEPENDENT, EXPIRED);
}
END_TEST

START_TEST(a_moved_dial_applies_at_once)
{
  start_cached();
  assert_frame(STILL, 0, UNCHANGED, NONE);
  dial = .7;
  assert_frame(STILL, 0, FULL, DIAL);
  assert_frame(STILL, 0, UNCHANGED, NONE);
}
END_TEST

/* A pass that nobody made does not count: the next frame is decided on again. */
START_TEST(reasons_last_until_a_pass_is_made)
{
  start_cached();
  dial = .7;
  ck_assert_int_eq(decide(STILL, 0), VITGATE_PASS_FULL);
  assert_frame(STILL, 0, FULL, DIAL);
  plan.expired = TRUE;
  ck_assert_int_eq(decide(STILL, 0), VITGATE_PASS_FULL);
  assert_frame(STILL, 0, FULL, EXPIRED);
}
END_TEST

/* The result of a frame that was decided on before is too old as well, unless it is whole. */
START_TEST(a_result_may_expire_before_it_is_made)
{
  start_cached();
  const VitgatePass pass = decide(CHANGE, FEW);
  ck_assert_int_eq(pass, VITGATE_PASS_UPDATED);
  plan.expired = TRUE;
  vitgate__stream_plan_record(&plan, pass, 1);
  assert_frame(STILL, 0, FULL, EXPIRED);
  assert_frame(STILL, 0, UNCHANGED, NONE);
}
END_TEST

START_TEST(below_zero_no_frame_is_unchanged)
{
  options.unchanged = -1;
  start_cached();
  for (guint i = 0; i < 10; i++)
    assert_frame(0, 0, UPDATED, NONE);
  options.unchanged = 0;
  assert_frame(0, 0, UNCHANGED, NONE);
}
END_TEST

START_TEST(the_limit_itself_is_unchanged)
{
  start_cached();
  assert_frame(options.unchanged, FEW, UNCHANGED, NONE);
  assert_frame(options.unchanged * 1.001, FEW, UPDATED, NONE);
}
END_TEST

START_TEST(without_temporal_nothing_is_cached)
{
  start_cached();
  options.temporal = FALSE;
  assert_frame(CHANGE, FEW, INDEPENDENT, MOTION);
  options.temporal = TRUE;
  assert_frame(CHANGE, FEW, FULL, MOTION); /* the keys and values are of an old frame */
  assert_frame(CHANGE, FEW, UPDATED, NONE);
}
END_TEST

START_TEST(a_restart_forgets_all_but_costs)
{
  independent_cost = .5;
  for (guint i = 0; i < 50; i++)
    frame(i ? CHANGE : 1, N_PATCHES);
  const double independent = plan.independent;
  ck_assert_double_eq_tol(independent, .5, .01);
  options.interval = 3;
  start_cached();
  assert_frame(CHANGE, FEW, UPDATED, NONE);
  assert_frame(STILL, 0, UNCHANGED, NONE);
  plan.expired = TRUE;
  start_cached();
  ck_assert_double_eq(plan.independent, independent);
  for (guint i = 0; i < 10; i++) /* neither stale nor still from before */
    assert_frame(STILL, 0, UNCHANGED, NONE);
  start_cached();
  assert_frame(CHANGE, FEW, UPDATED, NONE);
  assert_frame(CHANGE, FEW, UPDATED, NONE);
  assert_frame(CHANGE, FEW, FULL, INTERVAL);
}
END_TEST

int main(void)
{
  TCase *rules = tcase_create("rules");
  tcase_add_checked_fixture(rules, set_up, NULL);
  tcase_add_test(rules, the_first_frame_is_full_if_eager);
  tcase_add_test(rules, alike_frames_lead_to_updates);
  tcase_add_test(rules, a_slideshow_never_gets_full_passes);
  tcase_add_test(rules, lasting_motion_ends_full_passes);
  tcase_add_test(rules, updates_must_be_cheaper);
  tcase_add_test(rules, full_passes_come_at_intervals);
  tcase_add_test(rules, a_scene_that_settles_is_computed_once);
  tcase_add_test(rules, something_new_is_computed_with_all_patches);
  tcase_add_test(rules, something_new_waits_for_an_update);
  tcase_add_test(rules, independent_results_do_not_settle);
  tcase_add_test(rules, full_passes_respect_max_compute);
  tcase_add_test(rules, max_compute_may_fall_while_playing);
  tcase_add_test(rules, a_stale_scene_without_full_passes_stands);
  tcase_add_test(rules, an_expired_result_does_not_stand);
  tcase_add_test(rules, a_moved_dial_applies_at_once);
  tcase_add_test(rules, reasons_last_until_a_pass_is_made);
  tcase_add_test(rules, a_result_may_expire_before_it_is_made);
  tcase_add_test(rules, below_zero_no_frame_is_unchanged);
  tcase_add_test(rules, the_limit_itself_is_unchanged);
  tcase_add_test(rules, without_temporal_nothing_is_cached);
  tcase_add_test(rules, a_restart_forgets_all_but_costs);
  return fixture_run("stream-plan", rules, NULL);
}
