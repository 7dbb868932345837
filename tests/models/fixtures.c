#include "fixtures.h"

#include <archive.h>
#include <archive_entry.h>
#include <gdk-pixbuf/gdk-pixbuf.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>

char *fixtures_folder(void)
{
  char *folder = g_dir_make_tmp("vitgate-test-XXXXXX", NULL);
  ck_assert_ptr_nonnull(folder);
  return folder;
}

static void remove_all(const char *path)
{
  g_autoptr(GDir) dir =
      g_file_test(path, G_FILE_TEST_IS_SYMLINK) ? NULL : g_dir_open(path, 0, NULL);
  const char *name;
  while (dir && (name = g_dir_read_name(dir))) {
    g_autofree char *below = g_build_filename(path, name, NULL);
    remove_all(below);
  }
  g_remove(path);
}

void fixtures_remove(char *folder)
{
  remove_all(folder);
  g_free(folder);
}

void fixtures_write(const char *folder, const char *name, const char *text, gssize length)
{
  g_autofree char *path = g_build_filename(folder, name, NULL);
  g_autofree char *parent = g_path_get_dirname(path);
  ck_assert_int_eq(g_mkdir_with_parents(parent, 0700), 0);
  ck_assert(g_file_set_contents(path, text, length, NULL));
}

static void pack_folder(struct archive *archive, const char *root, const char *below)
{
  g_autofree char *folder = g_build_filename(root, below, NULL);
  g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
  const char *name;
  while ((name = g_dir_read_name(dir))) {
    g_autofree char *inner = g_strconcat(below, "/", name, NULL);
    g_autofree char *path = g_build_filename(root, inner, NULL);
    if (g_file_test(path, G_FILE_TEST_IS_DIR)) {
      pack_folder(archive, root, inner);
      continue;
    }
    g_autofree char *text = NULL;
    gsize length;
    ck_assert(g_file_get_contents(path, &text, &length, NULL));
    struct archive_entry *entry = archive_entry_new();
    archive_entry_set_pathname(entry, inner);
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_perm(entry, 0600);
    archive_entry_set_size(entry, (la_int64_t)length);
    ck_assert_int_eq(archive_write_header(archive, entry), ARCHIVE_OK);
    ck_assert_int_eq(archive_write_data(archive, text, length), length);
    archive_entry_free(entry);
  }
}

void fixtures_pack(const char *folder, const char *path, gboolean compress)
{
  struct archive *archive = archive_write_new();
  archive_write_set_format_pax_restricted(archive);
  if (compress)
    archive_write_add_filter_gzip(archive);
  ck_assert_int_eq(archive_write_open_filename(archive, path), ARCHIVE_OK);
  pack_folder(archive, folder, ".");
  ck_assert_int_eq(archive_write_free(archive), ARCHIVE_OK);
}

GBytes *fixtures_picture(const char *format, int width, int height, gboolean alpha, guint32 rgba)
{
  g_autoptr(GdkPixbuf) pixels = gdk_pixbuf_new(GDK_COLORSPACE_RGB, alpha, 8, width, height);
  char *bytes;
  gsize n_bytes;
  gdk_pixbuf_fill(pixels, rgba);
  ck_assert(gdk_pixbuf_save_to_buffer(pixels, &bytes, &n_bytes, format, NULL, NULL));
  return g_bytes_new_take(bytes, n_bytes);
}

GBytes *fixtures_noise(const char *format, int width, int height)
{
  g_autoptr(GdkPixbuf) pixels = gdk_pixbuf_new(GDK_COLORSPACE_RGB, FALSE, 8, width, height);
  g_autoptr(GRand) random = g_rand_new_with_seed(1);
  guint8 *bytes = gdk_pixbuf_get_pixels(pixels);
  for (gsize i = 0; i < gdk_pixbuf_get_byte_length(pixels); i++)
    bytes[i] = (guint8)g_rand_int_range(random, 0, 256);
  char *file;
  gsize n_bytes;
  ck_assert(gdk_pixbuf_save_to_buffer(pixels, &file, &n_bytes, format, NULL, NULL));
  return g_bytes_new_take(file, n_bytes);
}

void fixtures_limit_file_size(rlim_t size)
{
  const struct rlimit limit = { .rlim_cur = size, .rlim_max = RLIM_INFINITY };
  signal(SIGXFSZ, SIG_IGN);
  ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

int fixtures_run(TCase *tests, const char *name)
{
  Suite *suite = suite_create(name);
  suite_add_tcase(suite, tests);
  SRunner *runner = srunner_create(suite);
  srunner_run_all(runner, CK_NORMAL);
  int n_failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return n_failed ? 1 : 0;
}
