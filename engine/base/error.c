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

gboolean vitgate__check_reserved(const gpointer *reserved, guint n, const char *owner,
                                 GError **error)
{
  for (guint i = 0; i < n; i++)
    if (reserved[i]) {
      vitgate__set_error(error, VITGATE_ERROR_ARGUMENT,
                         "reserved field %u of the %s's options is set, expected zero", i, owner);
      return FALSE;
    }
  return TRUE;
}
