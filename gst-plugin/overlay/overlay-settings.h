/* overlay-settings.h: the properties of vitgateoverlay: definitions, defaults and values. Not
 * locked: the element's object lock guards them. */
#pragma once

#include "overlay/drawing.h"

G_BEGIN_DECLS

/* The number of settings' properties and one: the element's other properties start here. */
#define GST_VITGATE_OVERLAY_N_SETTINGS 14

/* The values of the properties. */
typedef struct {
  GstVitgateCorner corner;
  double text_size;           /* relative to the frame */
  PangoFontDescription *font; /* its size, if any, overrides text_size */
  guint top_k;
  gboolean bar, state, rate, tokens; /* shown */
  GstVitgateColors colors;
  guint32 region_color;
  gint orientation; /* of GST_TYPE_VITGATE_ORIENTATION */
  guint64 serial;   /* incremented with each change */
} GstVitgateOverlaySettings;

/* Installs the properties in @class. */
void gst_vitgate_overlay_settings_install(GObjectClass *class);

void gst_vitgate_overlay_settings_init(GstVitgateOverlaySettings *settings);

/* Frees the contents of @settings, not @settings itself. */
void gst_vitgate_overlay_settings_clear(GstVitgateOverlaySettings *settings);

/* Returns: FALSE if no setting has the number @id. */
gboolean gst_vitgate_overlay_settings_set(GstVitgateOverlaySettings *settings, guint id,
                                          const GValue *value);
gboolean gst_vitgate_overlay_settings_get(const GstVitgateOverlaySettings *settings, guint id,
                                          GValue *value);

G_END_DECLS
