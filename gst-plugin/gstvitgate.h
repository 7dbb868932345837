/* gstvitgate.h: the element vitgate. */
#pragma once

#include <gst/base/gstbasetransform.h>

#include "classifier.h"
#include "frame.h"
#include "settings.h"
#include "stats.h"

G_BEGIN_DECLS

#define GST_TYPE_VITGATE (gst_vitgate_get_type())
G_DECLARE_FINAL_TYPE(GstVitgate, gst_vitgate, GST, VITGATE, GstBaseTransform)

struct _GstVitgate {
  GstBaseTransform parent;

  /* Under the object lock. */
  GstVitgateSettings settings;
  GstVitgateStats stats;

  /* Of the streaming thread, from start() to stop(). */
  GstVitgateClassifier *classifier;
  GstVitgateFrameLayout layout;
  gboolean unreadable; /* the last frame was, and a warning told so */
};

GST_ELEMENT_REGISTER_DECLARE(vitgate);

G_END_DECLS
