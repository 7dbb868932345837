/* Which precisions this machine can compute in. */
#pragma once

#include "file/description.h"

/* Returns: FALSE with VITGATE_ERROR_UNSUPPORTED or _ARGUMENT; AUTO can always be had */
gboolean vitgate__precision_check(VitgatePrecision precision, GError **error);

/* Whether the tokens that attention adds up over are few enough for int8.
 * @path: of the model, for the error
 * Returns: FALSE with VITGATE_ERROR_UNSUPPORTED */
gboolean vitgate__precision_check_tokens(VitgatePrecision precision, const Description *description,
                                         const char *path, GError **error);

/* Returns: what AUTO stands for, with this model on this machine */
VitgatePrecision vitgate__precision_choose(const Description *description);
