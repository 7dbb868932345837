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

/* Does the same for what label_check() leaves out, before the camera uses it: models that are
 * fetched, which may not be there yet, and all models of a camera of a fleet, whose text comes
 * later. With @strict, label_check() checks those that are there.
 * @config: has @camera
 * Returns: as label_check() */
gboolean label_check_late(const Config *config, const CameraConfig *camera, GError **error);
