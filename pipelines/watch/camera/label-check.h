/* Checks what only the element and the model know: labels of interest, since a label that the model
 * does not have never appears, and nobody would notice; and the regions of looks. */
#pragma once

#include "config/config.h"

/* Loads the model of each camera or look that has labels of interest, states or a region, and
 * checks these.
 * @strict: whether a model that cannot be used is an error. Otherwise its camera reports it when it
 * runs, since one bad camera must not stop the others
 * Returns: FALSE with an error of G_KEY_FILE_ERROR that names file, group and key */
gboolean label_check(const Config *config, gboolean strict, GError **error);

/* Does the same for the models of a camera that were fetched, which label_check() leaves out: they
 * may not be there yet. With @strict, it checks those that are there.
 * @config: has @camera
 * Returns: as label_check() */
gboolean label_check_fetched(const Config *config, const CameraConfig *camera, GError **error);
