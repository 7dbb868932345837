/* What sessions see of a model. */
#pragma once

#include "vit.h"

const Vit *vitgate__model_get_vit(const VitgateModel *model);
const Description *vitgate__model_get_description(const VitgateModel *model);
