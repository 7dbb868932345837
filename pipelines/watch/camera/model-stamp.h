/* Shows whether the files of a model have changed. */
#pragma once

#include <glib.h>

/* @model: path of the model file, or of a folder with it; configuration and shards in its folder
 * count as well
 * @labels: (nullable): path of the file with labels
 * Returns: (transfer full): text that differs if any of these files was replaced or changed */
char *model_stamp_new(const char *model, const char *labels);
