/* settings.h: what the user sets: the element's properties, their defaults and what they hold. Not
 * locked: the element's object lock guards them. */
#pragma once

#include "classify/classifier.h"
#include "classify/region-settings.h"

G_BEGIN_DECLS

typedef struct {
  char *model;  /* NULL: the default one */
  char *labels; /* NULL: the model's */
  guint top_k;
  float threshold;
  guint interval; /* frames from one inference to the next */
  guint threads;
  VitgatePrecision precision;
  double compute;         /* below 0: the model's default */
  double min_compute;     /* least that time may bring it down to */
  GstClockTime budget;    /* 0: none */
  double reuse_threshold; /* 0: nothing is reused */
  GstClockTime max_age;   /* 0: any */
  gboolean post_messages;
  GstVitgateRegionSettings regions;
} GstVitgateSettings;

/* Numbers of the properties; an element's other ones follow GST_VITGATE_N_SETTINGS. */
enum {
  GST_VITGATE_SETTING_MODEL = 1,
  GST_VITGATE_SETTING_LABELS,
  GST_VITGATE_SETTING_TOP_K,
  GST_VITGATE_SETTING_THRESHOLD,
  GST_VITGATE_SETTING_INFERENCE_INTERVAL,
  GST_VITGATE_SETTING_THREADS,
  GST_VITGATE_SETTING_PRECISION,
  GST_VITGATE_SETTING_COMPUTE,
  GST_VITGATE_SETTING_MIN_COMPUTE,
  GST_VITGATE_SETTING_LATENCY_BUDGET,
  GST_VITGATE_SETTING_REUSE_THRESHOLD,
  GST_VITGATE_SETTING_MAX_AGE,
  GST_VITGATE_SETTING_POST_MESSAGES,
  GST_VITGATE_SETTING_INFERENCE_REGION,
  GST_VITGATE_SETTING_OBJECT_CLASS,
  GST_VITGATE_SETTING_MIN_REGION_SIZE,
  GST_VITGATE_SETTING_MAX_REGIONS,
  GST_VITGATE_SETTING_RECLASSIFY_INTERVAL,
  GST_VITGATE_N_SETTINGS,
};

/* Gives @class the properties. */
void gst_vitgate_settings_install(GObjectClass *class);

void gst_vitgate_settings_init(GstVitgateSettings *settings);

/* Frees what @settings hold, not @settings. */
void gst_vitgate_settings_clear(GstVitgateSettings *settings);

/* Returns: FALSE where no setting has the number @id. */
gboolean gst_vitgate_settings_set(GstVitgateSettings *settings, guint id, const GValue *value);
gboolean gst_vitgate_settings_get(const GstVitgateSettings *settings, guint id, GValue *value);

/* Returns: whether the property @name needs a load to take effect. */
gboolean gst_vitgate_settings_need_load(const char *name);

G_END_DECLS
