/* json-line.h: what a frame carries as a line of JSON. JSON.md documents it for those who read it.
 */
#pragma once

#include "common/results.h"
#include "json/wall-clock.h"

G_BEGIN_DECLS

/* The version that each line tells. */
#define GST_VITGATE_JSON_VERSION 1

/* What is told of a frame beside its results. */
typedef struct {
  const char *stream_id;
  guint64 number;
  gint width, height; /* 0: unknown */
  GstVitgateFrameTimes times;
  GstVitgateWallClock wall_clock;
} GstVitgateJsonFrame;

/* @buffer: carries the results; its pixels are not looked at
 * @length: (out): bytes of the line
 * Returns: (transfer full): an object and a newline, in UTF-8 whatever the labels hold. */
char *gst_vitgate_json_line(const GstVitgateJsonFrame *frame, GstBuffer *buffer, gsize *length);

G_END_DECLS
