/* Model files that other processes write to while they are loaded.
 *
 * pread() of the C library is replaced here, so that a test can act at a certain byte of a file. */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fixture.h"
#include "model-file.h"

/* What is done once, before the weights of a file are read for the first time. */
typedef struct {
  ino_t inode;
  off_t weights; /* the byte where they begin */
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

/* Other weights of the same size: some come from before, some from after. */
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

/* Writers that rename a complete file into place disturb nobody. */
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

int main(void)
{
  TCase *changing = tcase_create("changing");
  tcase_add_loop_test(changing, a_file_that_changes_while_it_is_loaded_is_an_error, 0,
                      G_N_ELEMENTS(changes));
  tcase_add_test(changing, a_file_that_is_replaced_while_it_is_loaded_is_read_to_its_end);
  return fixture_run("model-changes", changing, NULL);
}
