/* dlstreamer-line.h: writes a frame as DL Streamer's gvametaconvert does. JSON.md documents it. */
#pragma once

#include "json/json-line.h"

G_BEGIN_DECLS

/* Writes a frame with all objects that were detected in it, as a line of JSON.
 * Arguments and result: as those of gst_vitgate_json_line(). */
char *gst_vitgate_dlstreamer_line(const GstVitgateJsonFrame *frame, GstBuffer *buffer,
                                  gsize *length);

G_END_DECLS
