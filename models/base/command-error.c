#include "base/command-error.h"

#include <stdarg.h>
#include <string.h>

GQuark command_error_quark(void)
{
  return g_quark_from_static_string("vitgate-command-error-quark");
}

gboolean command_fail(GError **error, const char *format, ...)
{
  va_list args;
  va_start(args, format);
  g_autofree char *text = g_strdup_vprintf(format, args);
  va_end(args);
  g_set_error_literal(error, COMMAND_ERROR, COMMAND_ERROR_USAGE, text);
  return FALSE;
}

char *command_clean_text(const char *text)
{
  g_autofree char *valid = g_utf8_make_valid(text, -1);
  GString *clean = g_string_sized_new(strlen(valid));
  for (const char *at = valid; *at; at = g_utf8_next_char(at)) {
    gunichar character = g_utf8_get_char(at);
    if (g_unichar_iscntrl(character) || g_unichar_type(character) == G_UNICODE_FORMAT)
      g_string_append_c(clean, ' ');
    else
      g_string_append_unichar(clean, character);
  }
  return g_string_free(clean, FALSE);
}

void command_note(const char *format, ...)
{
  va_list args;
  va_start(args, format);
  g_autofree char *message = g_strdup_vprintf(format, args);
  va_end(args);
  g_autofree char *clean = command_clean_text(message);
  const char *program = g_get_prgname();
  g_printerr("%s: %s\n", program ? program : "vitgate", g_strchomp(clean));
}
