/* Reads any bytes as a photograph with an orientation tag. Every file has an orientation. */
#include "data/orientation.h"

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const guint8 *data, gsize size)
{
  g_autoptr(GBytes) file =
      g_bytes_new(data, size); /* so that a sanitizer sees any read past the end */
  const guint orientation = orientation_find(file);
  require(orientation >= 1 && orientation <= 8);
  return 0;
}
