#include "base/command-error.h"

#include <stdarg.h>

#include "base/clean-text.h"

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

static gboolean silent;

void command_note_silence(void)
{
  silent = TRUE;
}

void command_note(const char *format, ...)
{
  va_list args;
  if (silent)
    return;
  va_start(args, format);
  g_autofree char *message = g_strdup_vprintf(format, args);
  va_end(args);
  g_autofree char *clean = vitgate__clean_text(message);
  const char *program = g_get_prgname();
  g_printerr("%s: %s\n", program ? program : "vitgate", g_strchomp(clean));
}
