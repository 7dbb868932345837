/* The settings of a camera that can change while it plays: of the whole frame, if it is classified,
 * and of each look. They outlive the connection. May be used from any thread. */
#pragma once

#include "camera/analysis.h"
#include "camera/look-watch.h"

typedef struct _LiveTable LiveTable;

/* @watches: (element-type LookWatch): of the whole frame and each look; must live as long
 * Returns: (transfer full): with the settings of @config */
LiveTable *live_table_new(const CameraConfig *config, GPtrArray *watches);

/* Sets the analysis of the connection, and applies all settings to it.
 * @analysis: (nullable): NULL before it is freed */
void live_table_set_analysis(LiveTable *self, Analysis *analysis);

/* @look: (nullable): NULL: the whole frame
 * Returns: FALSE if there is no such look */
gboolean live_table_get(LiveTable *self, const char *look, LiveSettings *settings);

/* Applies settings at once. All looks share the latency budget. */
void live_table_set(LiveTable *self, const char *look, const LiveSettings *settings);

/* Returns: (transfer full) (element-type LoadedModel): the models that are loaded */
GArray *live_table_list_models(LiveTable *self);

void live_table_free(LiveTable **self);
