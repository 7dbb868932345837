#include "config/frame-lines.h"

#include <stddef.h>

const char *const frame_line_names[] = { "none", "changes", "all", NULL };
