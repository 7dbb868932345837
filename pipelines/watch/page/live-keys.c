#include "page/live-keys.h"

#include <string.h>

#include <gio/gio.h>

#include "base/members.h"

#define OFFSET(field) G_STRUCT_OFFSET(LiveSettings, field)
#define KEEP          0.8 /* default of keep-threshold, as a share of threshold */

const LiveKey live_keys[] = {
  { "compute", LIVE_RATIO, OFFSET(compute), 0, 1, -1, FALSE,
    "How much of the network runs, from the model's minimum to all of it; the default is the "
    "model's" },
  { "latency-budget", LIVE_SECONDS, OFFSET(latency_budget), 0, 60, 0, TRUE,
    "Maximum time per frame; to keep it, the dial goes down; 0 is no limit" },
  { "threshold", LIVE_RATIO, OFFSET(threshold), 0, 1, 0.5, FALSE,
    "Minimum score for a label to appear" },
  { "keep-threshold", LIVE_RATIO, OFFSET(keep_threshold), 0, 1, -1, FALSE,
    "Minimum score for a label to stay; the default is 0.8 times threshold" },
  { "unknown-threshold", LIVE_RATIO, OFFSET(unknown_threshold), 0, 1, 0.95, FALSE,
    "Score from which a frame that is like none of the classes is unknown; 0 is never" },
  { "reuse-threshold", LIVE_RATIO, OFFSET(reuse_threshold), 0, 1, -1, FALSE,
    "Change of the picture up to which the last result stands; the default is 0.031" },
  { "change-threshold", LIVE_RATIO, OFFSET(change_threshold), 0, 1, 3 / 255.0, FALSE,
    "Change from which a patch of the picture is computed again" },
  { "temporal", LIVE_CHOICE, OFFSET(temporal), 0, 0, 1, FALSE,
    "Whether only the patches that changed are computed" },
  { "max-age", LIVE_SECONDS, OFFSET(max_age), 0, DAY, 10, FALSE,
    "Maximum time for which the result of an unchanged scene is reused; 0 is no limit" },
  { NULL },
};

static double *value_of(const LiveKey *key, LiveSettings *settings)
{
  return (double *)((char *)settings + key->offset);
}

static double get_value(const LiveKey *key, const LiveSettings *settings)
{
  return *value_of(key, (LiveSettings *)settings);
}

/* ---- Listing ------------------------------------------------------------------------------- */

static void add_number(JsonBuilder *builder, const char *member, double value)
{
  json_builder_set_member_name(builder, member);
  if (value < 0)
    json_builder_add_null_value(builder);
  else
    json_builder_add_double_value(builder, value);
}

static void add_choices(JsonBuilder *builder)
{
  json_builder_set_member_name(builder, "choices");
  json_builder_begin_array(builder);
  for (guint i = 0; config_temporals[i]; i++)
    json_builder_add_string_value(builder, config_temporals[i]);
  json_builder_end_array(builder);
}

static void add_key(JsonBuilder *builder, const LiveKey *key, const LiveSettings *settings)
{
  static const char *const kinds[] = { "ratio", "seconds", "choice" };
  json_builder_begin_object(builder);
  member_add_string(builder, "key", key->name);
  member_add_string(builder, "kind", kinds[key->kind]);
  if (key->kind == LIVE_CHOICE) {
    member_add_string(builder, "value", config_temporals[settings->temporal]);
    member_add_string(builder, "default", config_temporals[(guint)key->preset]);
    add_choices(builder);
  } else {
    add_number(builder, "value", get_value(key, settings));
    add_number(builder, "default", key->preset);
    add_number(builder, "minimum", key->min);
    add_number(builder, "maximum", key->max);
  }
  member_add_boolean(builder, "live", TRUE);
  member_add_string(builder, "help", key->help);
  json_builder_end_object(builder);
}

void live_keys_add(JsonBuilder *builder, const LiveSettings *settings)
{
  json_builder_begin_array(builder);
  for (const LiveKey *key = live_keys; key->name; key++)
    add_key(builder, key, settings);
  json_builder_end_array(builder);
}

char *live_key_text(const LiveKey *key, const LiveSettings *settings)
{
  char number[G_ASCII_DTOSTR_BUF_SIZE];
  if (key->kind == LIVE_CHOICE)
    return g_strdup(config_temporals[settings->temporal]);
  const double value = get_value(key, settings);
  return value < 0 ? NULL : g_strdup(g_ascii_formatd(number, sizeof number, "%.6g", value));
}

/* ---- Changing ------------------------------------------------------------------------------ */

static gboolean fail(GError **error, const char *key, const char *format, ...) G_GNUC_PRINTF(3, 4);

static gboolean fail(GError **error, const char *key, const char *format, ...)
{
  va_list args;
  va_start(args, format);
  g_autofree char *reason = g_strdup_vprintf(format, args);
  va_end(args);
  g_set_error(error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, "%s: %s", key, reason);
  return FALSE;
}

static gboolean change_choice(LiveSettings *settings, const LiveKey *key, JsonNode *node,
                              GError **error)
{
  const char *text = JSON_NODE_HOLDS_VALUE(node) ? json_node_get_string(node) : NULL;
  if (JSON_NODE_HOLDS_NULL(node)) {
    settings->temporal = (guint)key->preset;
    return TRUE;
  }
  for (guint i = 0; text && config_temporals[i]; i++) {
    if (!strcmp(config_temporals[i], text)) {
      settings->temporal = i;
      return TRUE;
    }
  }
  g_autofree char *known = g_strjoinv(", ", (char **)config_temporals);
  return fail(error, key->name, "expected one of %s", known);
}

static gboolean change_number(LiveSettings *settings, const LiveKey *key, JsonNode *node,
                              GError **error)
{
  const GType type = JSON_NODE_HOLDS_VALUE(node) ? json_node_get_value_type(node) : G_TYPE_INVALID;
  if (JSON_NODE_HOLDS_NULL(node)) {
    *value_of(key, settings) = key->preset;
    return TRUE;
  }
  const double value =
      type == G_TYPE_DOUBLE || type == G_TYPE_INT64 ? json_node_get_double(node) : 0;
  if ((type != G_TYPE_DOUBLE && type != G_TYPE_INT64) || !(value >= key->min && value <= key->max))
    return fail(error, key->name, "expected a number from %g to %g, or null", key->min, key->max);
  *value_of(key, settings) = value;
  return TRUE;
}

static const LiveKey *find_key(const char *name)
{
  for (const LiveKey *key = live_keys; key->name; key++)
    if (!strcmp(key->name, name))
      return key;
  return NULL;
}

/* Without a value of its own, keep-threshold follows threshold. */
static gboolean complete(LiveSettings *settings, const LiveSettings *before, JsonObject *changes,
                         const LookConfig *look, GError **error)
{
  const gboolean follows = ABS(before->keep_threshold - KEEP * before->threshold) < 1e-9 ||
                           before->keep_threshold > settings->threshold;
  if (settings->keep_threshold < 0 ||
      (follows && !json_object_has_member(changes, "keep-threshold")))
    settings->keep_threshold = KEEP * settings->threshold;
  if (settings->keep_threshold > settings->threshold)
    return fail(error, "keep-threshold", "%g is greater than threshold (%g)",
                settings->keep_threshold, settings->threshold);
  if (settings->compute >= 0 && look->min_compute > settings->compute)
    return fail(error, "compute", "%g is less than min-compute (%g)", settings->compute,
                look->min_compute);
  if (look->when_changed && settings->reuse_threshold <= 0)
    return fail(error, "reuse-threshold", "must be greater than 0, since when-changed is true");
  return TRUE;
}

gboolean live_keys_change(LiveSettings *settings, JsonObject *changes, const LookConfig *look,
                          GError **error)
{
  LiveSettings changed = *settings;
  JsonObjectIter iter;
  const char *name;
  JsonNode *node;
  json_object_iter_init_ordered(&iter, changes);
  while (json_object_iter_next_ordered(&iter, &name, &node)) {
    const LiveKey *key = find_key(name);
    if (!key)
      return fail(error, name, "is no setting that can be changed here");
    if (key->kind == LIVE_CHOICE ? !change_choice(&changed, key, node, error)
                                 : !change_number(&changed, key, node, error))
      return FALSE;
  }
  if (!complete(&changed, settings, changes, look, error))
    return FALSE;
  *settings = changed;
  return TRUE;
}
