#include "config/look-config.h"

#include "config/checks.h"

/* Of the classes that are beyond this one, none is likely. */
#define STATE_TOP_K 128

/* The element's default, unless it has temporal=off. */
#define REUSE_THRESHOLD (8 / 255.0)

const char *const config_precisions[] = { "auto", "float32", "bf16", "int8", NULL };
const char *const config_temporals[] = { "off", "auto", "on", NULL };
const char *const config_fits[] = {
  "auto", "squares", "squash", "letterbox", "crop", "model", NULL
};

#define OFFSET(field) G_STRUCT_OFFSET(LookConfig, field)

const Key look_keys[] = {
  { "model", KEY_SOURCE, OFFSET(model) },
  { "model-labels", KEY_PATH, OFFSET(model_labels) },
  { "precision", KEY_CHOICE, OFFSET(precision), .choices = config_precisions },
  { "fit", KEY_CHOICE, OFFSET(fit), .choices = config_fits },
  { "top-k", KEY_COUNT, OFFSET(top_k), 1, 1000 },
  { "compute", KEY_RATIO, OFFSET(compute), 0, 1 },
  { "min-compute", KEY_RATIO, OFFSET(min_compute), 0, 1 },
  { "temporal", KEY_CHOICE, OFFSET(temporal), .choices = config_temporals },
  { "change-threshold", KEY_RATIO, OFFSET(change_threshold), 0, 1 },
  { "refresh-interval", KEY_COUNT, OFFSET(refresh_interval), 0, 1000000 },
  { "reuse-threshold", KEY_RATIO, OFFSET(reuse_threshold), 0, 1 },
  { "max-age", KEY_SECONDS, OFFSET(max_age), 0, DAY },
  { "unknown-threshold", KEY_RATIO, OFFSET(unknown_threshold), 0, 1 },
  { "labels", KEY_LIST, OFFSET(labels) },
  { "threshold", KEY_RATIO, OFFSET(threshold), 0, 1 },
  { "keep-threshold", KEY_RATIO, OFFSET(keep_threshold), 0, 1 },
  { "appear-after", KEY_SECONDS, OFFSET(appear_after), 0, DAY },
  { "vanish-after", KEY_SECONDS, OFFSET(vanish_after), 0, DAY },
  { "state", KEY_SWITCH, OFFSET(state) },
  { "states", KEY_LIST, OFFSET(states) },
  { "state-lead", KEY_RATIO, OFFSET(state_lead), 1, 1000000 },
  { "keep-state", KEY_SECONDS, OFFSET(keep_state), 0, DAY },
  { NULL },
};

static const Key own_keys[] = {
  { "camera", KEY_TEXT, OFFSET(camera) },
  { "region", KEY_TEXT, OFFSET(region) },
  { "interval", KEY_SECONDS, OFFSET(interval), 0, DAY },
  { "when-changed", KEY_SWITCH, OFFSET(when_changed) },
  { NULL },
};

/* Returns: (transfer none): the keys of a look */
static const Key *all_keys(void)
{
  static gsize keys;
  if (g_once_init_enter(&keys))
    g_once_init_leave(&keys, (gsize)keys_join(own_keys, look_keys, 0));
  return (const Key *)keys;
}

const LookConfig look_defaults = {
  .top_k = 5,
  .compute = -1,
  .min_compute = -1,
  .temporal = 1, /* auto */
  .change_threshold = -1,
  .refresh_interval = 50,
  .reuse_threshold = -1,
  .max_age = 10,
  .unknown_threshold = -1,
  .threshold = 0.5,
  .keep_threshold = -1,
  .appear_after = 0.5,
  .vanish_after = 2,
  .state_lead = 2,
  .keep_state = 60,
};

guint look_top_k(const LookConfig *look)
{
  return look->state ? MAX(look->top_k, STATE_TOP_K) : look->top_k;
}

gboolean look_complete(const KeySource *source, const char *group, LookConfig *look, GError **error)
{
  if (look->keep_threshold < 0)
    look->keep_threshold = 0.8 * look->threshold;
  if (look->keep_threshold > look->threshold)
    return key_fail(source, group, "keep-threshold", error, "%g is greater than threshold (%g)",
                    look->keep_threshold, look->threshold);
  if (look->compute >= 0 && look->min_compute > look->compute)
    return key_fail(source, group, "min-compute", error, "%g is greater than compute (%g)",
                    look->min_compute, look->compute);
  /* Those of [defaults] may be for others. */
  if (look->states && !look->state && g_key_file_has_key(source->file, group, "states", NULL))
    return key_fail(source, group, "states", error, "is set, but state is not true");
  if (model_source_is(look->model)
          ? !(look->source = model_source_parse(source, group, look->model, error))
          : !check_readable(source, group, "model", look->model, error))
    return FALSE;
  return check_readable(source, group, "model-labels", look->model_labels, error);
}

void look_locate_model(LookConfig *self, const FetchConfig *fetch)
{
  if (!self->source)
    return;
  model_source_locate(self->source, fetch);
  g_free(self->model);
  self->model = g_strdup(self->source->path);
}

void look_forget_model(LookConfig *copy)
{
  copy->model = copy->model_labels = NULL;
  copy->source = NULL;
}

/* ---- Looks --------------------------------------------------------------------------------- */

LookConfig *look_config_new(const char *name)
{
  LookConfig *self = g_new(LookConfig, 1);
  *self = look_defaults;
  self->name = g_strdup(name);
  return self;
}

void look_config_free(LookConfig *self)
{
  keys_clear(all_keys(), self);
  model_source_free(self->source);
  g_free(self->name);
  g_free(self);
}

/* Removes what says something about the labels of another model. */
static void forget_labels(LookConfig *self)
{
  g_clear_pointer(&self->model_labels, g_free);
  g_clear_pointer(&self->labels, g_strfreev);
  g_clear_pointer(&self->states, g_strfreev);
}

/* An unchanged region keeps its result for ever. What a user sets for this look stays. */
static gboolean set_when_changed(const KeySource *source, const char *group, LookConfig *self,
                                 GError **error)
{
  if (!self->when_changed)
    return TRUE;
  if (!g_key_file_has_key(source->file, group, "max-age", NULL))
    self->max_age = 0;
  if (!g_key_file_has_key(source->file, group, "reuse-threshold", NULL))
    self->reuse_threshold = REUSE_THRESHOLD;
  return self->reuse_threshold > 0 ||
         key_fail(source, group, "reuse-threshold", error, "is 0, but when-changed is true");
}

gboolean look_config_read(LookConfig *self, const KeySource *source, const char *group,
                          GError **error)
{
  if (!check_name(source, group, "look", self->name, error) ||
      !keys_read_some(source, DEFAULTS, look_keys, self, error))
    return FALSE;
  if (g_key_file_has_key(source->file, group, "model", NULL))
    forget_labels(self);
  if (!keys_read(source, group, all_keys(), self, error))
    return FALSE;
  if (!self->camera)
    return key_fail(source, group, "camera", error, "is missing");
  return set_when_changed(source, group, self, error) && look_complete(source, group, self, error);
}

char *look_config_fingerprint(const LookConfig *self)
{
  g_autofree char *keys = keys_fingerprint(all_keys(), self);
  g_autofree char *urls = self->source ? g_strjoinv("\n", self->source->urls) : NULL;
  return g_strdup_printf("[look %s]\n%s%s\n", self->name, keys, urls ? urls : "");
}
