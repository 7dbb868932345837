/* The precisions that this machine can compute in. */
#pragma once

#include "file/description.h"

/* Checks that this machine can compute in @precision. AUTO always passes.
 * Returns: FALSE with VITGATE_ERROR_UNSUPPORTED or _ARGUMENT */
gboolean vitgate__precision_check(VitgatePrecision precision, GError **error);

/* Checks that attention runs on few enough tokens for @precision.
 * @path: the model's, for the error
 * Returns: FALSE with VITGATE_ERROR_UNSUPPORTED */
gboolean vitgate__precision_check_tokens(VitgatePrecision precision, const Description *description,
                                         const char *path, GError **error);

/* Returns: the precision that AUTO stands for, for this model on this machine */
VitgatePrecision vitgate__precision_choose(const Description *description);
