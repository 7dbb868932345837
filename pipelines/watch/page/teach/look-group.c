#include "page/teach/look-group.h"

#include <string.h>

#include "config/key-edit.h"

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

static gboolean is_header(const char *line, const char *name)
{
  g_autofree char *stripped = strip(line), *header = g_strdup_printf("[look %s]", name);
  return strcmp(stripped, header) == 0;
}

/* @value: (nullable): NULL removes the key
 * Returns: (transfer full): the text with the camera's key */
static char *set_whole(const char *text, const LookGroup *look, const char *value)
{
  g_autofree char *group = g_strconcat("camera ", look->camera, NULL);
  char *changed = look->keep_whole ? key_edit(text, group, "whole-frame", value) : NULL;
  return changed ? changed : g_strdup(text);
}

char *look_group_add(const char *text, const LookGroup *look)
{
  g_autofree char *changed = set_whole(text, look, "true"), *group = write_group(look);
  const gboolean ended = g_str_has_suffix(changed, "\n");
  return g_strconcat(changed, ended ? "\n" : "\n\n", group, NULL);
}

char *look_group_remove(const char *text, const LookGroup *look)
{
  g_autofree char *changed = set_whole(text, look, NULL);
  g_auto(GStrv) lines = g_strsplit(changed, "\n", -1);
  GString *all = g_string_new(NULL);
  gboolean in_look = FALSE;
  for (guint i = 0; lines[i]; i++) {
    g_autofree char *stripped = strip(lines[i]);
    gboolean gone = FALSE;
    if (*stripped == '[')
      gone = in_look = is_header(lines[i], look->name);
    else if (in_look)
      /* A comment may belong to the next group. */
      gone = *stripped && *stripped != '#';
    /* The empty line before the group came with it. */
    if (gone && *stripped == '[' && g_str_has_suffix(all->str, "\n\n"))
      g_string_truncate(all, all->len - 1);
    if (!gone && (lines[i + 1] || *lines[i]))
      g_string_append_printf(all, "%s\n", lines[i]);
  }
  return g_string_free(all, FALSE);
}
