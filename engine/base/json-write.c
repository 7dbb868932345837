#include "base/json-write.h"

#include <string.h>

#include "base/clean-text.h"

/* json-glib writes 1e-08 as 1e-08.0, which is not JSON: drops the ".0". */
static void mend_exponents(char *json)
{
  char *to = json;
  gboolean in_string = FALSE, in_exponent = FALSE;
  for (const char *c = json; *c; c++) {
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
}

char *vitgate__json_write(JsonNode *root, gboolean pretty)
{
  g_autofree char *text = json_to_string(root, pretty);
  mend_exponents(text);
  return vitgate__escape_json(text);
}
