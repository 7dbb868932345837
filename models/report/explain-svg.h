/* Draws what happened in a network to each patch of a photograph. */
#pragma once

#include <glib.h>

#include "vitgate.h"

typedef struct {
  const VitgateModelInfo *model;
  const VitgateResult *result; /* of a session that records patches */
  const float *tensor;         /* [3][image_size][image_size] the network's input */
  const char *name;            /* of the photograph, for display */
  char **answer;               /* (element-type utf8): lines with its classes, for display */
} Explanation;

/* Draws the photograph as the network sees it, how many modules ran for each patch, and for each
 * module which patches it ran for, which got its substitute, and which had merged with others. The
 * photograph is embedded. The picture's description has the numbers, for screen readers.
 * Returns: (transfer full): an SVG document, or NULL with COMMAND_ERROR_IO */
char *explanation_to_svg(const Explanation *explanation, GError **error);
