/* The table of options of vitgate compress and train. */
#include <check.h>
#include <string.h>

#include "base/command-error.h"
#include "fixtures.h"
#include "train/run/run-options.h"

/* The members of checkpoints written before there was a table; resuming depends on these names. */
static const char *const members[] = {
  "teacher",
  "from",
  "variant",
  "image-size",
  "target",
  "batch-size",
  "seed",
  "learning-rate",
  "gate-rate",
  "gate-spread",
  "labels",
  "other-classes",
  "features",
  "mixup",
  "sub-groups",
  "group-size",
  "fixed-dial",
  "gates",
  "gate-kind",
  "gate-images",
  "learn-gates",
  "merging",
  "calibration-images",
  "precision",
  "classes",
  "data",
  "folders",
  "folder-weights",
  "orientation",
};

static void add_once(GHashTable *names, const char *name)
{
  ck_assert_msg(!name || g_hash_table_add(names, (gpointer)name), "%s appears twice", name);
}

START_TEST(names_and_members_are_unique)
{
  guint n;
  const RunOption *table = run_options_table(&n);
  g_autoptr(GHashTable) names = g_hash_table_new(g_str_hash, g_str_equal);
  g_autoptr(GHashTable) own = g_hash_table_new(g_str_hash, g_str_equal);
  g_autoptr(GHashTable) recorded = g_hash_table_new(g_str_hash, g_str_equal);
  for (guint i = 0; i < n; i++) {
    add_once(names, table[i].name);
    add_once(own, table[i].member);
    add_once(recorded, table[i].provenance);
    ck_assert(!table[i].name == !table[i].commands);
    ck_assert(!table[i].name == !table[i].help[0]);
  }
}
END_TEST

START_TEST(checkpoints_keep_their_members)
{
  g_auto(RunOptions) o = { 0 };
  run_options_init(&o, RUN_COMPRESS);
  g_autoptr(JsonObject) object = run_options_describe(&o);
  ck_assert_uint_eq(json_object_get_size(object), G_N_ELEMENTS(members));
  for (guint i = 0; i < G_N_ELEMENTS(members); i++)
    ck_assert_msg(json_object_has_member(object, members[i]), "%s", members[i]);
}
END_TEST

static void init_given(RunOptions *o, RunCommand command)
{
  static const char *const data[] = { "/photographs/a.tar", NULL };
  GError *error = NULL;
  run_options_init(o, command);
  o->teacher = g_strdup("/models/teacher.safetensors");
  o->data = g_strdupv((char **)data);
  o->out = g_strdup("out");
  ck_assert_msg(run_options_check(o, &error), "%s", error ? error->message : "");
}

/* @_i: RunCommand */
START_TEST(a_run_resumes_only_with_its_own_options)
{
  g_auto(RunOptions) o = { 0 };
  g_autoptr(GError) error = NULL;
  init_given(&o, _i);
  g_autoptr(JsonObject) before = run_options_describe(&o);
  o.threads = 7; /* does not change the result */
  ck_assert(run_options_check_same(&o, before, "folder/checkpoint", NULL));
  o.seed = 9;
  ck_assert(!run_options_check_same(&o, before, "folder/checkpoint", &error));
  ck_assert(g_error_matches(error, COMMAND_ERROR, COMMAND_ERROR_USAGE));
  assert_error(error, "folder/checkpoint: the run was started with seed 0, not 9");
}
END_TEST

START_TEST(options_missing_in_a_checkpoint_had_their_default)
{
  g_auto(RunOptions) o = { 0 };
  g_autoptr(GError) error = NULL;
  init_given(&o, RUN_COMPRESS);
  g_autoptr(JsonObject) before = run_options_describe(&o);
  json_object_remove_member(before, "precision");
  json_object_remove_member(before, "gate-rate");
  ck_assert(run_options_check_same(&o, before, "checkpoint", NULL));
  o.gate_rate = 1;
  ck_assert(!run_options_check_same(&o, before, "checkpoint", &error));
  assert_error(error, "gate-rate 0.002, not 1.0");
}
END_TEST

START_TEST(defaults_differ_by_command)
{
  g_auto(RunOptions) compress = { 0 }, train = { 0 };
  init_given(&compress, RUN_COMPRESS);
  init_given(&train, RUN_TRAIN);
  ck_assert_double_eq(compress.rate, 3e-4);
  ck_assert_double_eq(train.rate, 1e-3);
  ck_assert_int_eq(compress.precision, VITGATE_PRECISION_INT8);
  ck_assert_int_eq(train.precision, VITGATE_PRECISION_FLOAT32);
  ck_assert(compress.token_gates && !compress.module_gates && compress.merging &&
            !train.token_gates && !train.merging);
  ck_assert_uint_eq(compress.batch, 64);
  ck_assert_int_eq(compress.sub_groups, SUB_GROUPS_SAMPLE);
}
END_TEST

START_TEST(provenance_has_names_without_folders)
{
  g_auto(RunOptions) o = { 0 };
  init_given(&o, RUN_COMPRESS);
  g_autoptr(JsonObject) p = json_object_new();
  run_options_record(&o, p);
  ck_assert_str_eq(json_object_get_string_member(p, "teacher"), "teacher.safetensors");
  ck_assert_str_eq(json_array_get_string_element(json_object_get_array_member(p, "data"), 0),
                   "a.tar");
  ck_assert_double_eq(json_object_get_double_member(p, "target"), 0.6);
  ck_assert(json_object_has_member(p, "learning_rate"));
  ck_assert(!json_object_has_member(p, "from"));
}
END_TEST

START_TEST(the_error_names_a_value_out_of_range)
{
  g_auto(RunOptions) o = { 0 };
  g_autoptr(GError) error = NULL;
  init_given(&o, RUN_COMPRESS);
  o.batch = (guint)-3;
  ck_assert(!run_options_check(&o, &error));
  assert_error(error, "--batch-size is -3, expected 2 to 1024");
}
END_TEST

int main(void)
{
  TCase *tests = tcase_create("run options");
  tcase_add_test(tests, names_and_members_are_unique);
  tcase_add_test(tests, checkpoints_keep_their_members);
  tcase_add_loop_test(tests, a_run_resumes_only_with_its_own_options, RUN_COMPRESS, RUN_TRAIN + 1);
  tcase_add_test(tests, options_missing_in_a_checkpoint_had_their_default);
  tcase_add_test(tests, defaults_differ_by_command);
  tcase_add_test(tests, provenance_has_names_without_folders);
  tcase_add_test(tests, the_error_names_a_value_out_of_range);
  return fixtures_run(tests, "run-options");
}
