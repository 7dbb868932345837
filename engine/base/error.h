/* The engine's errors: one GError domain, with messages that name the thing at fault. */
#pragma once

#include "vitgate.h"

void vitgate__set_error(GError **error, VitgateError code, const char *format, ...)
    G_GNUC_PRINTF(3, 4);

/* A reserved field that is set belongs to a newer version. It is refused, not ignored.
 * @owner: whose options they are, such as "session"
 * Returns: FALSE with VITGATE_ERROR_ARGUMENT if one of the @n fields is set */
gboolean vitgate__check_reserved(const gpointer *reserved, guint n, const char *owner,
                                 GError **error);
