#include "page/teach/look-group.h"

#include <string.h>

static const char whole_frame[] = "whole-frame=true";

/* Returns: (transfer full): the group with its keys, escaped as in a key file */
static char *write_group(const LookGroup *look)
{
  g_autoptr(GKeyFile) file = g_key_file_new();
  g_autofree char *group = g_strconcat("look ", look->name, NULL);
  g_key_file_set_string(file, group, "camera", look->camera);
  g_key_file_set_string(file, group, "region", look->region);
  g_key_file_set_string(file, group, "model", look->model);
  g_key_file_set_boolean(file, group, "state", TRUE);
  return g_key_file_to_data(file, NULL, NULL);
}

/* Returns: (transfer full): the line without its indentation and its end */
static char *strip(const char *line)
{
  return g_strstrip(g_strdup(line));
}

static gboolean is_header(const char *line, const char *kind, const char *name)
{
  g_autofree char *stripped = strip(line), *header = g_strdup_printf("[%s %s]", kind, name);
  return strcmp(stripped, header) == 0;
}

char *look_group_add(const char *text, const LookGroup *look)
{
  g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
  g_autofree char *group = write_group(look);
  GString *all = g_string_new(NULL);
  for (guint i = 0; lines[i]; i++) {
    const gboolean camera = look->keep_whole && is_header(lines[i], "camera", look->camera);
    if (lines[i + 1] || *lines[i])
      g_string_append_printf(all, "%s\n", lines[i]);
    if (camera)
      g_string_append_printf(all, "%s\n", whole_frame);
  }
  g_string_append_printf(all, "\n%s", group);
  return g_string_free(all, FALSE);
}

char *look_group_remove(const char *text, const LookGroup *look)
{
  g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
  GString *all = g_string_new(NULL);
  gboolean in_look = FALSE, in_camera = FALSE;
  for (guint i = 0; lines[i]; i++) {
    g_autofree char *stripped = strip(lines[i]);
    gboolean gone = FALSE;
    if (*stripped == '[') {
      gone = in_look = is_header(lines[i], "look", look->name);
      in_camera = is_header(lines[i], "camera", look->camera);
    } else if (in_look) {
      /* A comment may belong to the next group. */
      gone = *stripped && *stripped != '#';
    } else if (in_camera && look->keep_whole && !strcmp(stripped, whole_frame)) {
      gone = TRUE;
    }
    /* So does the empty line before the group. */
    if (gone && *stripped == '[' && g_str_has_suffix(all->str, "\n\n"))
      g_string_truncate(all, all->len - 1);
    if (!gone && (lines[i + 1] || *lines[i]))
      g_string_append_printf(all, "%s\n", lines[i]);
  }
  return g_string_free(all, FALSE);
}
