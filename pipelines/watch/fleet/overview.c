#include "fleet/overview.h"

#include <string.h>

#include "base/clean-text.h"
#include "base/members.h"
#include "base/times.h"
#include "fleet/text-table.h"
#include "fleet/view.h"

#define NONE "-"

/* A fleet at one revision. */
typedef struct {
  View view;
  GHashTable *values; /* JsonNode: what nodes and claims say, by "PART/NAME" */
} Overview;

static void clear(Overview *self)
{
  view_clear(&self->view);
  g_hash_table_unref(self->values);
}

static gboolean read_fleet(Overview *self, Etcd *etcd, const FleetConfig *config, GError **error)
{
  char *prefix = fleet_key(config, NULL, NULL);
  gint64 revision;
  g_autoptr(GPtrArray) items = etcd_get_prefix(etcd, prefix, &revision, error);
  view_init(&self->view, prefix);
  self->values =
      g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)json_node_unref);
  if (!items) {
    clear(self);
    return FALSE;
  }
  view_reset(&self->view, items, revision);
  for (guint i = 0; i < items->len; i++) {
    const EtcdItem *item = items->pdata[i];
    const char *name = item->key + strlen(prefix);
    if (!g_str_has_prefix(name, FLEET_NODES "/") && !g_str_has_prefix(name, FLEET_CLAIMS "/"))
      continue;
    JsonNode *value = json_from_string(item->value, NULL);
    if (value && JSON_NODE_HOLDS_OBJECT(value))
      g_hash_table_insert(self->values, g_strdup(name), value);
    else
      g_clear_pointer(&value, json_node_unref);
  }
  return TRUE;
}

/* Returns: (transfer none) (nullable) */
static JsonObject *get_value(const Overview *self, const char *part, const char *name)
{
  g_autofree char *key = g_strconcat(part, "/", name, NULL);
  JsonNode *value = g_hash_table_lookup(self->values, key);
  return value ? json_node_get_object(value) : NULL;
}

static const char *get_text(const Overview *self, const char *part, const char *name,
                            const char *member)
{
  JsonObject *value = get_value(self, part, name);
  return value ? member_get_string(value, member) : NULL;
}

static int compare_cameras(gconstpointer a, gconstpointer b)
{
  return strcmp(((const ViewCamera *)a)->name, ((const ViewCamera *)b)->name);
}

static int compare_nodes(gconstpointer a, gconstpointer b)
{
  return strcmp(((const ViewNode *)a)->name, ((const ViewNode *)b)->name);
}

/* Returns: (transfer container): of ViewCamera */
static GList *get_cameras(const Overview *self)
{
  return g_list_sort(g_hash_table_get_values(self->view.cameras), compare_cameras);
}

static GPtrArray *new_rows(void)
{
  return g_ptr_array_new_with_free_func((GDestroyNotify)g_strfreev);
}

/* @...: cells; ends with NULL */
static void add_row(GPtrArray *rows, const char *first, ...)
{
  g_autoptr(GStrvBuilder) cells = g_strv_builder_new();
  va_list args;
  va_start(args, first);
  for (const char *cell = first; cell; cell = va_arg(args, const char *))
    g_strv_builder_add(cells, cell);
  va_end(args);
  g_ptr_array_add(rows, g_strv_builder_end(cells));
}

/* Returns: (transfer full): for people */
static char *local_time(const char *utc)
{
  g_autoptr(GDateTime) time = utc ? g_date_time_new_from_iso8601(utc, NULL) : NULL;
  return time ? time_to_local(g_date_time_to_unix(time) * G_USEC_PER_SEC) : g_strdup(NONE);
}

/* ---- Cameras ------------------------------------------------------------------------------- */

static char *list_text(const Overview *self)
{
  g_autoptr(GPtrArray) rows = new_rows();
  g_autoptr(GList) cameras = get_cameras(self);
  add_row(rows, "CAMERA", "OWNER", "SINCE", "PREFERRED", NULL);
  for (GList *at = cameras; at; at = at->next) {
    const ViewCamera *camera = at->data;
    g_autofree char *since =
        local_time(camera->owner ? get_text(self, FLEET_CLAIMS, camera->name, "since") : NULL);
    add_row(rows, camera->name, camera->owner ? camera->owner : NONE, since,
            !camera->text       ? "(removed)"
            : camera->preferred ? camera->preferred->name
                                : NONE,
            NULL);
  }
  return text_table(rows);
}

static char *list_json(const Overview *self)
{
  g_autoptr(JsonBuilder) builder = json_builder_new();
  g_autoptr(GList) cameras = get_cameras(self);
  json_builder_begin_array(builder);
  for (GList *at = cameras; at; at = at->next) {
    const ViewCamera *camera = at->data;
    json_builder_begin_object(builder);
    member_add_string(builder, "name", camera->name);
    member_add_string(builder, "owner", camera->owner);
    member_add_count(builder, "claim", (guint64)camera->claim);
    member_add_string(builder, "since",
                      camera->owner ? get_text(self, FLEET_CLAIMS, camera->name, "since") : NULL);
    member_add_string(builder, "preferred", camera->preferred ? camera->preferred->name : NULL);
    member_add_boolean(builder, "removed", !camera->text);
    json_builder_end_object(builder);
  }
  json_builder_end_array(builder);
  g_autofree char *line = member_to_line(builder);
  return g_strconcat(line, "\n", NULL);
}

char *overview_list(Etcd *etcd, const FleetConfig *config, gboolean json, GError **error)
{
  Overview self;
  if (!read_fleet(&self, etcd, config, error))
    return NULL;
  char *text = json ? list_json(&self) : list_text(&self);
  clear(&self);
  return text;
}

/* ---- Nodes --------------------------------------------------------------------------------- */

typedef struct {
  const ViewNode *node;
  const char *version; /* (nullable) */
  double load;         /* GMAC/s */
  guint cameras;       /* that it owns */
  gint64 lease_left;   /* seconds; negative: unknown */
  gboolean draining;
} NodeState;

static NodeState get_node(const Overview *self, Etcd *etcd, const ViewNode *node)
{
  JsonObject *value = get_value(self, FLEET_NODES, node->name);
  NodeState state = {
    .node = node,
    .version = get_text(self, FLEET_NODES, node->name, "version"),
    .load = value ? member_get_double(value, "load", 0) : 0,
    .lease_left = -1,
    .draining = g_hash_table_contains(self->view.drained, node->name),
  };
  GHashTableIter iter;
  gpointer camera;
  g_hash_table_iter_init(&iter, self->view.cameras);
  while (g_hash_table_iter_next(&iter, NULL, &camera))
    state.cameras += !g_strcmp0(((ViewCamera *)camera)->owner, node->name);
  if (!node->lease || !etcd_time_to_live(etcd, node->lease, &state.lease_left, NULL))
    state.lease_left = -1;
  return state;
}

/* Returns: (transfer full): of NodeState, by name */
static GArray *get_nodes(const Overview *self, Etcd *etcd)
{
  g_autoptr(GList) nodes = g_list_sort(g_hash_table_get_values(self->view.nodes), compare_nodes);
  GArray *states = g_array_new(FALSE, FALSE, sizeof(NodeState));
  for (GList *at = nodes; at; at = at->next) {
    const NodeState state = get_node(self, etcd, at->data);
    g_array_append_val(states, state);
  }
  return states;
}

/* Returns: (transfer full): the names of cameras without an owner */
static GPtrArray *get_unowned(const Overview *self)
{
  GPtrArray *names = g_ptr_array_new();
  g_autoptr(GList) cameras = get_cameras(self);
  for (GList *at = cameras; at; at = at->next) {
    const ViewCamera *camera = at->data;
    if (camera->text && !camera->claim)
      g_ptr_array_add(names, camera->name);
  }
  return names;
}

static void append_node_rows(GString *text, const GArray *nodes)
{
  g_autoptr(GPtrArray) rows = new_rows();
  add_row(rows, "NODE", "HOST", "VERSION", "GMAC/S", "LOAD", "CAMERAS", "LEASE", "", NULL);
  for (guint i = 0; i < nodes->len; i++) {
    const NodeState *state = &g_array_index(nodes, NodeState, i);
    g_autofree char *capacity = g_strdup_printf("%.1f", state->node->capacity);
    g_autofree char *load = g_strdup_printf("%.1f", state->load);
    g_autofree char *cameras = g_strdup_printf("%u", state->cameras);
    g_autofree char *lease = state->lease_left < 0
                                 ? g_strdup(NONE)
                                 : g_strdup_printf("%" G_GINT64_FORMAT " s", state->lease_left);
    add_row(rows, state->node->name, state->node->host, state->version ? state->version : NONE,
            capacity, load, cameras, lease, state->draining ? "draining" : "", NULL);
  }
  g_autofree char *table = text_table(rows);
  g_string_append(text, table);
}

static void append_endpoints(GString *text, Etcd *etcd, const FleetConfig *config)
{
  for (guint i = 0; config->etcd[i]; i++) {
    g_autoptr(GError) reason = NULL;
    if (etcd_check_endpoint(etcd, i, &reason))
      g_string_append_printf(text, "etcd %s: reachable\n", config->etcd[i]);
    else
      g_string_append_printf(text, "etcd %s: not reachable: %s\n", config->etcd[i],
                             reason->message);
  }
}

static char *status_text(const Overview *self, Etcd *etcd, const FleetConfig *config)
{
  g_autoptr(GArray) nodes = get_nodes(self, etcd);
  g_autoptr(GPtrArray) unowned = get_unowned(self);
  GString *text = g_string_new(NULL);
  g_string_append_printf(text, "fleet %s: nodes: %u, cameras: %u, without an owner: %u\n",
                         config->name, nodes->len, g_hash_table_size(self->view.cameras),
                         unowned->len);
  if (nodes->len)
    append_node_rows(text, nodes);
  append_endpoints(text, etcd, config);
  for (guint i = 0; i < unowned->len; i++) {
    g_autofree char *name = vitgate__clean_text(unowned->pdata[i]);
    g_string_append_printf(text, "%s%s", i ? ", " : "without an owner: ", name);
  }
  if (unowned->len)
    g_string_append_c(text, '\n');
  return g_string_free(text, FALSE);
}

static void add_node(JsonBuilder *builder, const NodeState *state)
{
  json_builder_begin_object(builder);
  member_add_string(builder, "name", state->node->name);
  member_add_string(builder, "host", state->node->host);
  member_add_string(builder, "version", state->version);
  member_add_double(builder, "capacity", state->node->capacity);
  member_add_double(builder, "load", state->load);
  member_add_count(builder, "cameras", state->cameras);
  json_builder_set_member_name(builder, "lease_left");
  if (state->lease_left < 0)
    json_builder_add_null_value(builder);
  else
    json_builder_add_int_value(builder, state->lease_left);
  member_add_boolean(builder, "draining", state->draining);
  json_builder_end_object(builder);
}

static void add_endpoints(JsonBuilder *builder, Etcd *etcd, const FleetConfig *config)
{
  json_builder_set_member_name(builder, "etcd");
  json_builder_begin_array(builder);
  for (guint i = 0; config->etcd[i]; i++) {
    g_autoptr(GError) reason = NULL;
    const gboolean reachable = etcd_check_endpoint(etcd, i, &reason);
    json_builder_begin_object(builder);
    member_add_string(builder, "url", config->etcd[i]);
    member_add_boolean(builder, "reachable", reachable);
    member_add_string(builder, "error", reachable ? NULL : reason->message);
    json_builder_end_object(builder);
  }
  json_builder_end_array(builder);
}

static char *status_json(const Overview *self, Etcd *etcd, const FleetConfig *config)
{
  g_autoptr(JsonBuilder) builder = json_builder_new();
  g_autoptr(GArray) nodes = get_nodes(self, etcd);
  g_autoptr(GPtrArray) unowned = get_unowned(self);
  json_builder_begin_object(builder);
  member_add_string(builder, "fleet", config->name);
  json_builder_set_member_name(builder, "nodes");
  json_builder_begin_array(builder);
  for (guint i = 0; i < nodes->len; i++)
    add_node(builder, &g_array_index(nodes, NodeState, i));
  json_builder_end_array(builder);
  member_add_count(builder, "cameras", g_hash_table_size(self->view.cameras));
  json_builder_set_member_name(builder, "unowned");
  json_builder_begin_array(builder);
  for (guint i = 0; i < unowned->len; i++)
    json_builder_add_string_value(builder, unowned->pdata[i]);
  json_builder_end_array(builder);
  add_endpoints(builder, etcd, config);
  json_builder_end_object(builder);
  g_autofree char *line = member_to_line(builder);
  return g_strconcat(line, "\n", NULL);
}

char *overview_status(Etcd *etcd, const FleetConfig *config, gboolean json, GError **error)
{
  Overview self;
  if (!read_fleet(&self, etcd, config, error))
    return NULL;
  char *text = json ? status_json(&self, etcd, config) : status_text(&self, etcd, config);
  clear(&self);
  return text;
}
