#include "camera/live-table.h"

#include "camera/live-settings.h"

struct _LiveTable {
  GPtrArray *watches; /* of LookWatch */

  GMutex lock;
  Analysis *analysis; /* or NULL */
  GArray *settings;   /* of LiveSettings: of each of @watches */
};

LiveTable *live_table_new(const CameraConfig *config, GPtrArray *watches)
{
  LiveTable *self = g_new0(LiveTable, 1);
  self->watches = watches;
  self->settings = g_array_new(FALSE, FALSE, sizeof(LiveSettings));
  g_mutex_init(&self->lock);
  for (guint i = config->whole_frame ? 0 : 1; i < config->looks->len + 1; i++) {
    const LiveSettings settings =
        live_settings_of(config, i == 0 ? &config->whole : config->looks->pdata[i - 1]);
    g_array_append_val(self->settings, settings);
  }
  return self;
}

void live_table_free(LiveTable **table)
{
  LiveTable *self = *table;
  *table = NULL;
  g_array_unref(self->settings);
  g_mutex_clear(&self->lock);
  g_free(self);
}

/* Call with the lock held. */
static void apply(LiveTable *self, guint i)
{
  const LiveSettings *settings = &g_array_index(self->settings, LiveSettings, i);
  LookWatch *watch = self->watches->pdata[i];
  look_watch_set_thresholds(watch, settings->threshold, settings->keep_threshold);
  if (self->analysis)
    analysis_set_live(self->analysis, look_watch_get_name(watch), settings);
}

void live_table_set_analysis(LiveTable *self, Analysis *analysis)
{
  g_mutex_lock(&self->lock);
  self->analysis = analysis;
  for (guint i = 0; analysis && i < self->settings->len; i++)
    apply(self, i);
  g_mutex_unlock(&self->lock);
}

static gboolean find(LiveTable *self, const char *look, guint *i)
{
  for (*i = 0; *i < self->watches->len; (*i)++)
    if (g_strcmp0(look_watch_get_name(self->watches->pdata[*i]), look) == 0)
      return TRUE;
  return FALSE;
}

gboolean live_table_get(LiveTable *self, const char *look, LiveSettings *settings)
{
  guint i;
  if (!find(self, look, &i))
    return FALSE;
  g_mutex_lock(&self->lock);
  *settings = g_array_index(self->settings, LiveSettings, i);
  g_mutex_unlock(&self->lock);
  return TRUE;
}

void live_table_set(LiveTable *self, const char *look, const LiveSettings *settings)
{
  guint i;
  if (!find(self, look, &i))
    return;
  g_mutex_lock(&self->lock);
  g_array_index(self->settings, LiveSettings, i) = *settings;
  for (guint k = 0; k < self->settings->len; k++) {
    LiveSettings *other = &g_array_index(self->settings, LiveSettings, k);
    const gboolean changed = k == i || other->latency_budget != settings->latency_budget;
    other->latency_budget = settings->latency_budget;
    if (changed)
      apply(self, k);
  }
  g_mutex_unlock(&self->lock);
}

GArray *live_table_list_models(LiveTable *self)
{
  GArray *models = g_array_new(FALSE, FALSE, sizeof(LoadedModel));
  g_array_set_clear_func(models, loaded_model_clear);
  g_mutex_lock(&self->lock);
  if (self->analysis)
    analysis_list_models(self->analysis, models);
  g_mutex_unlock(&self->lock);
  return models;
}
