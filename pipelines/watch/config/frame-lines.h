/* Which frames an output gets. */
#pragma once

typedef enum {
  FRAME_LINES_NONE,
  FRAME_LINES_CHANGES, /* frames whose best label changed */
  FRAME_LINES_ALL,
} FrameLines;

/* Their names in the key file. Ends with NULL. */
extern const char *const frame_line_names[];
