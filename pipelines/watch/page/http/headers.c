#include "page/http/headers.h"

static const char *const headers[][2] = {
  { "Content-Security-Policy", "default-src 'self'; img-src 'self' blob:; frame-ancestors 'none'; "
                               "base-uri 'none'; form-action 'self'; object-src 'none'" },
  { "X-Content-Type-Options", "nosniff" },
  { "X-Frame-Options", "DENY" },
  { "Referrer-Policy", "no-referrer" },
  { "Cross-Origin-Resource-Policy", "same-origin" },
  { "Cross-Origin-Opener-Policy", "same-origin" },
  { "Permissions-Policy", "camera=(), microphone=(), geolocation=()" },
};

void headers_add(SoupServerMessage *message)
{
  SoupMessageHeaders *response = soup_server_message_get_response_headers(message);
  for (guint i = 0; i < G_N_ELEMENTS(headers); i++)
    soup_message_headers_replace(response, headers[i][0], headers[i][1]);
}

char *headers_of_stream(const char *type)
{
  GString *text =
      g_string_new("HTTP/1.1 200 OK\r\nConnection: close\r\nCache-Control: no-store\r\n");
  g_string_append_printf(text, "Content-Type: %s\r\n", type);
  for (guint i = 0; i < G_N_ELEMENTS(headers); i++)
    g_string_append_printf(text, "%s: %s\r\n", headers[i][0], headers[i][1]);
  g_string_append(text, "\r\n");
  return g_string_free(text, FALSE);
}
