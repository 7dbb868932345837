/* Model files that other processes change while they are loaded.
 *
 * These tests replace pread() of the C library, so that they can act at a given byte of a file. */
#include <fcntl.h>
#include <glib/gstdio.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "file/safetensors-write.h"
#include "fixture.h"
#include "model-file.h"

#define N_SHARDS 2

/* An action that runs once, right before the weights of a file are first read. */
typedef struct {
  ino_t inode;
  off_t weights; /* byte at which they begin */
  void (*act)(const char *path);
  const char *path;
} Hook;

static pthread_mutex_t hook_lock = PTHREAD_MUTEX_INITIALIZER;
static Hook hook;

static void run_hook(int fd, off_t offset)
{
  struct stat status;
  Hook taken = { 0 };
  pthread_mutex_lock(&hook_lock);
  if (hook.act && offset >= hook.weights && !fstat(fd, &status) && status.st_ino == hook.inode) {
    taken = hook;
    hook.act = NULL;
  }
  pthread_mutex_unlock(&hook_lock);
  if (taken.act)
    taken.act(taken.path);
}

__attribute__((visibility("default"))) ssize_t pread(int fd, void *bytes, size_t n, off_t offset)
{
  run_hook(fd, offset);
  return syscall(SYS_pread64, fd, bytes, n, offset);
}

static off_t weights_of(const char *path)
{
  g_autofree char *contents = NULL;
  guint64 header;
  ck_assert(g_file_get_contents(path, &contents, NULL, NULL));
  memcpy(&header, contents, sizeof header);
  return (off_t)(8 + GUINT64_FROM_LE(header));
}

static void set_hook(const char *path, void (*act)(const char *path))
{
  struct stat status;
  ck_assert_int_eq(stat(path, &status), 0);
  hook = (Hook){ status.st_ino, weights_of(path), act, path };
}

/* ---- Files that change ---- */

static void truncate_weights(const char *path)
{
  if (truncate(path, weights_of(path) + 16))
    abort();
}

static void empty(const char *path)
{
  if (truncate(path, 0))
    abort();
}

/* Overwrites the weights with others of the same size, so that a load would mix old and new ones.
 */
static void write_over(const char *path)
{
  g_autofree char *contents = NULL;
  gsize n;
  if (!g_file_get_contents(path, &contents, &n, NULL))
    abort();
  const off_t weights = weights_of(path);
  memset(contents + weights, 0, n - (gsize)weights);
  FILE *file = fopen(path, "r+");
  const struct timespec later[2] = { { 2000000000, 0 }, { 2000000000, 0 } };
  if (!file || fwrite(contents, 1, n, file) != n || fclose(file) ||
      utimensat(AT_FDCWD, path, later, 0))
    abort();
}

static const struct {
  void (*act)(const char *path);
  const char *message;
} changes[] = {
  { truncate_weights, "became shorter while it was being read" },
  { empty, "became shorter while it was being read" },
  { write_over, "was changed while it was being read" },
};

START_TEST(a_file_that_changes_while_it_is_loaded_is_an_error)
{
  static const VitgatePrecision precisions[] = { VITGATE_PRECISION_FLOAT32,
                                                 VITGATE_PRECISION_INT8 };
  for (guint i = 0; i < G_N_ELEMENTS(precisions); i++) {
    g_autoptr(GError) error = NULL;
    g_autoptr(ModelFile) file = model_file_read("small");
    g_autofree char *path = model_file_write(file, "model");
    set_hook(path, changes[_i].act);
    ck_assert_ptr_null(vitgate_model_open_with(path, precisions[i], &error));
    ck_assert(strstr(error->message, changes[_i].message));
    assert_error(error, VITGATE_ERROR_IO, path);
  }
}
END_TEST

/* Replaces the file by renaming. This does not affect those that have it open. */
static void replace(const char *path)
{
  g_autofree char *contents = NULL;
  gsize n;
  if (!g_file_get_contents(path, &contents, &n, NULL) ||
      !g_file_set_contents(path, contents, (gssize)n, NULL))
    abort();
}

START_TEST(a_file_that_is_replaced_while_it_is_loaded_is_read_to_its_end)
{
  g_autoptr(ModelFile) file = model_file_read("small");
  g_autofree char *path = model_file_write(file, "model");
  set_hook(path, replace);
  g_autoptr(VitgateModel) model = fixture_open_model(path);
  g_autoptr(VitgateModel) other = fixture_open_model(path);
  ck_assert_ptr_ne(model, other);
}
END_TEST

/* ---- Models of several files ---- */

/* Writes a part of a model's tensors to a separate file in the folder "sharded". */
static void write_shard(ModelFile *file, guint shard)
{
  g_autoptr(GError) error = NULL;
  g_autofree char *name = g_strdup_printf("sharded/%u", shard);
  g_autofree char *path = fixture_path(name);
  g_autoptr(GArray) tensors = g_array_new(FALSE, FALSE, sizeof(Tensor));
  for (guint i = shard; i < model_file_n_tensors(file); i += N_SHARDS)
    g_array_append_val(tensors, *model_file_tensor(file, i));
  const gboolean written = vitgate__safetensors_write(path, (const Tensor *)(gpointer)tensors->data,
                                                      tensors->len, NULL, &error);
  assert_success(written, error);
}

/* Writes all shards and their index.
 * Returns: (transfer full): the path of the index */
static char *write_sharded(ModelFile *file)
{
  g_autofree char *folder = fixture_path("sharded");
  g_autoptr(GString) index = g_string_new("{\"weight_map\":{");
  ck_assert_int_eq(g_mkdir_with_parents(folder, 0700), 0);
  for (guint i = 0; i < N_SHARDS; i++)
    write_shard(file, i);
  for (guint i = 0; i < model_file_n_tensors(file); i++)
    g_string_append_printf(index, "%s\"%s\":\"%u\"", i ? "," : "", model_file_tensor(file, i)->name,
                           i % N_SHARDS);
  g_string_append(index, "}}");
  return fixture_write("sharded/model.safetensors.index.json", index->str, index->len);
}

/* Writes a config.json whose labels all begin with @letter. */
static void write_config(const VitgateModelInfo *info, char letter)
{
  g_autoptr(GString) text = g_string_new("{\"label_names\":[");
  for (guint i = 0; i < info->n_classes; i++)
    g_string_append_printf(text, "%s\"%c%u\"", i ? "," : "", letter, i);
  g_string_append(text, "]}");
  g_free(fixture_write("sharded/config.json", text->str, text->len));
}

static void double_values(ModelFile *file, const char *name)
{
  const Tensor *tensor = model_file_find(file, name);
  for (gsize i = 0; i < vitgate__tensor_n_elements(tensor); i++)
    ((float *)tensor->data)[i] *= 2;
}

static double first_logit(VitgateModel *model)
{
  const gsize size = vitgate_model_get_info(model)->image_size;
  g_autofree float *tensor = fixture_tensors(1, 3 * size * size);
  g_autoptr(VitgateSession) session = fixture_session(model, 1, 1);
  return fixture_forward(session, tensor, 1)->logits[0];
}

START_TEST(a_model_of_shards_is_loaded_once)
{
  g_autoptr(ModelFile) file = model_file_read("timm");
  g_autofree char *path = write_sharded(file);
  g_autoptr(VitgateModel) model = fixture_open_model(path), again = fixture_open_model(path);
  ck_assert_ptr_eq(model, again);
  g_autoptr(VitgateModel) whole = fixture_model("timm");
  ck_assert(fabs(first_logit(model) - first_logit(whole)) < LOGIT_TOLERANCE);
}
END_TEST

START_TEST(replaced_shards_are_another_model)
{
  g_autoptr(ModelFile) file = model_file_read("timm");
  g_autofree char *path = write_sharded(file);
  g_autoptr(VitgateModel) before = fixture_open_model(path);
  double_values(file, "head.weight");
  double_values(file, "head.bias");
  for (guint i = 0; i < N_SHARDS; i++)
    write_shard(file, i);
  g_autoptr(VitgateModel) after = fixture_open_model(path), again = fixture_open_model(path);
  ck_assert_ptr_ne(before, after);
  ck_assert_ptr_eq(after, again);
  ck_assert(fabs(first_logit(after) - 2 * first_logit(before)) < LOGIT_TOLERANCE);
}
END_TEST

START_TEST(another_configuration_is_another_model)
{
  g_autoptr(ModelFile) file = model_file_read("timm");
  g_autofree char *path = write_sharded(file), *config = fixture_path("sharded/config.json");
  g_autoptr(VitgateModel) none = fixture_open_model(path);
  const VitgateModelInfo *info = vitgate_model_get_info(none);
  write_config(info, 'a');
  g_autoptr(VitgateModel) first = fixture_open_model(path), again = fixture_open_model(path);
  write_config(info, 'b');
  g_autoptr(VitgateModel) second = fixture_open_model(path);
  ck_assert_int_eq(g_remove(config), 0);
  g_autoptr(VitgateModel) last = fixture_open_model(path);
  ck_assert(!info->has_labels);
  ck_assert_str_eq(vitgate_model_get_info(first)->labels[0], "a0");
  ck_assert_str_eq(vitgate_model_get_info(second)->labels[0], "b0");
  ck_assert_ptr_eq(first, again);
  ck_assert_ptr_eq(none, last);
}
END_TEST

START_TEST(shards_that_do_not_belong_together_are_an_error)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(ModelFile) file = model_file_read("timm");
  g_autofree char *path = write_sharded(file), *shard = fixture_path("sharded/0");
  set_hook(shard, replace);
  ck_assert_ptr_null(vitgate_model_open(path, &error));
  ck_assert(strstr(error->message, "was replaced while it was being read"));
  assert_error(error, VITGATE_ERROR_IO, path);
}
END_TEST

/* ---- Slow files ---- */

/* The thread that loads the slow file stops in the middle, until the test lets it continue. */
static pthread_barrier_t reached, resume;

static void stop(const char *path)
{
  pthread_barrier_wait(&reached);
  pthread_barrier_wait(&resume);
}

static void *open_path(void *path)
{
  return vitgate_model_open(path, NULL);
}

/* Starts to load @path and stops in the middle.
 * Returns: the thread that loads it */
static pthread_t load_slowly(char *path)
{
  pthread_t thread;
  pthread_barrier_init(&reached, NULL, 2);
  pthread_barrier_init(&resume, NULL, 2);
  set_hook(path, stop);
  ck_assert_int_eq(pthread_create(&thread, NULL, open_path, path), 0);
  pthread_barrier_wait(&reached);
  return thread;
}

static VitgateModel *join(pthread_t thread)
{
  void *model;
  ck_assert_int_eq(pthread_join(thread, &model), 0);
  return model;
}

START_TEST(a_slow_load_does_not_block_other_models)
{
  g_autoptr(ModelFile) file = model_file_read("small");
  g_autofree char *slow = model_file_write(file, "slow"), *other = model_file_write(file, "other");
  VitgateModel *open = fixture_open_model(other);
  const pthread_t thread = load_slowly(slow);
  VitgateModel *more = vitgate_model_ref(open), *again = fixture_open_model(other);
  VitgateModel *another = fixture_model("odd");
  ck_assert_ptr_eq(again, open);
  vitgate_model_unref(&another);
  vitgate_model_unref(&again);
  vitgate_model_unref(&more);
  vitgate_model_unref(&open);
  pthread_barrier_wait(&resume);
  g_autoptr(VitgateModel) model = join(thread);
  ck_assert_ptr_nonnull(model);
  g_autoptr(VitgateModel) same = fixture_open_model(slow);
  ck_assert_ptr_eq(model, same);
}
END_TEST

START_TEST(opening_a_file_that_is_being_loaded_returns_that_model)
{
  g_autoptr(ModelFile) file = model_file_read("small");
  g_autofree char *path = model_file_write(file, "model");
  const pthread_t first = load_slowly(path);
  pthread_t others[4];
  for (guint i = 0; i < G_N_ELEMENTS(others); i++)
    ck_assert_int_eq(pthread_create(&others[i], NULL, open_path, path), 0);
  pthread_barrier_wait(&resume);
  g_autoptr(VitgateModel) model = join(first);
  ck_assert_ptr_nonnull(model);
  for (guint i = 0; i < G_N_ELEMENTS(others); i++) {
    g_autoptr(VitgateModel) other = join(others[i]);
    ck_assert_ptr_eq(other, model);
  }
}
END_TEST

/* "auto" means float32 here, so two loads of one file run at the same time. */
START_TEST(auto_and_the_precision_that_it_chooses_are_one_model)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(ModelFile) file = model_file_read("small");
  g_autofree char *path = model_file_write(file, "model");
  const pthread_t thread = load_slowly(path);
  g_autoptr(VitgateModel) model = vitgate_model_open_with(path, VITGATE_PRECISION_FLOAT32, &error);
  assert_success(model, error);
  pthread_barrier_wait(&resume);
  g_autoptr(VitgateModel) other = join(thread);
  ck_assert_ptr_eq(model, other);
}
END_TEST

START_TEST(threads_that_wait_for_a_load_that_fails_get_an_error)
{
  g_autoptr(ModelFile) file = model_file_read("small");
  g_autofree char *path = model_file_write(file, "model");
  const pthread_t first = load_slowly(path);
  pthread_t others[4];
  for (guint i = 0; i < G_N_ELEMENTS(others); i++)
    ck_assert_int_eq(pthread_create(&others[i], NULL, open_path, path), 0);
  truncate_weights(path);
  pthread_barrier_wait(&resume);
  ck_assert_ptr_null(join(first));
  for (guint i = 0; i < G_N_ELEMENTS(others); i++)
    ck_assert_ptr_null(join(others[i]));
}
END_TEST

int main(void)
{
  TCase *changing = tcase_create("changing"), *several = tcase_create("several files"),
        *slow = tcase_create("slow files");
  tcase_add_loop_test(changing, a_file_that_changes_while_it_is_loaded_is_an_error, 0,
                      G_N_ELEMENTS(changes));
  tcase_add_test(changing, a_file_that_is_replaced_while_it_is_loaded_is_read_to_its_end);
  tcase_add_test(several, a_model_of_shards_is_loaded_once);
  tcase_add_test(several, replaced_shards_are_another_model);
  tcase_add_test(several, another_configuration_is_another_model);
  tcase_add_test(several, shards_that_do_not_belong_together_are_an_error);
  tcase_set_timeout(slow, 30);
  tcase_add_test(slow, a_slow_load_does_not_block_other_models);
  tcase_add_test(slow, opening_a_file_that_is_being_loaded_returns_that_model);
  tcase_add_test(slow, auto_and_the_precision_that_it_chooses_are_one_model);
  tcase_add_test(slow, threads_that_wait_for_a_load_that_fails_get_an_error);
  return fixture_run("model-changes", changing, several, slow, NULL);
}
