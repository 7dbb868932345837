/* temporal-settings.h: the properties for what a frame takes over from the ones before. Not locked:
 * the element's object lock guards them. */
#pragma once

#include <gst/gst.h>
#include <vitgate.h>

G_BEGIN_DECLS

typedef enum {
  GST_VITGATE_TEMPORAL_OFF,
  GST_VITGATE_TEMPORAL_AUTO,
  GST_VITGATE_TEMPORAL_ON,
} GstVitgateTemporal;

typedef struct {
  GstVitgateTemporal mode;
  double change_threshold;
  guint refresh_interval; /* 0: no limit */
  double reuse_threshold; /* 0: nothing is reused; below 0: by the mode */
  GstClockTime max_age;   /* 0: no limit */
} GstVitgateTemporalSettings;

/* Installs the properties in @class. */
void gst_vitgate_temporal_settings_install(GObjectClass *class);

void gst_vitgate_temporal_settings_init(GstVitgateTemporalSettings *settings);

/* Returns: FALSE if no setting has the number @id. */
gboolean gst_vitgate_temporal_settings_set(GstVitgateTemporalSettings *settings, guint id,
                                           const GValue *value);
gboolean gst_vitgate_temporal_settings_get(const GstVitgateTemporalSettings *settings, guint id,
                                           GValue *value);

/* @temporal: the streams can be updated: they were made before the mode changed
 * @max_compute: of a full pass
 * Returns: the options of the engine's streams. */
VitgateStreamOptions gst_vitgate_temporal_stream_options(const GstVitgateTemporalSettings *settings,
                                                         gboolean temporal, double max_compute);

G_END_DECLS
