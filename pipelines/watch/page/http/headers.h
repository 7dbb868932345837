/* Headers that every answer has, so that a browser trusts nothing but the page's own files. */
#pragma once

#include <libsoup/soup.h>

void headers_add(SoupServerMessage *message);

/* Returns: (transfer full): status line and headers of an answer that stays open */
char *headers_of_stream(const char *type);
