/* settings.h: the element's properties: definitions, defaults and values. Not locked: the element's
 * object lock guards them. */
#pragma once

#include "classify/classifier.h"
#include "classify/fixed-region.h"
#include "classify/region-settings.h"
#include "classify/setting-numbers.h"
#include "classify/temporal-settings.h"

G_BEGIN_DECLS

typedef struct {
  char *model;     /* NULL: the default model */
  char *labels;    /* NULL: the model's */
  guint top_k;     /* 0: as the model needs */
  float threshold; /* below 0: as the model needs */
  double unknown_threshold;
  GstVitgateSmoothingOptions smoothing;
  guint interval; /* frames from one inference to the next */
  guint threads;
  VitgatePrecision precision;
  GstVitgateFit fit;
  double compute;      /* below 0: the model's default */
  double min_compute;  /* how far the budget may lower it */
  GstClockTime budget; /* 0: none */
  gboolean post_messages;
  gboolean token_map;
  gboolean features;
  gint orientation;                   /* of GST_TYPE_VITGATE_ORIENTATION */
  char *region;                       /* NULL: the whole frame */
  GstVitgateFixedRegion fixed_region; /* the last @region that could be read */
  const char *look;                   /* interned; NULL: unnamed */
  GstVitgateTemporalSettings temporal;
  GstVitgateRegionSettings regions;
} GstVitgateSettings;

/* Installs the properties in @class. */
void gst_vitgate_settings_install(GObjectClass *class);

void gst_vitgate_settings_init(GstVitgateSettings *settings);

/* Frees the contents of @settings, not @settings itself. */
void gst_vitgate_settings_clear(GstVitgateSettings *settings);

/* Returns: FALSE if no setting has the number @id. */
gboolean gst_vitgate_settings_set(GstVitgateSettings *settings, guint id, const GValue *value);
gboolean gst_vitgate_settings_get(const GstVitgateSettings *settings, guint id, GValue *value);

/* Returns: whether a change of the property @name takes effect only after a load. */
gboolean gst_vitgate_settings_need_load(const char *name);

G_END_DECLS
