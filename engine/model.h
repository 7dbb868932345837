/* The parts of a model that sessions use. */
#pragma once

#include "network/vit.h"

const Vit *vitgate__model_get_vit(const VitgateModel *model);
const Description *vitgate__model_get_description(const VitgateModel *model);

/* Copies the class token and the distillation token of an image of the session's last call, after
 * the final norm. For distillation.
 * @tokens: (out caller-allocates): [n_prefix][dim] */
void vitgate__session_get_tokens(const VitgateSession *session, guint image, float *tokens);
