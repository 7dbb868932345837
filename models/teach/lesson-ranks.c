#include "teach/lesson-ranks.h"

#include "base/ranks.h"
#include "train/run/run-ranks.h"

gboolean lesson_agree_on_base(const char *path, gboolean fine, GError **error)
{
  if (ranks_count() == 1)
    return fine;
  if (!ranks_all_fine(fine, error))
    return FALSE;
  g_autoptr(GMappedFile) file = g_mapped_file_new(path, FALSE, error);
  return ranks_all_fine(file != NULL, error) &&
         ranks_check_same_data("contents of the model file", g_mapped_file_get_contents(file),
                               g_mapped_file_get_length(file), error) &&
         run_check_processors(error);
}

gboolean lesson_agree_on_pictures(const Pictures *pictures, GError **error)
{
  if (ranks_count() == 1)
    return pictures != NULL;
  if (!ranks_all_fine(pictures != NULL, error))
    return FALSE;
  g_autoptr(GString) list = g_string_new(NULL);
  for (guint i = 0; i < pictures->pictures->len; i++) {
    const Picture *picture = pictures_get(pictures, i);
    g_string_append(list, picture->path);
    for (guint k = 0; k < picture->classes->len; k++)
      g_string_append_printf(
          list, "\t%s", (char *)pictures->labels->pdata[g_array_index(picture->classes, guint, k)]);
    g_string_append_c(list, '\n');
  }
  return ranks_check_same("pictures", list->str, error);
}
