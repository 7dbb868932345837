/* Files for tests: folders and archives that are removed at the end of the test. */
#pragma once

#include <check.h>
#include <glib.h>
#include <sys/resource.h>

/* Makes a folder for one test.
 * Returns: (transfer full): its path; free it with fixtures_remove() */
char *fixtures_folder(void);

/* Removes the folder and its contents, and frees the path. */
void fixtures_remove(char *folder);

/* Writes text, or @length bytes, to a file below @folder, and creates missing folders. */
void fixtures_write(const char *folder, const char *name, const char *text, gssize length);

/* Packs everything below @folder into the archive @path, as "./name", in any order.
 * @compress: with gzip */
void fixtures_pack(const char *folder, const char *path, gboolean compress);

/* Makes a picture of one colour.
 * @format: "png", "jpeg" or "bmp"
 * Returns: (transfer full) */
GBytes *fixtures_picture(const char *format, int width, int height, gboolean alpha, guint32 rgba);

/* Makes a picture without equal parts.
 * Returns: (transfer full) */
GBytes *fixtures_noise(const char *format, int width, int height);

/* Simulates a full disk: from now on, files cannot grow beyond @size. RLIM_INFINITY removes the
 * limit. */
void fixtures_limit_file_size(rlim_t size);

/* Runs a test case and returns the exit status for main(): 1 if a test failed. */
int fixtures_run(TCase *tests, const char *name);

/* Checks that @error is set and its message contains @part. */
#define assert_error(error, part)                                                                  \
  do {                                                                                             \
    ck_assert_ptr_nonnull(error);                                                                  \
    ck_assert_msg(strstr((error)->message, part), "\"%s\" is not in \"%s\"", part,                 \
                  (error)->message);                                                               \
  } while (0)
