#include "base/secrets.h"

#include <string.h>

#define HIDDEN "***"

static gboolean has_at_sign(const char *text, gsize length)
{
  return g_strstr_len(text, (gssize)length, "@") || g_strstr_len(text, (gssize)length, "%40");
}

/* @rest: of the URL, after its authority */
static void append_path(GString *shown, const char *rest)
{
  gsize end = strcspn(rest, "?#");
  const char *equals = memchr(rest, '=', end);
  if (equals) {
    const char *slash = g_strrstr_len(rest, equals - rest, "/");
    g_string_append_len(shown, rest, slash ? slash + 1 - rest : 0);
    g_string_append(shown, HIDDEN);
    return;
  }
  g_string_append_len(shown, rest, (gssize)end);
  if (rest[end])
    g_string_append_printf(shown, "%c%s", rest[end], rest[end + 1] ? HIDDEN : "");
}

char *secrets_hide_url(const char *url)
{
  const char *start = strstr(url, "://");
  if (g_str_has_prefix(url, "file:") || g_str_has_prefix(url, "v4l2:"))
    return g_strdup(url);
  if (!start)
    return g_strdup(has_at_sign(url, strlen(url)) || strpbrk(url, "?#=") ? HIDDEN : url);
  start += 3;
  const gsize length = strcspn(start, "/?#");
  const char *rest = start + length;
  GString *shown = g_string_new_len(url, start - url);
  if (has_at_sign(rest, strlen(rest))) {
    g_string_append(shown, HIDDEN);
    return g_string_free(shown, FALSE);
  }
  const char *at = g_strrstr_len(start, (gssize)length, "@");
  if (at || has_at_sign(start, length))
    g_string_append(shown, HIDDEN);
  const char *host = at ? at : has_at_sign(start, length) ? rest : start;
  g_string_append_len(shown, host, rest - host);
  append_path(shown, rest);
  return g_string_free(shown, FALSE);
}

/* ---- Text ---------------------------------------------------------------------------------- */

static gboolean is_scheme(char c)
{
  return g_ascii_isalnum(c) || strchr("+.-", c);
}

/* Labels and paths may contain an @, as in "unit@instance". */
static gboolean is_login(const char *word)
{
  const char *colon = strchr(word, ':');
  return colon && strpbrk(colon, "@=");
}

static void append_word(GString *text, const char *word)
{
  const char *start = strstr(word, "://");
  if (!start) {
    g_string_append(text, is_login(word) ? HIDDEN : word);
    return;
  }
  while (start > word && is_scheme(start[-1]))
    start--;
  g_autofree char *shown = secrets_hide_url(start);
  g_string_append_len(text, word, start - word);
  g_string_append(text, shown);
}

char *secrets_hide(const char *text)
{
  static const char separators[] = " \t\r\n\"'<>";
  GString *hidden = g_string_sized_new(strlen(text));
  while (*text) {
    gsize length = strcspn(text, separators);
    g_autofree char *word = g_strndup(text, length);
    append_word(hidden, word);
    text += length;
    if (*text)
      g_string_append_c(hidden, *text++);
  }
  return g_string_free(hidden, FALSE);
}
