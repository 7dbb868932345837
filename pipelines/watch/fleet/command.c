#include "fleet/command.h"

#include <string.h>

#include "base/clean-text.h"
#include "base/members.h"
#include "config/config.h"
#include "fleet/connect.h"
#include "fleet/overview.h"

#define TIMEOUT   5  /* seconds for an endpoint to answer */
#define MAX_NAMES 20 /* in a message */

static gboolean fail(GError **error, const char *format, ...) G_GNUC_PRINTF(2, 3);

static gboolean fail(GError **error, const char *format, ...)
{
  va_list args;
  va_start(args, format);
  g_autofree char *text = g_strdup_vprintf(format, args);
  va_end(args);
  g_set_error_literal(error, G_IO_ERROR, G_IO_ERROR_FAILED, text);
  return FALSE;
}

static void say(const char *format, ...) G_GNUC_PRINTF(1, 2);

static void say(const char *format, ...)
{
  va_list args;
  va_start(args, format);
  g_autofree char *text = g_strdup_vprintf(format, args);
  va_end(args);
  g_autofree char *clean = vitgate__clean_text(text);
  g_print("%s\n", clean);
}

/* ---- Which fleet --------------------------------------------------------------------------- */

static gboolean set_endpoints(FleetConfig *config, const char *where, const char *text,
                              GError **error)
{
  g_autoptr(GStrvBuilder) urls = g_strv_builder_new();
  g_auto(GStrv) parts = g_strsplit_set(text, ",;", -1);
  for (char **part = parts; *part; part++) {
    g_autofree char *reason = NULL;
    if (!*g_strstrip(*part))
      continue;
    if (!fleet_config_check_url(*part, &reason)) {
      g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, "%s: %s", where, reason);
      return FALSE;
    }
    g_strv_builder_add(urls, *part);
  }
  config->etcd = g_strv_builder_end(urls);
  if (config->etcd[0])
    return TRUE;
  g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
              "%s: expected URLs of etcd, such as http://localhost:2379", where);
  return FALSE;
}

static gboolean set_fleet(FleetConfig *config, const char *name, GError **error)
{
  if (!name)
    return TRUE;
  if (!fleet_config_check_name(name)) {
    g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                "--fleet-name: \"%s\" is no name of a fleet: it has spaces or / + # \\ \"", name);
    return FALSE;
  }
  g_free(config->name);
  config->name = g_strdup(name);
  return TRUE;
}

/* @config: (out): free it with fleet_config_clear(), whatever is returned */
static gboolean find_fleet(const FleetCommand *self, FleetConfig *config, GError **error)
{
  const char *variable = g_getenv("VITGATE_ETCD");
  *config = (FleetConfig){ .name = g_strdup("default") };
  if (self->etcd && self->config) {
    g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                "--etcd and --config exclude each other");
    return FALSE;
  }
  if (self->config) {
    fleet_config_clear(config);
    return fleet_config_load(config, self->config, error) && set_fleet(config, self->fleet, error);
  }
  if (!self->etcd && !variable) {
    g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                "which etcd? Expected --etcd URL, --config KEYFILE or the environment variable "
                "VITGATE_ETCD");
    return FALSE;
  }
  return set_endpoints(config, self->etcd ? "--etcd" : "VITGATE_ETCD",
                       self->etcd ? self->etcd : variable, error) &&
         set_fleet(config, self->fleet, error);
}

/* ---- Keys ---------------------------------------------------------------------------------- */

/* Returns: (transfer full): of EtcdItem by name; NULL with an error */
static GHashTable *get_part(Etcd *etcd, const FleetConfig *config, const char *part, GError **error)
{
  g_autofree char *prefix = fleet_key(config, part, NULL);
  g_autoptr(GPtrArray) items = etcd_get_prefix(etcd, prefix, NULL, error);
  if (!items)
    return NULL;
  GHashTable *table =
      g_hash_table_new_full(g_str_hash, g_str_equal, NULL, (GDestroyNotify)etcd_item_free);
  g_ptr_array_set_free_func(items, NULL);
  for (guint i = 0; i < items->len; i++) {
    EtcdItem *item = items->pdata[i];
    g_hash_table_insert(table, item->key + strlen(prefix), item);
  }
  return table;
}

/* Returns: (transfer full): "there are a, b" */
static char *list_names(GHashTable *table)
{
  g_autoptr(GList) names = g_list_sort(g_hash_table_get_keys(table), (GCompareFunc)strcmp);
  GString *text = g_string_new(NULL);
  guint n = 0;
  for (GList *at = names; at && n < MAX_NAMES; at = at->next, n++)
    g_string_append_printf(text, "%s%s", n ? ", " : "there are ", (const char *)at->data);
  if (!n)
    g_string_append(text, "there are none");
  else if (g_hash_table_size(table) > n)
    g_string_append_printf(text, " and %u more", g_hash_table_size(table) - n);
  return g_string_free(text, FALSE);
}

/* ---- put ----------------------------------------------------------------------------------- */

/* A camera that is to be written. */
typedef struct {
  char *name, *text;
} NewCamera;

static void new_camera_free(gpointer data)
{
  NewCamera *camera = data;
  g_free(camera->name);
  g_free(camera->text);
  g_free(camera);
}

static void copy_group(GKeyFile *to, GKeyFile *from, const char *kind, const char *name)
{
  g_autofree char *group = g_strconcat(kind, " ", name, NULL);
  g_auto(GStrv) keys = g_key_file_get_keys(from, group, NULL, NULL);
  for (char **key = keys; key && *key; key++) {
    g_autofree char *value = g_key_file_get_value(from, group, *key, NULL);
    g_key_file_set_value(to, group, *key, value);
  }
}

/* Returns: (transfer full): the camera's groups only */
static char *make_text(GKeyFile *file, const CameraConfig *camera)
{
  g_autoptr(GKeyFile) own = g_key_file_new();
  copy_group(own, file, "camera", camera->name);
  for (guint i = 0; i < camera->looks->len; i++)
    copy_group(own, file, "look", ((LookConfig *)camera->looks->pdata[i])->name);
  return g_key_file_to_data(own, NULL, NULL);
}

/* Returns: (transfer full): of NewCamera; NULL with an error that names the file and the line */
static GPtrArray *read_cameras(const char *path, GError **error)
{
  const gboolean input = !strcmp(path, "-");
  const char *shown = input ? "standard input" : path;
  g_autofree char *text = NULL;
  g_autoptr(GKeyFile) file = g_key_file_new();
  gsize length;
  if (!g_file_get_contents(input ? "/dev/stdin" : path, &text, &length, error))
    return NULL;
  g_autoptr(GPtrArray) cameras = config_parse_cameras(shown, text, length, error);
  if (!cameras)
    return NULL;
  g_key_file_load_from_data(file, text_after_mark(text), (gsize)-1, G_KEY_FILE_NONE, NULL);
  g_autoptr(GPtrArray) all = g_ptr_array_new_with_free_func(new_camera_free);
  for (guint i = 0; i < cameras->len; i++) {
    NewCamera *camera = g_new(NewCamera, 1);
    camera->name = g_strdup(((CameraConfig *)cameras->pdata[i])->name);
    camera->text = make_text(file, cameras->pdata[i]);
    g_ptr_array_add(all, camera);
    /* As each node will. */
    CameraConfig *again = config_parse_camera(NULL, camera->name, camera->text, error);
    if (!again)
      return NULL;
    camera_config_free(again);
  }
  return g_steal_pointer(&all);
}

/* What happened to cameras: names. */
typedef struct {
  GPtrArray *added, *changed, *unchanged;
} Changes;

static void add_names(JsonBuilder *builder, const char *member, const GPtrArray *names)
{
  json_builder_set_member_name(builder, member);
  json_builder_begin_array(builder);
  for (guint i = 0; i < names->len; i++)
    json_builder_add_string_value(builder, names->pdata[i]);
  json_builder_end_array(builder);
}

static void print_changes(const FleetCommand *self, const Changes *changes)
{
  if (self->json) {
    g_autoptr(JsonBuilder) builder = json_builder_new();
    json_builder_begin_object(builder);
    add_names(builder, "added", changes->added);
    add_names(builder, "changed", changes->changed);
    add_names(builder, "unchanged", changes->unchanged);
    json_builder_end_object(builder);
    g_autofree char *line = member_to_line(builder);
    g_print("%s\n", line);
    return;
  }
  for (guint i = 0; i < changes->added->len; i++)
    say("camera %s: added", (const char *)changes->added->pdata[i]);
  for (guint i = 0; i < changes->changed->len; i++)
    say("camera %s: changed", (const char *)changes->changed->pdata[i]);
  say("added: %u, changed: %u, unchanged: %u", changes->added->len, changes->changed->len,
      changes->unchanged->len);
}

static gboolean write_camera(Etcd *etcd, const FleetConfig *config, const NewCamera *camera,
                             const EtcdItem *old, Changes *changes, GError **error)
{
  GPtrArray *names = !old                                   ? changes->added
                     : !g_strcmp0(old->value, camera->text) ? changes->unchanged
                                                            : changes->changed;
  g_autofree char *key = fleet_key(config, FLEET_CAMERAS, camera->name);
  if (names != changes->unchanged && !etcd_put(etcd, key, camera->text, 0, error))
    return FALSE;
  g_ptr_array_add(names, camera->name);
  return TRUE;
}

static gboolean put(const FleetCommand *self, Etcd *etcd, const FleetConfig *config,
                    char *const *words, GError **error)
{
  g_autoptr(GPtrArray) cameras = read_cameras(words[0], error);
  g_autoptr(GHashTable) old = cameras ? get_part(etcd, config, FLEET_CAMERAS, error) : NULL;
  g_autoptr(GPtrArray) added = g_ptr_array_new(), changed = g_ptr_array_new(),
                       unchanged = g_ptr_array_new();
  Changes changes = { added, changed, unchanged };
  gboolean good = old != NULL;
  for (guint i = 0; good && i < cameras->len; i++) {
    const NewCamera *camera = cameras->pdata[i];
    good =
        write_camera(etcd, config, camera, g_hash_table_lookup(old, camera->name), &changes, error);
    if (!good)
      g_prefix_error(error, "%u of %u cameras were written; run this again: ", i, cameras->len);
  }
  if (good)
    print_changes(self, &changes);
  return good;
}

/* ---- rm, drain, undrain -------------------------------------------------------------------- */

static gboolean rm(const FleetCommand *self, Etcd *etcd, const FleetConfig *config,
                   char *const *words, GError **error)
{
  g_autoptr(GHashTable) cameras = get_part(etcd, config, FLEET_CAMERAS, error);
  if (!cameras)
    return FALSE;
  for (char *const *name = words; *name; name++)
    if (!g_hash_table_contains(cameras, *name)) {
      g_autofree char *names = list_names(cameras);
      return fail(error, "fleet %s has no camera \"%s\" (%s); nothing was removed", config->name,
                  *name, names);
    }
  for (char *const *name = words; *name; name++) {
    g_autofree char *key = fleet_key(config, FLEET_CAMERAS, *name);
    if (!etcd_delete(etcd, key, NULL, error))
      return FALSE;
    say("camera %s: removed", *name);
  }
  return TRUE;
}

static gboolean drain(const FleetCommand *self, Etcd *etcd, const FleetConfig *config,
                      char *const *words, GError **error)
{
  g_autofree char *key = fleet_key(config, FLEET_DRAIN, words[0]);
  g_autoptr(GHashTable) nodes = get_part(etcd, config, FLEET_NODES, error);
  if (!nodes)
    return FALSE;
  if (!g_hash_table_contains(nodes, words[0])) {
    g_autofree char *names = list_names(nodes);
    return fail(error, "fleet %s has no node \"%s\" now (%s)", config->name, words[0], names);
  }
  if (!etcd_put(etcd, key, "", 0, error))
    return FALSE;
  say("node %s: gives its cameras away, and takes none until --fleet undrain", words[0]);
  return TRUE;
}

static gboolean undrain(const FleetCommand *self, Etcd *etcd, const FleetConfig *config,
                        char *const *words, GError **error)
{
  g_autofree char *key = fleet_key(config, FLEET_DRAIN, words[0]);
  gboolean existed;
  if (!etcd_delete(etcd, key, &existed, error))
    return FALSE;
  if (!existed)
    return fail(error, "fleet %s: node \"%s\" is not drained", config->name, words[0]);
  say("node %s: takes cameras again", words[0]);
  return TRUE;
}

/* ---- list and status ----------------------------------------------------------------------- */

static gboolean list(const FleetCommand *self, Etcd *etcd, const FleetConfig *config,
                     char *const *words, GError **error)
{
  g_autofree char *text = overview_list(etcd, config, self->json, error);
  if (text)
    g_print("%s", text);
  return text != NULL;
}

static gboolean status(const FleetCommand *self, Etcd *etcd, const FleetConfig *config,
                       char *const *words, GError **error)
{
  g_autofree char *text = overview_status(etcd, config, self->json, error);
  if (text)
    g_print("%s", text);
  return text != NULL;
}

/* ---- The command --------------------------------------------------------------------------- */

typedef struct {
  const char *name, *arguments; /* as in the help */
  guint min, max;               /* number of arguments */
  gboolean (*run)(const FleetCommand *self, Etcd *etcd, const FleetConfig *config,
                  char *const *words, GError **error);
} Verb;

static const Verb verbs[] = {
  { "put", "FILE", 1, 1, put },          { "list", "", 0, 0, list },
  { "rm", "NAME...", 1, G_MAXUINT, rm }, { "drain", "NODE", 1, 1, drain },
  { "undrain", "NODE", 1, 1, undrain },  { "status", "", 0, 0, status },
};

static const Verb *find_verb(char *const *words, GError **error)
{
  const guint n = g_strv_length((char **)words);
  for (guint i = 0; n && i < G_N_ELEMENTS(verbs); i++) {
    const Verb *verb = &verbs[i];
    if (strcmp(verb->name, words[0]))
      continue;
    if (n - 1 >= verb->min && n - 1 <= verb->max)
      return verb;
    g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                "--fleet %s: got %u argument%s, expected %s", verb->name, n - 1, n == 2 ? "" : "s",
                *verb->arguments ? verb->arguments : "none");
    return NULL;
  }
  g_set_error(
      error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
      "--fleet: expected put FILE, list, rm NAME..., drain NODE, undrain NODE or status%s%s",
      n ? ", got " : "", n ? words[0] : "");
  return NULL;
}

gboolean fleet_command_run(const FleetCommand *self, char *const *words, GError **error)
{
  const Verb *verb = find_verb(words, error);
  FleetConfig config = { 0 };
  gboolean good = verb && find_fleet(self, &config, error);
  Etcd *etcd = good ? fleet_connect(&config, TIMEOUT, NULL, error) : NULL;
  good = etcd && verb->run(self, etcd, &config, words + 1, error);
  if (etcd)
    etcd_free(&etcd);
  fleet_config_clear(&config);
  return good;
}
