/* json-line.h: writes a frame's results as a line of JSON. JSON.md documents the format. */
#pragma once

#include <json-glib/json-glib.h>

#include "common/results.h"
#include "json/wall-clock.h"

G_BEGIN_DECLS

/* Version of the format, written to each line. */
#define GST_VITGATE_JSON_VERSION 1

/* What is written about a frame, apart from its results. */
typedef struct {
  const char *stream_id;
  const char *source; /* NULL: none */
  JsonObject *tags;   /* NULL: none */
  guint64 number;
  gint width, height; /* 0: unknown */
  GstVitgateFrameTimes times;
  GstVitgateWallClock wall_clock;
} GstVitgateJsonFrame;

/* Writes a frame as a line of JSON.
 * @buffer: carries the results; its pixels are not read
 * @length: (out): length of the line in bytes
 * Returns: (transfer full): an object and a newline, in valid UTF-8 whatever the labels hold. */
char *gst_vitgate_json_line(const GstVitgateJsonFrame *frame, GstBuffer *buffer, gsize *length);

G_END_DECLS
