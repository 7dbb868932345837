#include "report/columns.h"

char *columns_pad(const char *text, guint width)
{
  g_autofree char *valid = g_utf8_make_valid(text, -1);
  GString *padded = g_string_new(valid);
  guint n = 0;
  for (const char *c = valid; *c; c = g_utf8_next_char(c)) {
    const gunichar letter = g_utf8_get_char(c);
    n += g_unichar_iszerowidth(letter) ? 0 : g_unichar_iswide(letter) ? 2 : 1;
  }
  for (; n < width; n++)
    g_string_append_c(padded, ' ');
  return g_string_free(padded, FALSE);
}
