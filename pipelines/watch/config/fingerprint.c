#include "config/fingerprint.h"

#include <string.h>

#define DIGITS 64

char *fingerprint_parse(const char *text)
{
  GString *digits = g_string_new(NULL);
  gboolean good = TRUE;
  for (; *text && good; text++) {
    if (g_ascii_isxdigit(*text))
      g_string_append_c(digits, g_ascii_tolower(*text));
    else
      good = *text == ':' && digits->len > 0 && digits->len % 2 == 0 && text[1] && text[1] != ':';
  }
  good = good && digits->len == DIGITS;
  return g_string_free(digits, !good);
}

char *fingerprint_of(const guint8 *der, gsize length)
{
  return g_compute_checksum_for_data(G_CHECKSUM_SHA256, der, length);
}

char *fingerprint_format(const char *digits)
{
  GString *text = g_string_new(NULL);
  for (gsize i = 0; digits[i]; i++) {
    if (i > 0 && i % 2 == 0)
      g_string_append_c(text, ':');
    g_string_append_c(text, g_ascii_toupper(digits[i]));
  }
  return g_string_free(text, FALSE);
}
