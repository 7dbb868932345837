/* Files for the tests: folders and archives that end with the test. */
#pragma once

#include <check.h>
#include <glib.h>
#include <sys/resource.h>

/* Makes a folder for one test.
 * Returns: (transfer full): its path, for fixtures_remove() */
char *fixtures_folder(void);

/* Removes the folder with all that is in it, and frees the path. */
void fixtures_remove(char *folder);

/* Writes text, or @length bytes, to a file below @folder, making the folders between. */
void fixtures_write(const char *folder, const char *name, const char *text, gssize length);

/* Packs everything below @folder, in whatever order, as "./name", into @path.
 * @compress: with gzip */
void fixtures_pack(const char *folder, const char *path, gboolean compress);

/* A picture of one colour.
 * @format: "png", "jpeg" or "bmp"
 * Returns: (transfer full) */
GBytes *fixtures_picture(const char *format, int width, int height, gboolean alpha, guint32 rgba);

/* A picture in which no two parts are alike.
 * Returns: (transfer full) */
GBytes *fixtures_noise(const char *format, int width, int height);

/* Stands for a full disk: files cannot grow beyond @size from now on; RLIM_INFINITY: as before. */
void fixtures_limit_file_size(rlim_t size);

/* Runs one case and returns the number of failures, as main() does. */
int fixtures_run(TCase *tests, const char *name);

/* @error is set, and its message holds @part. */
#define assert_error(error, part)                                                                  \
  do {                                                                                             \
    ck_assert_ptr_nonnull(error);                                                                  \
    ck_assert_msg(strstr((error)->message, part), "\"%s\" is not in \"%s\"", part,                 \
                  (error)->message);                                                               \
  } while (0)
