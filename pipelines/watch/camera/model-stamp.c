#include "camera/model-stamp.h"

#include <string.h>
#include <sys/stat.h>

static char *stamp_file(const char *path)
{
  struct stat status;
  if (stat(path, &status) < 0)
    return g_strdup_printf("%s: none\n", path);
  return g_strdup_printf("%s: %lu:%lu %ld %ld.%09ld\n", path, (unsigned long)status.st_dev,
                         (unsigned long)status.st_ino, (long)status.st_size,
                         (long)status.st_mtim.tv_sec, status.st_mtim.tv_nsec);
}

static int compare(gconstpointer a, gconstpointer b)
{
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

char *model_stamp_new(const char *model, const char *labels)
{
  g_autoptr(GPtrArray) stamps = g_ptr_array_new_with_free_func(g_free);
  g_autofree char *folder =
      g_file_test(model, G_FILE_TEST_IS_DIR) ? g_strdup(model) : g_path_get_dirname(model);
  g_autoptr(GDir) files = g_dir_open(folder, 0, NULL);
  const char *name;
  g_ptr_array_add(stamps, stamp_file(model));
  if (labels)
    g_ptr_array_add(stamps, stamp_file(labels));
  while (files && (name = g_dir_read_name(files))) {
    g_autofree char *path = g_build_filename(folder, name, NULL);
    if (g_str_has_suffix(name, ".json") || g_str_has_suffix(name, ".safetensors"))
      g_ptr_array_add(stamps, stamp_file(path));
  }
  g_ptr_array_sort(stamps, compare);
  g_ptr_array_add(stamps, NULL);
  return g_strjoinv("", (char **)stamps->pdata);
}
