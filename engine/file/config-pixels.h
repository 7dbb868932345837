/* The preprocessing of published weights, from the settings of timm and Hugging Face. A field that
 * is absent leaves the description as it is. */
#pragma once

#include "file/description.h"
#include "file/json-fields.h"

/* Applies the settings in timm's config.json.
 * Returns: FALSE with VITGATE_ERROR_METADATA or _UNSUPPORTED */
gboolean vitgate__config_apply_timm_pixels(const JsonFields *fields, Description *description);

/* Applies Hugging Face's preprocessor_config.json.
 * @model_type: (nullable): of the network, whose processor is meant if the file names none
 * Returns: FALSE with VITGATE_ERROR_METADATA or _UNSUPPORTED */
gboolean vitgate__config_apply_pixels(const JsonFields *fields, const char *model_type,
                                      Description *description);
