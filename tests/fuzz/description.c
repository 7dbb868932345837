/* Reads any text under the metadata key "vitgate". If it is accepted, so is the description that is
 * written from it, and writing that again gives the same text. */
#include <string.h>

#include "file/architecture.h"
#include "file/description-json.h"
#include "fuzz.h"

/* Writes a file without tensors whose header holds @text.
 * Returns: (transfer none): its path */
static const char *write_file(const char *text, gsize n)
{
  g_autoptr(GString) header = g_string_new("{\"__metadata__\":{\"vitgate\":\"");
  for (gsize i = 0; i < n; i++)
    if ((guint8)text[i] < ' ' || text[i] == '"' || text[i] == '\\')
      g_string_append_printf(header, "\\u%04x", text[i]);
    else
      g_string_append_c(header, text[i]);
  g_string_append(header, "\"}}");
  while (header->len % 8)
    g_string_append_c(header, ' ');
  const guint64 length = GUINT64_TO_LE(header->len);
  g_string_prepend_len(header, (const char *)&length, sizeof length);
  return fuzz_file(header->str, header->len);
}

static Description *read_description(const char *text, gsize n)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(Safetensors) file = vitgate__safetensors_open(write_file(text, n), &error);
  if (!fuzz_succeeded(file != NULL, error))
    return NULL;
  Description *description = vitgate__description_read(file, &error);
  fuzz_succeeded(description != NULL, error);
  return description;
}

int LLVMFuzzerTestOneInput(const guint8 *data, gsize size)
{
  g_autoptr(Description) description = read_description((const char *)data, size);
  if (!description)
    return 0;
  require(vitgate__description_gmacs(description) > 0 &&
          vitgate__description_published_gmacs(description) > 0 &&
          vitgate__description_parameters(description) > 0);
  g_autofree char *once = vitgate__description_to_json(description);
  g_autoptr(Description) again = read_description(once, strlen(once));
  require(again != NULL);
  g_autofree char *twice = vitgate__description_to_json(again);
  require(!strcmp(once, twice));
  return 0;
}
