/* What the page sees of the watcher. This header needs no libsoup. */
#pragma once

#include "camera/camera.h"
#include "camera/status.h"
#include "config/config.h"

/* What the page needs of the watcher; all called in the main context. */
typedef struct {
  /* Free it with status_clear(). */
  void (*get_status)(Status *status, gpointer user_data);
  Camera *(*find_camera)(const char *name, gpointer user_data); /* (transfer none) (nullable) */
  const Config *(*get_config)(gpointer user_data);
  gboolean (*reload)(GError **error, gpointer user_data); /* as SIGHUP */
  gpointer user_data;
} PageWatch;
