#include "config/config-key.h"

#include <string.h>

#include "base/secrets.h"

/* Returns: (transfer full): the name of the group that a line starts, or NULL */
static char *group_of_line(const char *line)
{
  const char *end = strrchr(line, ']');
  return *line == '[' && end ? g_strndup(line + 1, (gsize)(end - line - 1)) : NULL;
}

/* Returns: (transfer full): the key of a line, or NULL */
static char *key_of_line(const char *line)
{
  const char *equals = strchr(line, '=');
  return *line != '#' && equals ? g_strchomp(g_strndup(line, (gsize)(equals - line))) : NULL;
}

/* Returns: the line of @group or of its @key, from 1; 0 if the text is not there or has none */
static guint find_line(const KeySource *source, const char *group, const char *key)
{
  g_auto(GStrv) lines = source->text ? g_strsplit(source->text, "\n", -1) : NULL;
  gboolean inside = FALSE;
  guint found = 0;
  for (guint i = 0; lines && lines[i]; i++) {
    g_autofree char *name = group_of_line(g_strchug(lines[i])), *own = key_of_line(lines[i]);
    if (name)
      inside = !strcmp(name, group);
    if (inside && (name || (key && own && !strcmp(own, key))))
      found = i + 1;
  }
  return found;
}

gboolean key_fail(const KeySource *source, const char *group, const char *key, GError **error,
                  const char *format, ...)
{
  va_list args;
  va_start(args, format);
  g_autofree char *reason = g_strdup_vprintf(format, args);
  va_end(args);
  /* A reason may have the line itself. */
  const guint line = g_str_has_prefix(reason, "line ") ? 0 : find_line(source, group, key);
  g_autofree char *place = line ? g_strdup_printf("line %u: ", line) : g_strdup("");
  g_autofree char *message = g_strdup_printf("%s: %s[%s]%s%s: %s", source->path, place, group,
                                             key ? " " : "", key ? key : "", reason);
  g_autofree char *hidden = secrets_hide(message);
  g_set_error_literal(error, G_KEY_FILE_ERROR, G_KEY_FILE_ERROR_INVALID_VALUE, hidden);
  return FALSE;
}

const char *text_after_mark(const char *text)
{
  static const char mark[] = "\357\273\277";
  return g_str_has_prefix(text, mark) ? text + strlen(mark) : text;
}

/* ---- One value ----------------------------------------------------------------------------- */

static gboolean parse_number(const char *text, double *number)
{
  char *end;
  *number = g_ascii_strtod(text, &end);
  return end != text && !*end && *number == *number;
}

static gboolean parse_size(const char *text, double *bytes)
{
  static const char suffixes[] = "KMG";
  gsize length = strlen(text);
  const char *suffix = length ? strchr(suffixes, text[length - 1]) : NULL;
  g_autofree char *digits = g_strndup(text, suffix ? length - 1 : length);
  guint64 number;
  if (!g_ascii_string_to_unsigned(digits, 10, 0, G_MAXINT64 >> 30, &number, NULL))
    return FALSE;
  *bytes = (double)(suffix ? number << (10 * (suffix - suffixes + 1)) : number);
  return TRUE;
}

static gboolean parse_choice(const Key *key, const char *text, guint *index)
{
  for (*index = 0; key->choices[*index]; (*index)++)
    if (!strcmp(key->choices[*index], text))
      return TRUE;
  return FALSE;
}

static gboolean parse_switch(const char *text, gboolean *value)
{
  *value = !strcmp(text, "true");
  return *value || !strcmp(text, "false");
}

/* Ignores spaces around items, and empty items. */
static char **parse_list(const char *text)
{
  g_auto(GStrv) items = g_strsplit(text, ";", -1);
  g_autoptr(GPtrArray) kept = g_ptr_array_new();
  for (guint i = 0; items[i]; i++)
    if (*g_strstrip(items[i]))
      g_ptr_array_add(kept, g_strdup(items[i]));
  g_ptr_array_add(kept, NULL);
  return (char **)g_ptr_array_free(g_steal_pointer(&kept), FALSE);
}

static const char *kind_expects(KeyKind kind)
{
  switch (kind) {
  case KEY_SIZE:
    return "a size (a number of bytes, or a number with the suffix K, M or G)";
  case KEY_COUNT:
    return "a whole number";
  case KEY_SECONDS:
    return "a number of seconds";
  default:
    return "a number";
  }
}

static gboolean read_number(const KeySource *source, const char *group, const Key *key,
                            const char *text, void *field, GError **error)
{
  double number;
  gboolean parsed = key->kind == KEY_SIZE ? parse_size(text, &number) : parse_number(text, &number);
  gboolean fits = parsed && number >= key->min && number <= key->max;
  if (!parsed || (fits && key->kind == KEY_COUNT && number != (guint)number))
    return key_fail(source, group, key->name, error, "\"%s\": expected %s", text,
                    kind_expects(key->kind));
  if (!fits)
    return key_fail(source, group, key->name, error, "%s: expected a number from %.10g to %.10g",
                    text, key->min, key->max);
  if (key->kind == KEY_COUNT)
    *(guint *)field = (guint)number;
  else if (key->kind == KEY_SIZE)
    *(guint64 *)field = (guint64)number;
  else
    *(double *)field = number;
  return TRUE;
}

static gboolean read_choice(const KeySource *source, const char *group, const Key *key,
                            const char *text, void *field, GError **error)
{
  if (parse_choice(key, text, field))
    return TRUE;
  g_autofree char *known = g_strjoinv(", ", (char **)key->choices);
  return key_fail(source, group, key->name, error, "\"%s\": expected one of %s", text, known);
}

/* Returns: whether the field is a char * */
static gboolean is_text(const Key *key)
{
  return key->kind == KEY_TEXT || key->kind == KEY_PATH || key->kind == KEY_SOURCE;
}

static gboolean is_path(const Key *key, const char *text)
{
  return key->kind == KEY_PATH ||
         (key->kind == KEY_SOURCE && !g_str_has_prefix(text, "sha256:") &&
          !g_str_has_prefix(text, "http://") && !g_str_has_prefix(text, "https://"));
}

static gboolean read_text(const KeySource *source, const char *group, const Key *key,
                          const char *text, void *field, GError **error)
{
  if (!*text)
    return key_fail(source, group, key->name, error, "is empty");
  for (const char *at = text; *at; at++)
    if (g_ascii_iscntrl(*at))
      return key_fail(source, group, key->name, error, "contains a control character");
  g_free(*(char **)field);
  *(char **)field =
      is_path(key, text) ? g_canonicalize_filename(text, source->folder) : g_strdup(text);
  return TRUE;
}

static gboolean read_list(const KeySource *source, const char *group, const Key *key,
                          const char *text, void *field, GError **error)
{
  g_auto(GStrv) items = parse_list(text);
  if (!*items)
    return key_fail(source, group, key->name, error, "is empty");
  g_strfreev(*(char ***)field);
  *(char ***)field = g_steal_pointer(&items);
  return TRUE;
}

static gboolean read_key(const KeySource *source, const char *group, const Key *key,
                         void *structure, GError **error)
{
  void *field = (char *)structure + key->offset;
  g_autoptr(GError) wrong = NULL;
  g_autofree char *text = g_key_file_get_string(source->file, group, key->name, &wrong);
  if (!text)
    return key_fail(source, group, key->name, error, "%s", wrong->message);
  g_strchomp(text);
  switch (key->kind) {
  case KEY_TEXT:
  case KEY_PATH:
  case KEY_SOURCE:
    return read_text(source, group, key, text, field, error);
  case KEY_LIST:
    return read_list(source, group, key, text, field, error);
  case KEY_CHOICE:
    return read_choice(source, group, key, text, field, error);
  case KEY_SWITCH:
    return parse_switch(text, field) ||
           key_fail(source, group, key->name, error, "\"%s\": expected true or false", text);
  default:
    return read_number(source, group, key, text, field, error);
  }
}

/* ---- All keys of a group ------------------------------------------------------------------- */

static const Key *find_key(const Key *keys, const char *name)
{
  for (; keys->name; keys++)
    if (!strcmp(keys->name, name))
      return keys;
  return NULL;
}

static char *list_names(const Key *keys)
{
  GString *names = g_string_new(NULL);
  for (; keys->name; keys++)
    g_string_append_printf(names, "%s%s", names->len ? ", " : "", keys->name);
  return g_string_free(names, FALSE);
}

static guint count_keys(const Key *keys)
{
  guint n = 0;
  while (keys[n].name)
    n++;
  return n;
}

Key *keys_join(const Key *own, const Key *part, gsize offset)
{
  const guint n = count_keys(own), n_part = count_keys(part);
  Key *keys = g_new0(Key, n + n_part + 1);
  memcpy(keys, own, n * sizeof *own);
  memcpy(keys + n, part, n_part * sizeof *part);
  for (guint i = n; i < n + n_part; i++)
    keys[i].offset += offset;
  return keys;
}

static gboolean read_keys(const KeySource *source, const char *group, const Key *keys, gboolean all,
                          void *structure, GError **error)
{
  g_auto(GStrv) names = g_key_file_get_keys(source->file, group, NULL, error);
  if (!names)
    return FALSE;
  for (guint i = 0; names[i]; i++) {
    const Key *key = find_key(keys, names[i]);
    if (!key && all) {
      g_autofree char *known = list_names(keys);
      return key_fail(source, group, names[i], error, "unknown key, expected one of %s", known);
    }
    if (key && !read_key(source, group, key, structure, error))
      return FALSE;
  }
  return TRUE;
}

gboolean keys_read(const KeySource *source, const char *group, const Key *keys, void *structure,
                   GError **error)
{
  return read_keys(source, group, keys, TRUE, structure, error);
}

gboolean keys_read_some(const KeySource *source, const char *group, const Key *keys,
                        void *structure, GError **error)
{
  return !g_key_file_has_group(source->file, group) ||
         read_keys(source, group, keys, FALSE, structure, error);
}

void keys_copy(const Key *keys, void *copy, const void *structure, gsize size)
{
  memcpy(copy, structure, size);
  for (; keys->name; keys++) {
    void *field = (char *)copy + keys->offset;
    if (is_text(keys))
      *(char **)field = g_strdup(*(char **)field);
    else if (keys->kind == KEY_LIST)
      *(char ***)field = g_strdupv(*(char ***)field);
  }
}

void keys_clear(const Key *keys, void *structure)
{
  for (; keys->name; keys++) {
    void *field = (char *)structure + keys->offset;
    if (is_text(keys))
      g_clear_pointer((char **)field, g_free);
    else if (keys->kind == KEY_LIST)
      g_clear_pointer((char ***)field, g_strfreev);
  }
}

static char *value_text(const Key *key, const void *field)
{
  char *const *text = field;
  char **const *list = field;
  switch (key->kind) {
  case KEY_TEXT:
  case KEY_PATH:
  case KEY_SOURCE:
    return g_strdup(*text ? *text : "");
  case KEY_LIST:
    return *list ? g_strjoinv(";", *list) : g_strdup("");
  case KEY_SWITCH:
  case KEY_CHOICE:
  case KEY_COUNT:
    return g_strdup_printf("%u", *(const guint *)field);
  case KEY_SIZE:
    return g_strdup_printf("%" G_GUINT64_FORMAT, *(const guint64 *)field);
  default:
    return g_strdup_printf("%.17g", *(const double *)field);
  }
}

char *keys_fingerprint(const Key *keys, const void *structure)
{
  GString *all = g_string_new(NULL);
  for (; keys->name; keys++) {
    g_autofree char *value = value_text(keys, (const char *)structure + keys->offset);
    g_string_append_printf(all, "%s=%s\n", keys->name, value);
  }
  return g_string_free(all, FALSE);
}

/* ---- Lines --------------------------------------------------------------------------------- */

gboolean keys_check_lines(const KeySource *source, const char *text, GError **error)
{
  g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
  for (guint i = 0; lines[i]; i++) {
    const char *line = g_strstrip(lines[i]);
    if (!*line || *line == '#' || *line == '[' || strchr(line, '='))
      continue;
    g_set_error(error, G_KEY_FILE_ERROR, G_KEY_FILE_ERROR_PARSE,
                "%s: line %u: expected KEY=VALUE, [GROUP] or # COMMENT", source->path, i + 1);
    return FALSE;
  }
  return TRUE;
}

gboolean keys_check_unique(const KeySource *source, const char *text, GError **error)
{
  g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
  g_autoptr(GHashTable) groups = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
  g_autoptr(GHashTable) keys = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
  g_autofree char *group = NULL;

  for (guint i = 0; lines[i]; i++) {
    const char *line = g_strchug(lines[i]);
    char *name = group_of_line(line);
    if (name) {
      g_free(group);
      group = g_strdup(name);
      g_hash_table_remove_all(keys);
      if (!g_hash_table_add(groups, name))
        return key_fail(source, group, NULL, error, "line %u: duplicate group", i + 1);
    } else if ((name = key_of_line(line)) && !g_hash_table_add(keys, g_strdup(name))) {
      key_fail(source, group, name, error, "line %u: duplicate key", i + 1);
      g_free(name);
      return FALSE;
    } else {
      g_free(name);
    }
  }
  return TRUE;
}
