/* A network's structure as a picture. */
#pragma once

#include "report/structure.h"

/* Draws one row a block: heads and neurons kept of the dense ones, modules that were cut away,
 * gates and, where known, the share of images for which they let their module run. The same in
 * words stands in the picture's description, for programs that read aloud.
 * Returns: (transfer full): an SVG document, or NULL with COMMAND_ERROR_IO */
char *structure_to_svg(const Structure *structure, GError **error);
