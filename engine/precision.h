/* Which precisions this machine can compute in. */
#pragma once

#include "vitgate.h"

/* Puts what stands for AUTO in its place.
 * Returns: FALSE with VITGATE_ERROR_UNSUPPORTED or _ARGUMENT */
gboolean vitgate__precision_resolve(VitgatePrecision *precision, GError **error);
