/* What `vitgate teach` adds to a description: the scale of the score for pictures of none of the
 * classes, the classes' thresholds, and what it needs to continue. */
#pragma once

#include "file/description.h"
#include "file/json-fields.h"

/* Reads the optional fields "unknown", "thresholds" and "teach" into a description that has its
 * dimensions.
 * Returns: FALSE with VITGATE_ERROR_METADATA */
gboolean vitgate__taught_read(const JsonFields *fields, Description *description);

void vitgate__taught_write(const Description *description, JsonObject *object);
