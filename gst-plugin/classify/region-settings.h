/* region-settings.h: the properties for regions. */
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

/* What is classified in a frame. */
typedef enum {
  GST_VITGATE_INFERENCE_REGION_FULL_FRAME,
  GST_VITGATE_INFERENCE_REGION_ROI_LIST,
} GstVitgateInferenceRegion;

typedef struct {
  GstVitgateInferenceRegion inference_region;
  const char *object_class; /* interned, so that it can be read without the lock; NULL: any */
  guint min_size;           /* pixels */
  guint max;                /* maximum per frame */
  guint interval;           /* frames from one inference of a tracked region to the next */
} GstVitgateRegionSettings;

/* Installs the properties in @class. */
void gst_vitgate_region_settings_install(GObjectClass *class);

void gst_vitgate_region_settings_init(GstVitgateRegionSettings *settings);

/* Returns: FALSE if none of them has the number @id. */
gboolean gst_vitgate_region_settings_set(GstVitgateRegionSettings *settings, guint id,
                                         const GValue *value);
gboolean gst_vitgate_region_settings_get(const GstVitgateRegionSettings *settings, guint id,
                                         GValue *value);

G_END_DECLS
