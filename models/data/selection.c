#include "data/selection.h"

#include "base/command-error.h"
#include "base/random.h"
#include "data/split.h"

static gboolean check_folders(const Dataset *dataset, const char *const *folders, GError **error)
{
  for (; folders && *folders; folders++)
    if (!g_ptr_array_find_with_equal_func(dataset->folders, *folders, g_str_equal, NULL)) {
      g_autofree char *name = g_filename_display_name(*folders);
      g_set_error(error, COMMAND_ERROR, COMMAND_ERROR_DATA,
                  "the photographs have no top folder \"%s\"", name);
      return FALSE;
    }
  return TRUE;
}

guint *selection_new(const Dataset *dataset, const char *const *folders, gboolean held_out,
                     gboolean shuffle, guint64 seed, guint *n, GError **error)
{
  if (!check_folders(dataset, folders, error))
    return NULL;
  g_autofree guint *chosen = g_new(guint, dataset->photographs->len);
  g_autofree guint8 *marks = g_new(guint8, dataset->photographs->len);
  split_mark(dataset, SPLIT_HELD_OUT, marks);
  *n = 0;
  for (guint i = 0; i < dataset->photographs->len; i++) {
    const char *folder = g_ptr_array_index(dataset->folders, dataset_get(dataset, i)->folder);
    if ((!folders || g_strv_contains(folders, folder)) && (!held_out || marks[i]))
      chosen[(*n)++] = i;
  }
  if (!*n) {
    g_set_error(error, COMMAND_ERROR, COMMAND_ERROR_DATA,
                "--held-out: compress holds out none of these photographs; more are needed");
    return NULL;
  }
  guint *order = g_new(guint, *n);
  for (guint i = 0; i < *n; i++)
    order[i] = chosen[shuffle ? random_permute(random_key(seed, 0, 0), *n, i) : i];
  return order;
}
