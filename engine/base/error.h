/* The engine's errors: one GError domain, with messages that name the thing at fault. */
#pragma once

#include "vitgate.h"

void vitgate__set_error(GError **error, VitgateError code, const char *format, ...)
    G_GNUC_PRINTF(3, 4);
