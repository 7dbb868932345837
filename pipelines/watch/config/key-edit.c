#include "config/key-edit.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "config/config-key.h"

/* Returns: the end of the line, after its newline */
static const char *end_of_line(const char *line)
{
  const char *newline = strchr(line, '\n');
  return newline ? newline + 1 : line + strlen(line);
}

static const char *skip_spaces(const char *at)
{
  while (*at == ' ' || *at == '\t')
    at++;
  return at;
}

static gboolean is_group(const char *line)
{
  return *skip_spaces(line) == '[';
}

static gboolean is_named(const char *line, const char *group)
{
  const char *start = skip_spaces(line);
  const gsize length = strlen(group);
  return *start == '[' && !strncmp(start + 1, group, length) && start[1 + length] == ']';
}

static gboolean has_key(const char *line, const char *key)
{
  const char *start = skip_spaces(line);
  const gsize length = strlen(key);
  return !strncmp(start, key, length) && *skip_spaces(start + length) == '=';
}

static gboolean is_blank(const char *line)
{
  return strchr("\r\n", *skip_spaces(line)) != NULL; /* also at the end */
}

/* Finds a key.
 * @insert: (out): where the key would be added: after the last line of the group
 * Returns: (nullable): its line; NULL if the group does not have it */
static const char *find_key(const char *text, const char *group, const char *key,
                            const char **insert)
{
  const char *line = text_after_mark(text);
  *insert = NULL;
  while (*line && !is_named(line, group))
    line = end_of_line(line);
  if (!*line)
    return NULL;
  *insert = end_of_line(line);
  for (line = *insert; *line && !is_group(line); line = end_of_line(line)) {
    if (has_key(line, key))
      return line;
    /* A comment before the next group may be about that. */
    if (!is_blank(line) && *skip_spaces(line) != '#')
      *insert = end_of_line(line);
  }
  return NULL;
}

gboolean key_edit_has(const char *text, const char *group, const char *key)
{
  const char *insert;
  return find_key(text, group, key, &insert) != NULL;
}

char *key_edit(const char *text, const char *group, const char *key, const char *value)
{
  const char *insert, *line = find_key(text, group, key, &insert);
  const char *newline = strstr(text, "\r\n") ? "\r\n" : "\n";
  if (!insert)
    return NULL;
  if (!line && !value)
    return g_strdup(text);
  const char *start = line ? line : insert, *rest = line ? end_of_line(line) : insert;
  GString *edited = g_string_new_len(text, start - text);
  if (value) {
    if (edited->len && edited->str[edited->len - 1] != '\n')
      g_string_append(edited, newline);
    g_string_append_printf(edited, "%s=%s%s", key, value, newline);
  }
  g_string_append(edited, rest);
  return g_string_free(edited, FALSE);
}

gboolean key_edit_write(const char *path, const char *text, GError **error)
{
  struct stat status = { .st_mode = 0644 };
  char *real = realpath(path, NULL);
  const char *file = real ? real : path;
  stat(file, &status);
  const gboolean written = g_file_set_contents_full(
      file, text, -1, G_FILE_SET_CONTENTS_CONSISTENT | G_FILE_SET_CONTENTS_DURABLE,
      (int)(status.st_mode & 07777), error);
  free(real);
  return written;
}
