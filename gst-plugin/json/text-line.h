/* text-line.h: writes a frame's labels as a line of text for people. JSON.md documents it. */
#pragma once

#include "json/json-line.h"

G_BEGIN_DECLS

/* Writes the time of a frame and its labels; for regions, one line for each.
 * Arguments: as those of gst_vitgate_json_line()
 * Returns: (transfer full): lines in valid UTF-8, without characters that a terminal obeys. */
char *gst_vitgate_text_line(const GstVitgateJsonFrame *frame, GstBuffer *buffer, gsize *length);

G_END_DECLS
