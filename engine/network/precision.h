/* The precisions that this machine can compute in. */
#pragma once

#include "file/description.h"

/* Checks that this machine can compute in @precision. AUTO always passes.
 * Returns: FALSE with VITGATE_ERROR_UNSUPPORTED or _ARGUMENT */
gboolean vitgate__precision_check(VitgatePrecision precision, GError **error);

/* Returns: the precision that AUTO stands for, for this model on this machine */
VitgatePrecision vitgate__precision_choose(const Description *description);
