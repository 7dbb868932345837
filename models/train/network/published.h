/* Published networks by their names, for models of fresh weights. */
#pragma once

#include "file/description.h"

/* @name: timm's, or T2T-ViT's own
 * @image_size: pixels of a side; 0: as published
 * @labels, @label_ids: (nullable) [n_classes]
 * Returns: (transfer full): the dense network for these classes; or NULL with COMMAND_ERROR_USAGE,
 * which lists the names that are known */
Description *published_describe(const char *name, guint image_size, guint n_classes,
                                char *const *labels, char *const *label_ids, GError **error);
