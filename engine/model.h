/* What sessions see of a model. */
#pragma once

#include "network/vit.h"

const Vit *vitgate__model_get_vit(const VitgateModel *model);
const Description *vitgate__model_get_description(const VitgateModel *model);

/* The tokens that a session's last call left of an image, behind the final norm: for distillation.
 * @tokens: (out caller-allocates): [n_tokens][dim] */
void vitgate__session_get_tokens(const VitgateSession *session, guint image, float *tokens);
