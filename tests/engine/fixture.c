#include "fixture.h"

#include <gio/gio.h>
#include <glib/gstdio.h>
#include <stdarg.h>
#include <stdlib.h>

static char *folder;

static void remove_tree(const char *path)
{
  g_autoptr(GDir) dir =
      g_file_test(path, G_FILE_TEST_IS_SYMLINK) ? NULL : g_dir_open(path, 0, NULL);
  for (const char *name; dir && (name = g_dir_read_name(dir));) {
    g_autofree char *child = g_build_filename(path, name, NULL);
    remove_tree(child);
  }
  g_remove(path);
}

int fixture_run(const char *name, TCase *first, ...)
{
  Suite *suite = suite_create(name);
  va_list cases;
  va_start(cases, first);
  for (TCase *next = first; next; next = va_arg(cases, TCase *))
    suite_add_tcase(suite, next);
  va_end(cases);
  folder = g_dir_make_tmp("vitgate-test-XXXXXX", NULL);
  if (!folder)
    return EXIT_FAILURE;
  SRunner *runner = srunner_create(suite);
  srunner_run_all(runner, CK_ENV);
  int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  remove_tree(folder);
  g_clear_pointer(&folder, g_free);
  return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

char *fixture_path(const char *name)
{
  return g_build_filename(folder, name, NULL);
}

char *fixture_write(const char *name, gconstpointer data, gsize n_bytes)
{
  char *path = fixture_path(name);
  ck_assert(g_file_set_contents(path, data, (gssize)n_bytes, NULL));
  return path;
}

char *fixture_golden(const char *prefix, const char *name)
{
  const char *goldens = g_getenv("VITGATE_GOLDENS");
  ck_assert_msg(goldens != NULL, "VITGATE_GOLDENS is not set");
  g_autofree char *file = g_strdup_printf("%s-%s.safetensors", prefix, name);
  return g_build_filename(goldens, file, NULL);
}

void fixture_read_tensors(Safetensors *file)
{
  g_autoptr(GError) error = NULL;
  guint n;
  const Tensor *tensors = vitgate__safetensors_list(file, &n);
  g_autoptr(GArray) read = g_array_new(FALSE, FALSE, sizeof(Tensor));
  g_array_append_vals(read, tensors, n);
  for (guint i = 0; i < n; i++) {
    Tensor *tensor = &g_array_index(read, Tensor, i);
    gpointer data = vitgate__safetensors_allocate(file, tensor->name, tensor->n_bytes, &error);
    assert_success(data && vitgate__tensor_copy(data, tensor, &error), error);
    tensor->data = data;
  }
  assert_success(vitgate__safetensors_replace(file, read, &error), error);
}

Safetensors *fixture_open_golden(const char *prefix, const char *name)
{
  g_autoptr(GError) error = NULL;
  g_autofree char *path = fixture_golden(prefix, name);
  Safetensors *file = vitgate__safetensors_open(path, &error);
  assert_success(file, error);
  fixture_read_tensors(file);
  return file;
}

VitgateModel *fixture_open_model(const char *path)
{
  g_autoptr(GError) error = NULL;
  VitgateModel *model = vitgate_model_open(path, &error);
  assert_success(model, error);
  return model;
}

VitgateModel *fixture_model(const char *name)
{
  g_autofree char *path = fixture_golden("model", name);
  return fixture_open_model(path);
}

VitgateSession *fixture_session(VitgateModel *model, guint threads, guint max_batch)
{
  const VitgateSessionOptions options = { .threads = threads, .max_batch = max_batch };
  return fixture_session_with(model, &options);
}

VitgateSession *fixture_session_with(VitgateModel *model, const VitgateSessionOptions *options)
{
  g_autoptr(GError) error = NULL;
  VitgateSession *session = vitgate_session_new(model, options, &error);
  assert_success(session, error);
  return session;
}

const VitgateResult *fixture_forward(VitgateSession *session, const float *tensors, guint n)
{
  g_autoptr(GError) error = NULL;
  const VitgateResult *results = vitgate_session_forward(session, tensors, n, &error);
  assert_success(results, error);
  return results;
}

guint32 fixture_random(guint32 *state)
{
  *state ^= *state << 13;
  *state ^= *state >> 17;
  *state ^= *state << 5;
  return *state;
}

float fixture_uniform(guint32 *state, float low, float high)
{
  return low + (high - low) * ((float)(fixture_random(state) >> 8) / 0x1p24f);
}

void fixture_fill(float *values, gsize n, float low, float high, guint32 *state)
{
  for (gsize i = 0; i < n; i++)
    values[i] = fixture_uniform(state, low, high);
}

float *fixture_tensors(guint32 seed, gsize n)
{
  float *tensors = g_new(float, n);
  fixture_fill(tensors, n, -2, 2, &seed);
  return tensors;
}
