/* Which precisions this machine can compute in. */
#pragma once

#include "file/description.h"

/* Returns: FALSE with VITGATE_ERROR_UNSUPPORTED or _ARGUMENT; AUTO can always be had */
gboolean vitgate__precision_check(VitgatePrecision precision, GError **error);

/* Returns: what AUTO stands for, with this model on this machine */
VitgatePrecision vitgate__precision_choose(const Description *description);
