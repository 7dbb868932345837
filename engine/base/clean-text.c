#include "base/clean-text.h"

#include <string.h>

static gboolean is_unsafe(gunichar character)
{
  switch (g_unichar_type(character)) {
  case G_UNICODE_CONTROL:
  case G_UNICODE_FORMAT:
  case G_UNICODE_LINE_SEPARATOR:
  case G_UNICODE_PARAGRAPH_SEPARATOR:
    return TRUE;
  default:
    return FALSE;
  }
}

char *vitgate__clean_text(const char *text)
{
  g_autofree char *valid = g_utf8_make_valid(text, -1);
  GString *clean = g_string_sized_new(strlen(valid));
  for (const char *at = valid; *at; at = g_utf8_next_char(at)) {
    gunichar character = g_utf8_get_char(at);
    g_string_append_unichar(clean, is_unsafe(character) ? ' ' : character);
  }
  return g_string_free(clean, FALSE);
}

/* JSON writes characters above U+FFFF as two surrogates. */
static void append_escape(GString *json, gunichar character)
{
  if (character > 0xffff) {
    g_string_append_printf(json, "\\u%04x", 0xd7c0 + (character >> 10));
    character = 0xdc00 + (character & 0x3ff);
  }
  g_string_append_printf(json, "\\u%04x", character);
}

char *vitgate__escape_json(const char *json)
{
  g_autofree char *valid = g_utf8_make_valid(json, -1);
  GString *escaped = g_string_sized_new(strlen(valid));
  for (const char *at = valid; *at; at = g_utf8_next_char(at)) {
    gunichar character = g_utf8_get_char(at);
    if (character != '\n' && is_unsafe(character))
      append_escape(escaped, character);
    else
      g_string_append_unichar(escaped, character);
  }
  return g_string_free(escaped, FALSE);
}
