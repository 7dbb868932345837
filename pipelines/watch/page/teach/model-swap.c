#include "page/teach/model-swap.h"

#include <errno.h>

#include <glib/gstdio.h>

#include "page/teach/task.h"

static gboolean rename_file(const char *from, const char *to, GError **error)
{
  if (g_rename(from, to) == 0)
    return TRUE;
  const int code = errno;
  g_set_error(error, G_IO_ERROR, g_io_error_from_errno(code), "cannot rename %s: %s", from,
              g_strerror(code));
  return FALSE;
}

/* Copies a file completely, or not at all. */
static gboolean copy(const char *folder, const char *from, const char *to, GError **error)
{
  g_autofree char *source = g_build_filename(folder, from, NULL);
  g_autofree char *target = g_build_filename(folder, to, NULL);
  g_autofree char *part = g_strconcat(target, ".part", NULL);
  g_autoptr(GFile) in = g_file_new_for_path(source), out = g_file_new_for_path(part);
  g_autoptr(GError) reason = NULL;
  if (g_file_copy(in, out, G_FILE_COPY_OVERWRITE | G_FILE_COPY_TARGET_DEFAULT_PERMS, NULL, NULL,
                  NULL, &reason))
    return rename_file(part, target, error);
  g_unlink(part);
  g_set_error(error, G_IO_ERROR, reason->code, "cannot copy %s: %s", source, reason->message);
  return FALSE;
}

gboolean model_swap_use(const char *folder, gboolean keep, GError **error)
{
  g_autofree char *in_use = g_build_filename(folder, TASK_IN_USE, NULL);
  g_autofree char *before = g_build_filename(folder, TASK_BEFORE, NULL);
  if (!keep)
    g_unlink(before);
  else if (g_file_test(in_use, G_FILE_TEST_EXISTS) &&
           !copy(folder, TASK_IN_USE, TASK_BEFORE, error))
    return FALSE;
  return copy(folder, TASK_MODEL, TASK_IN_USE, error);
}

gboolean model_swap_undo(const char *folder, GError **error)
{
  g_autofree char *before = g_build_filename(folder, TASK_BEFORE, NULL);
  g_autofree char *in_use = g_build_filename(folder, TASK_IN_USE, NULL);
  return rename_file(before, in_use, error);
}
