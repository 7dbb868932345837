/* Parses a line of vitgatejson. */
#pragma once

#include <glib.h>

#include "camera/sightings.h"

typedef struct {
  char *label;    /* best label of the first result, or NULL */
  double score;   /* of that label */
  double compute; /* compute ratio of the frame: 0 if no inference was made */
  GArray *seen;   /* of SeenClass: the classes of all results and their regions */
} FrameLine;

/* @self: (out): on success, free it with frame_line_clear()
 * Returns: FALSE if the line is not a JSON object */
gboolean frame_line_parse(FrameLine *self, const char *line, gsize length);

void frame_line_clear(FrameLine *self);
