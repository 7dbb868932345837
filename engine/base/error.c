#include "base/error.h"

GQuark vitgate_error_quark(void)
{
  return g_quark_from_static_string("vitgate-error-quark");
}

void vitgate__set_error(GError **error, VitgateError code, const char *format, ...)
{
  va_list args;
  va_start(args, format);
  if (error)
    *error = g_error_new_valist(VITGATE_ERROR, code, format, args);
  va_end(args);
}
