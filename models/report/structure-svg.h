/* Draws the structure of a network. */
#pragma once

#include "report/structure.h"

/* Draws one row per block: the heads and neurons kept of the dense ones, modules that were cut,
 * gates and, if known, the share of images for which they let their module run. The picture's
 * description says the same in words, for screen readers.
 * Returns: (transfer full): an SVG document, or NULL with COMMAND_ERROR_IO */
char *structure_to_svg(const Structure *structure, GError **error);
