/* What a line of vitgatejson tells. */
#pragma once

#include <glib.h>

#include "camera/sightings.h"

typedef struct {
  char *label;  /* the best of the first result, or NULL */
  double score; /* its */
  GArray *seen; /* of SeenClass: the classes of all results and their regions */
} FrameLine;

/* Returns: FALSE where the line is no object of vitgatejson's; else @self takes frame_line_clear()
 */
gboolean frame_line_parse(FrameLine *self, const char *line, gsize length);

void frame_line_clear(FrameLine *self);
