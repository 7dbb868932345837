/* Checks labels of interest: a label that the model does not have never appears, and nobody would
 * notice. */
#pragma once

#include "config/config.h"

/* Loads the model of each camera that has labels of interest, and compares them.
 * @strict: whether a model that cannot be used is an error. Otherwise its camera reports it when it
 * runs, since one bad camera must not stop the others
 * Returns: FALSE with an error of G_KEY_FILE_ERROR that names file, group and key */
gboolean label_check(const Config *config, gboolean strict, GError **error);
