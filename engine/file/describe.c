#include "file/describe.h"

#include "file/description-json.h"
#include "file/weights.h"

Description *vitgate__describe(const Safetensors *file, const Hints *hints, GError **error)
{
  const Hints none = { 0 };
  g_autoptr(Description) d = vitgate__safetensors_get_metadata(file, DESCRIPTION_KEY)
                                 ? vitgate__description_read(file, error)
                                 : vitgate__description_infer(file, hints ? hints : &none, error);
  return d && vitgate__weights_check(d, file, error) ? g_steal_pointer(&d) : NULL;
}
