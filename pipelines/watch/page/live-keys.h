/* The keys of the key file that can change while a camera plays. */
#pragma once

#include <json-glib/json-glib.h>

#include "camera/live-settings.h"

typedef enum {
  LIVE_RATIO,
  LIVE_SECONDS,
  LIVE_CHOICE,
} LiveKind;

typedef struct {
  const char *name;
  LiveKind kind;
  gsize offset; /* in LiveSettings */
  double min, max;
  double preset;      /* default; negative: the element's, or that of the model */
  gboolean of_camera; /* the camera's, for all of its looks */
  const char *help;
} LiveKey;

/* Ends with a key without a name. */
extern const LiveKey live_keys[];

/* @settings: what is used now
 * @look: of the camera
 * Returns: adds an array of settings to @builder */
void live_keys_add(JsonBuilder *builder, const LiveSettings *settings);

/* Changes settings.
 * @changes: of keys to values; null: the default
 * @look: whose settings they are
 * Returns: FALSE with an error of G_IO_ERROR that names the key; @settings has not changed then */
gboolean live_keys_change(LiveSettings *settings, JsonObject *changes, const LookConfig *look,
                          GError **error);

/* Returns: (transfer full) (nullable): the value as the key file has it; NULL: the default */
char *live_key_text(const LiveKey *key, const LiveSettings *settings);
