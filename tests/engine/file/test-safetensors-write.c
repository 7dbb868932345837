/* Written model files are complete or absent, and have the same bytes every time. */
#include <glib/gstdio.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "file/safetensors-write.h"
#include "fixture.h"

static const float floats[] = { 0.5f, -1.25f, 3e38f, 0, 1, 2 };
static const guint16 halves[] = { 0x3c00, 0x7bff, 1, 0x8000, 0x1234 };
static const guint8 bytes[] = { 1, 2, 255 };

/* Narrow types before wide ones, a number, and a tensor without elements. */
static const Tensor tensors[] = {
  { .name = "bytes", .type = TENSOR_U8, .n_dims = 1, .shape = { 3 }, .data = bytes, .n_bytes = 3 },
  { .name = "halves",
    .type = TENSOR_F16,
    .n_dims = 1,
    .shape = { 5 },
    .data = halves,
    .n_bytes = 10 },
  { .name = "floats",
    .type = TENSOR_F32,
    .n_dims = 2,
    .shape = { 2, 3 },
    .data = floats,
    .n_bytes = 24 },
  { .name = "number", .type = TENSOR_F32, .data = floats, .n_bytes = 4 },
  { .name = "none", .type = TENSOR_BF16, .n_dims = 2, .shape = { 0, 7 }, .data = halves },
  { .name = "signed",
    .type = TENSOR_I8,
    .n_dims = 3,
    .shape = { 1, 1, 1 },
    .data = bytes,
    .n_bytes = 1 },
  { .name = "quote \" slash \\ line\n \xc3\xa9",
    .type = TENSOR_BF16,
    .n_dims = 1,
    .shape = { 2 },
    .data = halves,
    .n_bytes = 4 },
};

static const char *const metadata[][2] = {
  { "vitgate", "{\"version\": 1, \"name\": \"quoted \\\"text\\\"\", \"list\": [[], {}]}" },
  { "format", "pt" },
  { "empty", "" },
  { "\xc3\xa9t\xc3\xa9 \"\\", "line\nline\ttab \xe2\x82\xac \x01" },
};

static GHashTable *new_metadata(void)
{
  GHashTable *table = g_hash_table_new(g_str_hash, g_str_equal);
  for (guint i = 0; i < G_N_ELEMENTS(metadata); i++)
    g_hash_table_insert(table, (char *)metadata[i][0], (char *)metadata[i][1]);
  return table;
}

static void write_file(const char *path)
{
  g_autoptr(GHashTable) table = new_metadata();
  g_autoptr(GError) error = NULL;
  gboolean written =
      vitgate__safetensors_write(path, tensors, G_N_ELEMENTS(tensors), table, &error);
  assert_success(written, error);
}

static void refuse(const char *path, const char *part)
{
  g_autoptr(GError) error = NULL;
  ck_assert(!vitgate__safetensors_write(path, tensors, G_N_ELEMENTS(tensors), NULL, &error));
  assert_error(error, VITGATE_ERROR_IO, part);
  ck_assert(!vitgate__safetensors_write(path, tensors, G_N_ELEMENTS(tensors), NULL, NULL));
}

static char *read_file(const char *path, gsize *n)
{
  char *contents = NULL;
  ck_assert(g_file_get_contents(path, &contents, n, NULL));
  return contents;
}

START_TEST(written_files_can_be_read)
{
  g_autofree char *path = fixture_path("written");
  g_autoptr(GError) error = NULL;
  write_file(path);
  g_autoptr(Safetensors) file = vitgate__safetensors_open(path, &error);
  assert_success(file, error);
  fixture_read_tensors(file);
  guint n;
  vitgate__safetensors_list(file, &n);
  ck_assert_uint_eq(n, G_N_ELEMENTS(tensors));
  for (guint i = 0; i < n; i++) {
    const Tensor *expected = &tensors[i];
    const Tensor *found = vitgate__safetensors_find(file, expected->name);
    ck_assert_msg(found != NULL, "'%s' is missing", expected->name);
    ck_assert_int_eq(found->type, expected->type);
    ck_assert_uint_eq(found->n_dims, expected->n_dims);
    ck_assert_mem_eq(found->shape, expected->shape, expected->n_dims * sizeof *expected->shape);
    ck_assert_uint_eq(found->n_bytes, expected->n_bytes);
    ck_assert_mem_eq(found->data, expected->data, expected->n_bytes);
  }
  for (guint i = 0; i < G_N_ELEMENTS(metadata); i++)
    ck_assert_str_eq(vitgate__safetensors_get_metadata(file, metadata[i][0]), metadata[i][1]);
}
END_TEST

START_TEST(the_data_is_aligned)
{
  g_autofree char *path = fixture_path("aligned");
  write_file(path);
  gsize n;
  g_autofree char *contents = read_file(path, &n);
  guint64 header;
  memcpy(&header, contents, 8);
  ck_assert_uint_eq(GUINT64_FROM_LE(header) % 8, 0);
  ck_assert_uint_eq(n, 8 + GUINT64_FROM_LE(header) + 46);
  ck_assert_int_eq(contents[8], '{');
}
END_TEST

START_TEST(a_file_without_tensors_can_be_written)
{
  g_autofree char *path = fixture_path("nothing");
  g_autoptr(GError) error = NULL;
  g_autoptr(GHashTable) empty = g_hash_table_new(g_str_hash, g_str_equal);
  ck_assert(vitgate__safetensors_write(path, NULL, 0, empty, &error));
  g_autoptr(Safetensors) file = vitgate__safetensors_open(path, &error);
  assert_success(file, error);
}
END_TEST

START_TEST(the_same_contents_give_the_same_bytes)
{
  g_autofree char *first = fixture_path("first"), *second = fixture_path("second");
  write_file(first);
  write_file(second);
  gsize n_first, n_second;
  g_autofree char *one = read_file(first, &n_first), *other = read_file(second, &n_second);
  ck_assert_uint_eq(n_first, n_second);
  ck_assert_mem_eq(one, other, n_first);
  /* The order of a hash table would differ between machines. */
  static const char *const keys[] = { "\"empty\"", "\"format\"", "\"vitgate\"" };
  const char *place = one + 8;
  for (guint i = 0; i < G_N_ELEMENTS(keys); i++) {
    place = g_strstr_len(place, one + n_first - place, keys[i]);
    ck_assert_msg(place != NULL, "%s is not in alphabetical order", keys[i]);
  }
}
END_TEST

START_TEST(a_file_is_replaced)
{
  g_autofree char *path = fixture_write("old", "old contents", 12);
  g_autoptr(GError) error = NULL;
  write_file(path);
  g_autoptr(Safetensors) file = vitgate__safetensors_open(path, &error);
  assert_success(file, error);
  /* An open file keeps its old contents, so a model in use may be overwritten. */
  write_file(path);
  fixture_read_tensors(file);
  ck_assert_mem_eq(vitgate__safetensors_find(file, "floats")->data, floats, sizeof floats);
}
END_TEST

START_TEST(the_error_names_the_path)
{
  g_autofree char *absent = fixture_path("absent/file"), *folder = fixture_path("folder");
  g_autofree char *file = fixture_write("file", "contents", 8);
  g_autofree char *below = g_build_filename(file, "below", NULL);
  ck_assert_int_eq(g_mkdir(folder, 0700), 0);
  refuse(absent, absent);
  refuse(folder, folder);
  refuse(below, below);
}
END_TEST

/* A limit on the size of files simulates a full disk. */
START_TEST(a_failure_leaves_the_old_file)
{
  enum { LARGE = 1 << 20 };
  g_autofree char *folder = fixture_path("full");
  g_autofree char *path = g_build_filename(folder, "model", NULL);
  g_autofree guint8 *data = g_malloc0(LARGE);
  const Tensor large = { .name = "large",
                         .type = TENSOR_U8,
                         .n_dims = 1,
                         .shape = { LARGE },
                         .data = data,
                         .n_bytes = LARGE };
  g_autoptr(GError) error = NULL;
  ck_assert_int_eq(g_mkdir(folder, 0700), 0);
  write_file(path);
  gsize n_before, n_after;
  g_autofree char *before = read_file(path, &n_before);

  signal(SIGXFSZ, SIG_IGN);
  const struct rlimit limit = { 65536, 65536 };
  ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
  ck_assert(!vitgate__safetensors_write(path, &large, 1, NULL, &error));
  assert_error(error, VITGATE_ERROR_IO, path);

  g_autofree char *after = read_file(path, &n_after);
  ck_assert_uint_eq(n_before, n_after);
  ck_assert_mem_eq(before, after, n_before);
  g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
  ck_assert_str_eq(g_dir_read_name(dir), "model");
  ck_assert_msg(!g_dir_read_name(dir), "an incomplete file is left behind");
}
END_TEST

int main(void)
{
  TCase *writing = tcase_create("writing");
  tcase_add_test(writing, written_files_can_be_read);
  tcase_add_test(writing, the_data_is_aligned);
  tcase_add_test(writing, a_file_without_tensors_can_be_written);
  tcase_add_test(writing, the_same_contents_give_the_same_bytes);
  tcase_add_test(writing, a_file_is_replaced);
  tcase_add_test(writing, the_error_names_the_path);
  tcase_add_test(writing, a_failure_leaves_the_old_file);
  return fixture_run("safetensors-write", writing, NULL);
}
