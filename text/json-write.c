#include "json-write.h"

#include <string.h>

char *vitgate__json_write(JsonNode *root, gboolean pretty)
{
  /* json-glib writes 1e-08 as 1e-08.0, which is not JSON: the ".0" is dropped. */
  char *text = json_to_string(root, pretty), *to = text;
  gboolean in_string = FALSE, in_exponent = FALSE;
  for (const char *c = text; *c; c++) {
    if (in_exponent && *c == '.') {
      c++;
      continue;
    }
    if (in_string && *c == '\\')
      *to++ = *c++;
    else if (*c == '"')
      in_string = !in_string;
    in_exponent = !in_string && (*c == 'e' || (in_exponent && strchr("+-0123456789", *c)));
    *to++ = *c;
  }
  *to = '\0';
  return text;
}
