/* gstvitgatejson.h: the element vitgatejson. */
#pragma once

#include <gst/base/gstbasetransform.h>

G_BEGIN_DECLS

#define GST_TYPE_VITGATE_JSON (gst_vitgate_json_get_type())
G_DECLARE_FINAL_TYPE(GstVitgateJson, gst_vitgate_json, GST, VITGATE_JSON, GstBaseTransform)

struct _GstVitgateJson {
  GstBaseTransform parent;

  /* Under the object lock. */
  char *stream_id; /* NULL: the stream's own */
  gboolean only_changes;
  gboolean speak; /* the next frame is written whatever it shows */

  /* Of the streaming thread, from start() to stop(). */
  guint64 frames;       /* seen */
  gint width, height;   /* 0: unknown */
  gboolean has_results; /* a frame had some, or a warning said that none had */
  gboolean live, live_known;
  GStrv top_labels; /* of the last frame; NULL: none that counts */
};

GST_ELEMENT_REGISTER_DECLARE(vitgatejson);

G_END_DECLS
