/* Checkpoints are read back bit for bit, and bad files and full disks give errors. */
#include <check.h>
#include <float.h>
#include <math.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "file/description-json.h"
#include "file/safetensors-write.h"
#include "fixtures.h"
#include "network/families/families.h"
#include "passes.h"
#include "train/run/checkpoint.h"
#include "vitgate.h"

enum { DEPTH = 3, STEP = 123456789 };

typedef struct {
  Description description;
  BlockShape blocks[DEPTH];
  Network *network;
  Optimizer *optimizer;
  char *folder, *path;
} Setup;

/* Arrays of the optimizer and of its network. */
enum { N_ARRAYS = 4 };

static real *array_of(const Optimizer *o, guint i)
{
  real *const arrays[N_ARRAYS] = { o->network->values, o->m, o->v, o->average };
  return arrays[i];
}

/* Fills in values of all kinds, including those that a careless conversion would change. */
static void fill(const Optimizer *optimizer, guint32 seed)
{
  static const float odd[] = {
    0.0f, -0.0f, FLT_TRUE_MIN, -FLT_MIN, FLT_MAX, 1e-30f, INFINITY, NAN
  };
  g_autoptr(GRand) random = g_rand_new_with_seed(seed);
  for (guint i = 0; i < N_ARRAYS; i++)
    for (gsize j = 0; j < optimizer->network->n_values; j++)
      array_of(optimizer, i)[j] =
          j % 11 == i ? odd[j / 11 % G_N_ELEMENTS(odd)] : (real)g_rand_double_range(random, -2, 2);
}

static void setup_init(Setup *s, guint dim, gboolean search)
{
  static const OptimizerOptions options = { .rate = 1e-3, .beta1 = 0.9, .beta2 = 0.99 };
  const BlockShape shapes[DEPTH] = { { 3, 48 }, { 2, 0 }, { 0, 40 } };
  memset(s, 0, sizeof *s);
  memcpy(s->blocks, shapes, sizeof shapes);
  s->description = (Description){
    .family = &vitgate__family_vit,
    .name = "small",
    .image_size = 12,
    .patch_size = 3,
    .dim = dim,
    .head_dim = 6,
    .depth = DEPTH,
    .blocks = s->blocks,
    .n_classes = 7,
    .layer_norm_eps = 1e-6,
    .preprocessing = { .resize = 14, .std = { 1, 1, 1 } },
    .dense_gmacs = 0.1234567890123456789,
    .dense_parameters = 7,
  };
  description_add_gates(&s->description);
  s->network = network_new(&s->description, search);
  s->optimizer = optimizer_new(s->network, &options);
  s->optimizer->step = STEP;
  fill(s->optimizer, dim);
  s->folder = fixtures_folder();
  s->path = g_build_filename(s->folder, "checkpoint.safetensors", NULL);
}

static void setup_clear(Setup *s)
{
  optimizer_free(&s->optimizer);
  network_free(&s->network);
  fixtures_remove(s->folder);
  g_free(s->path);
}

static void write_checkpoint(const Setup *s)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(JsonObject) state = json_object_new();
  json_object_set_string_member(state, "note", "two words");
  ck_assert_msg(checkpoint_write(s->path, s->optimizer, state, &error), "%s",
                error ? error->message : "");
}

static gboolean same_bits(const Optimizer *a, const Optimizer *b)
{
  gboolean same = a->step == b->step && a->network->n_values == b->network->n_values;
  for (guint i = 0; same && i < N_ARRAYS; i++)
    same = !memcmp(array_of(a, i), array_of(b, i), a->network->n_values * sizeof(real));
  return same;
}

/* ---- Writing and reading ---- */

START_TEST(test_everything_is_restored_bit_for_bit)
{
  Setup s;
  GError *error = NULL;
  setup_init(&s, 10, _i);
  write_checkpoint(&s);
  g_autoptr(Safetensors) file = NULL;
  g_autoptr(JsonObject) state = NULL;
  Description *d = checkpoint_open(s.path, &file, &state, &error);
  ck_assert_msg(d != NULL, "%s", error ? error->message : "");
  g_autofree char *before = vitgate__description_to_json(&s.description);
  g_autofree char *after = vitgate__description_to_json(d);
  ck_assert_str_eq(after, before);
  ck_assert_int_eq(json_object_get_boolean_member(state, "search"), _i);
  ck_assert_int_eq(json_object_get_int_member(state, "step"), STEP);
  ck_assert_str_eq(json_object_get_string_member(state, "note"), "two words");

  Network *network = network_new(d, _i);
  Optimizer *optimizer = optimizer_new(network, &s.optimizer->options);
  ck_assert(checkpoint_read(file, optimizer, &error));
  ck_assert(same_bits(optimizer, s.optimizer));
  optimizer_free(&optimizer);
  network_free(&network);
  vitgate__description_free(&d);
  setup_clear(&s);
}
END_TEST

/* The merge thresholds that training uses are in the description. */
START_TEST(test_a_dial_is_restored)
{
  Setup s;
  GError *error = NULL;
  setup_init(&s, 10, FALSE);
  double thresholds[2][DEPTH] = { { 0.7, 1.0 / 3, 1 }, { 0.1 + 0.2, 1, 1 } };
  CalibrationPoint points[2] = { { 1.0 / 7, 0.1, -1.0 / 3, thresholds[0] },
                                 { 0.9, 0.95, 6, thresholds[1] } };
  s.description.calibration = points;
  s.description.n_calibration = 2;
  s.description.default_compute = 2.0 / 3;
  write_checkpoint(&s);
  g_autoptr(Safetensors) file = NULL;
  g_autoptr(JsonObject) state = NULL;
  Description *d = checkpoint_open(s.path, &file, &state, &error);
  ck_assert_msg(d != NULL, "%s", error ? error->message : "");
  ck_assert_uint_eq(d->n_calibration, 2);
  ck_assert_double_eq(d->default_compute, 2.0 / 3);
  for (guint p = 0; p < 2; p++) {
    ck_assert_double_eq(d->calibration[p].compute, points[p].compute);
    ck_assert_double_eq(d->calibration[p].agreement, points[p].agreement);
    ck_assert_double_eq(d->calibration[p].gate_bias, points[p].gate_bias);
    ck_assert_mem_eq(d->calibration[p].thresholds, thresholds[p], sizeof thresholds[p]);
  }
  vitgate__description_free(&d);
  setup_clear(&s);
}
END_TEST

START_TEST(test_a_new_checkpoint_replaces_the_old_one)
{
  Setup s;
  GError *error = NULL;
  setup_init(&s, 10, FALSE);
  write_checkpoint(&s);
  fill(s.optimizer, 77);
  s.optimizer->step++;
  write_checkpoint(&s);
  Setup other;
  setup_init(&other, 10, FALSE);
  g_autoptr(Safetensors) file = vitgate__safetensors_open(s.path, &error);
  ck_assert(checkpoint_read(file, other.optimizer, &error));
  ck_assert(same_bits(other.optimizer, s.optimizer));
  setup_clear(&other);
  setup_clear(&s);
}
END_TEST

/* ---- Bad files ---- */

/* Checks that @path does not open as a checkpoint: the error names it, and nothing is returned. */
static void check_refused(const char *path, const char *part)
{
  Safetensors *file = NULL;
  JsonObject *state = NULL;
  GError *error = NULL;
  ck_assert_ptr_null(checkpoint_open(path, &file, &state, &error));
  assert_error(error, path);
  assert_error(error, part);
  ck_assert_int_eq(error->domain, VITGATE_ERROR);
  ck_assert_ptr_null(file);
  ck_assert_ptr_null(state);
  g_clear_error(&error);
}

START_TEST(test_a_truncated_file_is_refused)
{
  Setup s;
  g_autofree char *text = NULL;
  gsize n;
  setup_init(&s, 10, FALSE);
  write_checkpoint(&s);
  ck_assert(g_file_get_contents(s.path, &text, &n, NULL));
  guint64 header;
  memcpy(&header, text, sizeof header);
  const gsize lengths[] = { 0,          1,          7,     8,    9, 8 + header / 2, 8 + header - 1,
                            8 + header, 9 + header, n / 2, n - 1 };
  for (guint i = 0; i < G_N_ELEMENTS(lengths); i++) {
    g_autofree char *name = g_strdup_printf("cut-%u", i);
    g_autofree char *path = g_build_filename(s.folder, name, NULL);
    fixtures_write(s.folder, name, text, (gssize)lengths[i]);
    check_refused(path, "");
  }
  setup_clear(&s);
}
END_TEST

START_TEST(test_other_files_are_refused)
{
  Setup s;
  setup_init(&s, 10, FALSE);
  g_autofree char *absent = g_build_filename(s.folder, "absent", NULL);
  g_autofree char *text = g_build_filename(s.folder, "text", NULL);
  g_autofree char *model = g_build_filename(s.folder, "model", NULL);
  fixtures_write(s.folder, "text", "{\"step\": 3, \"search\": false}", -1);
  g_autofree char *description = vitgate__description_to_json(&s.description);
  g_autoptr(GHashTable) metadata = g_hash_table_new(g_str_hash, g_str_equal);
  g_hash_table_insert(metadata, "vitgate", description);
  ck_assert(vitgate__safetensors_write(model, NULL, 0, metadata, NULL));
  check_refused(absent, "no such file");
  check_refused(s.folder, "");
  check_refused(text, "");
  check_refused(model, "is not a checkpoint");
  setup_clear(&s);
}
END_TEST

/* Writes the setup's checkpoint again, with other metadata and without its last tensors. */
static void write_damaged(const Setup *s, const char *training, const char *description,
                          guint n_tensors)
{
  static const char *const names[] = { "values", "m", "v", "average" };
  Tensor tensors[N_ARRAYS];
  g_autoptr(GHashTable) metadata = g_hash_table_new(g_str_hash, g_str_equal);
  const gsize n = s->network->n_values;
  for (guint i = 0; i < N_ARRAYS; i++)
    tensors[i] = (Tensor){ .name = names[i],
                           .type = TENSOR_F32,
                           .n_dims = 1,
                           .shape = { n },
                           .data = array_of(s->optimizer, i),
                           .n_bytes = n * sizeof(float) };
  if (training)
    g_hash_table_insert(metadata, "training", (gpointer)training);
  if (description)
    g_hash_table_insert(metadata, "vitgate", (gpointer)description);
  ck_assert(vitgate__safetensors_write(s->path, tensors, n_tensors, metadata, NULL));
}

START_TEST(test_bad_metadata_is_refused)
{
  Setup s;
  setup_init(&s, 10, FALSE);
  g_autofree char *description = vitgate__description_to_json(&s.description);
  static const char *const trainings[] = {
    "", "step 3", "[3]", "3", "null", "{\"step\":", "{\"step\":1,\"step\":2}"
  };
  for (guint i = 0; i < G_N_ELEMENTS(trainings); i++) {
    write_damaged(&s, trainings[i], description, N_ARRAYS);
    check_refused(s.path, "");
  }
  static const char *const descriptions[] = { "", "{}", "[]", "{\"version\": 1}" };
  for (guint i = 0; i < G_N_ELEMENTS(descriptions); i++) {
    write_damaged(&s, "{\"step\": 1}", descriptions[i], N_ARRAYS);
    check_refused(s.path, "vitgate");
  }
  setup_clear(&s);
}
END_TEST

START_TEST(test_a_missing_description_is_refused)
{
  Setup s;
  setup_init(&s, 10, FALSE);
  write_damaged(&s, "{\"step\": 1}", NULL, N_ARRAYS);
  check_refused(s.path, "");
  setup_clear(&s);
}
END_TEST

/* Checks that @path is refused for the optimizer: the error names it, and the optimizer is
 * unchanged. */
static void check_unread(const char *path, Setup *into)
{
  GError *error = NULL;
  g_autoptr(Safetensors) file = vitgate__safetensors_open(path, &error);
  ck_assert_ptr_nonnull(file);
  g_autofree real *before[N_ARRAYS] = { NULL };
  const gsize n_bytes = into->network->n_values * sizeof(real);
  for (guint i = 0; i < N_ARRAYS; i++)
    before[i] = g_memdup2(array_of(into->optimizer, i), n_bytes);
  ck_assert(!checkpoint_read(file, into->optimizer, &error));
  ck_assert(g_error_matches(error, VITGATE_ERROR, VITGATE_ERROR_TENSOR));
  assert_error(error, path);
  g_clear_error(&error);
  ck_assert_uint_eq(into->optimizer->step, STEP);
  for (guint i = 0; i < N_ARRAYS; i++) {
    ck_assert_mem_eq(array_of(into->optimizer, i), before[i], n_bytes);
    g_free(g_steal_pointer(&before[i]));
  }
}

START_TEST(test_another_network_is_refused)
{
  Setup s, wider, searching;
  setup_init(&s, 10, FALSE);
  setup_init(&wider, 12, FALSE);
  setup_init(&searching, 10, TRUE);
  write_checkpoint(&s);
  check_unread(s.path, &wider);
  check_unread(s.path, &searching);
  write_checkpoint(&searching);
  check_unread(searching.path, &s);
  setup_clear(&s);
  setup_clear(&wider);
  setup_clear(&searching);
}
END_TEST

START_TEST(test_a_missing_tensor_changes_nothing)
{
  Setup s, other;
  setup_init(&s, 10, FALSE);
  setup_init(&other, 10, FALSE);
  fill(other.optimizer, 5);
  g_autofree char *description = vitgate__description_to_json(&s.description);
  write_damaged(&s, "{\"step\": 1}", description, (guint)_i);
  check_unread(s.path, &other);
  setup_clear(&s);
  setup_clear(&other);
}
END_TEST

/* ---- Failed writes ---- */

START_TEST(test_a_missing_folder_is_an_error)
{
  Setup s;
  g_autoptr(GError) error = NULL;
  g_autoptr(JsonObject) state = json_object_new();
  setup_init(&s, 10, FALSE);
  g_autofree char *path = g_build_filename(s.folder, "absent", "checkpoint", NULL);
  ck_assert(!checkpoint_write(path, s.optimizer, state, &error));
  ck_assert(g_error_matches(error, VITGATE_ERROR, VITGATE_ERROR_IO));
  assert_error(error, path);
  setup_clear(&s);
}
END_TEST

/* Exit statuses of the process with limited space. */
enum { REPORTED = 0, NOT_REPORTED = 1, WRITTEN = 2 };

static int write_within(const Setup *s, gsize space)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(JsonObject) state = json_object_new();
  const struct rlimit limit = { space, space };
  signal(SIGXFSZ, SIG_IGN);
  if (setrlimit(RLIMIT_FSIZE, &limit))
    return NOT_REPORTED;
  if (checkpoint_write(s->path, s->optimizer, state, &error))
    return WRITTEN;
  return g_error_matches(error, VITGATE_ERROR, VITGATE_ERROR_IO) && strstr(error->message, s->path)
             ? REPORTED
             : NOT_REPORTED;
}

static guint count_files(const char *folder)
{
  g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
  guint n = 0;
  while (g_dir_read_name(dir))
    n++;
  return n;
}

START_TEST(test_a_full_disk_keeps_the_old_checkpoint)
{
  Setup s;
  g_autofree char *before = NULL;
  gsize n, n_after;
  setup_init(&s, 10, FALSE);
  write_checkpoint(&s);
  ck_assert(g_file_get_contents(s.path, &before, &n, NULL));
  fill(s.optimizer, 78);
  const gsize spaces[] = { 0, 4, 100, n / 2, n - 100 };
  for (guint i = 0; i < G_N_ELEMENTS(spaces); i++) {
    g_autofree char *after = NULL;
    int status;
    const pid_t child = fork();
    if (!child)
      _exit(write_within(&s, spaces[i]));
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == REPORTED, "with %zu bytes: status %x",
                  spaces[i], (guint)status);
    ck_assert(g_file_get_contents(s.path, &after, &n_after, NULL));
    ck_assert_uint_eq(n_after, n);
    ck_assert_mem_eq(after, before, n);
    ck_assert_uint_eq(count_files(s.folder), 1); /* no partial file is left */
  }
  setup_clear(&s);
}
END_TEST

int main(void)
{
  TCase *tcase = tcase_create("checkpoints");
  tcase_add_loop_test(tcase, test_everything_is_restored_bit_for_bit, FALSE, TRUE + 1);
  tcase_add_test(tcase, test_a_dial_is_restored);
  tcase_add_test(tcase, test_a_new_checkpoint_replaces_the_old_one);
  tcase_add_test(tcase, test_a_truncated_file_is_refused);
  tcase_add_test(tcase, test_other_files_are_refused);
  tcase_add_test(tcase, test_bad_metadata_is_refused);
  tcase_add_test(tcase, test_another_network_is_refused);
  tcase_add_test(tcase, test_a_missing_folder_is_an_error);
  tcase_add_test(tcase, test_a_full_disk_keeps_the_old_checkpoint);
  tcase_add_test(tcase, test_a_missing_description_is_refused);
  tcase_add_loop_test(tcase, test_a_missing_tensor_changes_nothing, 0, N_ARRAYS);
  return fixtures_run(tcase, "checkpoint");
}
