/* The model with the blocks that were trained. */
#pragma once

#include "file/source.h"
#include "teach/picture-features.h"
#include "teach/tuning.h"

/* Replaces a model by the one with the trained blocks. A temporary file holds it for a moment.
 * @path: beside which to make the file
 * @description: of @source
 * @source: (inout): unchanged after an error, as @model
 * @model: (inout)
 * Returns: FALSE with VITGATE_ERROR_* or COMMAND_ERROR_IO */
gboolean tuned_model_open(const Tuning *tuning, const char *path, const Description *description,
                          Source **source, VitgateModel **model, GError **error);

/* Computes the features of examples anew.
 * @options: with the model
 * Returns: FALSE with VITGATE_ERROR_*, or with COMMAND_ERROR_IO if a picture has gone */
gboolean tuned_model_renew(Examples *examples, const Pictures *pictures,
                           const FeaturesOptions *options, GError **error);
