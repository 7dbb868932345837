/* gstvitgatejson.h: the element vitgatejson. */
#pragma once

#include <gst/base/gstbasetransform.h>
#include <json-glib/json-glib.h>

G_BEGIN_DECLS

#define GST_TYPE_VITGATE_JSON (gst_vitgate_json_get_type())
G_DECLARE_FINAL_TYPE(GstVitgateJson, gst_vitgate_json, GST, VITGATE_JSON, GstBaseTransform)

typedef enum {
  GST_VITGATE_JSON_FORMAT_VITGATE,
  GST_VITGATE_JSON_FORMAT_DLSTREAMER,
  GST_VITGATE_JSON_FORMAT_TEXT,
} GstVitgateJsonFormat;

struct _GstVitgateJson {
  GstBaseTransform parent;

  /* Under the object lock. */
  char *stream_id; /* NULL: use the stream's own id */
  char *source;    /* NULL: none */
  char *tags;      /* the text of a JSON object; NULL: none */
  GstVitgateJsonFormat format;
  gboolean only_changes;
  gboolean write_always; /* write the next frame in any case */

  /* Used by the streaming thread only, from start() to stop(). */
  GstVitgateJsonFormat current_format;
  JsonObject *current_tags; /* NULL: none */
  guint64 frames;           /* received so far */
  gint width, height;       /* 0: unknown */
  gboolean has_results;     /* a frame had results, or a warning about missing ones was posted */
  gboolean live, live_known;
  GStrv top_labels; /* of the last frame; NULL: nothing to compare with */
};

GST_ELEMENT_REGISTER_DECLARE(vitgatejson);

G_END_DECLS
