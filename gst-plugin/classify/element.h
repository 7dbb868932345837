/* element.h: the object of the element vitgate, for the parts that it consists of. */
#pragma once

#include <gst/base/gstbasetransform.h>

#include "classify/classifier.h"
#include "classify/controller.h"
#include "classify/settings.h"
#include "classify/stats.h"
#include "common/frame.h"
#include "common/orientation.h"

G_BEGIN_DECLS

#define GST_TYPE_VITGATE (gst_vitgate_get_type())
G_DECLARE_FINAL_TYPE(GstVitgate, gst_vitgate, GST, VITGATE, GstBaseTransform)

GST_DEBUG_CATEGORY_EXTERN(gst_vitgate_debug);

/* Guarded by the element's object lock. */
typedef struct {
  gboolean changed;              /* settings have changed since the last load */
  gboolean open;                 /* frames may flow */
  GThread *thread;               /* to be joined, running or not; NULL: none */
  gboolean busy;                 /* the thread is still running */
  GstVitgateClassifier *ready;   /* for the next frame; NULL: nothing new */
  GstVitgateClassifier *retired; /* for the thread to free */
  GCond cond;                    /* signalled when ready is taken, settings change, or at close */
} GstVitgateLoader;

struct _GstVitgate {
  GstBaseTransform parent;

  /* Under the object lock. */
  GstVitgateSettings settings;
  GstVitgateStats stats;
  GstVitgateLoader loader;
  GstClockTime latency;          /* reported to the pipeline */
  GstClockTime upstream_latency; /* of a live pipeline; NONE: not live, or not known yet */
  GstClockTime late_frame;       /* running time of the frame that a sink last reported as late;
                                    NONE: no report since the last frame */

  /* Used by the streaming thread only, from start() to stop(). */
  GstVitgateClassifier *classifier;
  GstVitgateController controller;
  GstVitgateFrameLayout layout;
  GstClockTime frame_duration;        /* by the caps; 0: unknown */
  GstVitgateFixedRegion region;       /* in use */
  GstVitgateFixedRegion asked_region; /* the last one that was asked for */
  GstVitgateOrientationTags orientation_tags;
  gboolean refused;          /* an error was posted for caps */
  gboolean unreadable;       /* the last frame could not be read; a warning was posted */
  gboolean bad_regions;      /* the last frame with regions had bad ones; a warning was posted */
  gboolean too_many_regions; /* the last frame with regions had too many; a warning was posted */
};

G_END_DECLS
