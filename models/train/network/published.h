/* Published networks by name, for models with fresh weights. */
#pragma once

#include "file/description.h"

/* Describes a published network with the given classes.
 * @name: as in timm or T2T-ViT
 * @image_size: side in pixels; 0: as published
 * @labels, @label_ids: (nullable) [n_classes]
 * Returns: (transfer full): the dense network; or NULL with COMMAND_ERROR_USAGE, which lists the
 * known names */
Description *published_describe(const char *name, guint image_size, guint n_classes,
                                char *const *labels, char *const *label_ids, GError **error);
