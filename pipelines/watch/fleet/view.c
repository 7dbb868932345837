#include "fleet/view.h"

#include <string.h>

#include "base/members.h"
#include "fleet/assignment.h"
#include "fleet/connect.h"

static void free_node(gpointer data)
{
  ViewNode *node = data;
  g_ref_string_release(node->name);
  g_free(node->id);
  g_free(node->host);
  g_free(node);
}

static void free_camera(gpointer data)
{
  ViewCamera *camera = data;
  g_ref_string_release(camera->name);
  g_clear_pointer(&camera->text, g_ref_string_release);
  g_clear_pointer(&camera->owner, g_ref_string_release);
  g_free(camera);
}

void view_init(View *self, char *prefix)
{
  *self = (View){
    .cameras = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, free_camera),
    .nodes = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, free_node),
    .drained = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL),
    .prefix = prefix,
  };
}

void view_clear(View *self)
{
  g_hash_table_unref(self->cameras);
  g_hash_table_unref(self->nodes);
  g_hash_table_unref(self->drained);
  g_free(self->prefix);
}

/* ---- Who should have a camera -------------------------------------------------------------- */

gboolean view_is_eligible(const View *self, const ViewNode *node)
{
  return node->capacity > 0 && !g_hash_table_contains(self->drained, node->name);
}

/* Nodes are asked in the order of their names, which decides if both are as good. */
static gboolean is_better(const ViewNode *node, const ViewNode *than, const ViewCamera *camera)
{
  const gboolean first = strcmp(node->name, than->name) < 0;
  const AssignmentNode own = { node->name, node->capacity }, other = { than->name, than->capacity };
  const AssignmentNode nodes[] = { first ? own : other, first ? other : own };
  return assignment_find_best(nodes, 2, camera->name) == (first ? 0 : 1);
}

static void consider(ViewCamera *camera, const ViewNode *node)
{
  if (!camera->preferred || is_better(node, camera->preferred, camera))
    camera->preferred = node;
}

static void find_preferred(const View *self, ViewCamera *camera)
{
  GHashTableIter iter;
  gpointer node;
  camera->preferred = NULL;
  g_hash_table_iter_init(&iter, self->nodes);
  while (g_hash_table_iter_next(&iter, NULL, &node))
    if (view_is_eligible(self, node))
      consider(camera, node);
}

/* A node that can have cameras now only takes those for which it is the best. */
static void welcome(const View *self, const ViewNode *node)
{
  GHashTableIter iter;
  gpointer camera;
  if (!view_is_eligible(self, node))
    return;
  g_hash_table_iter_init(&iter, self->cameras);
  while (g_hash_table_iter_next(&iter, NULL, &camera))
    consider(camera, node);
}

/* A node that can no longer have cameras: those of others are not concerned.
 * @gone: no longer in the table */
static void say_goodbye(const View *self, const ViewNode *gone)
{
  GHashTableIter iter;
  gpointer camera;
  g_hash_table_iter_init(&iter, self->cameras);
  while (g_hash_table_iter_next(&iter, NULL, &camera))
    if (((ViewCamera *)camera)->preferred == gone)
      find_preferred(self, camera);
}

static gboolean is_passed(const GPtrArray *passed, const ViewNode *node)
{
  for (guint i = 0; passed && i < passed->len; i++)
    if (!strcmp(passed->pdata[i], node->id))
      return TRUE;
  return FALSE;
}

guint view_rank(const View *self, const ViewCamera *camera, const ViewNode *node,
                const GPtrArray *passed, guint limit, gint64 *active, GPtrArray *better)
{
  GHashTableIter iter;
  gpointer value;
  guint rank = 0;
  gint64 latest = 0;
  g_hash_table_iter_init(&iter, self->nodes);
  while (rank <= limit && g_hash_table_iter_next(&iter, NULL, &value)) {
    const ViewNode *other = value;
    if (other == node || !view_is_eligible(self, other) || is_passed(passed, other) ||
        !is_better(other, node, camera))
      continue;
    rank++;
    latest = MAX(latest, other->active);
    if (better)
      g_ptr_array_add(better, g_strdup(other->id));
  }
  if (active)
    *active = latest;
  return rank;
}

/* ---- Keys ---------------------------------------------------------------------------------- */

static JsonNode *parse(const char *text)
{
  JsonNode *root = json_from_string(text, NULL);
  if (root && !JSON_NODE_HOLDS_OBJECT(root))
    g_clear_pointer(&root, json_node_unref);
  return root;
}

static void set_string(char **field, JsonObject *object, const char *member)
{
  const char *text = member_get_string(object, member);
  g_free(*field);
  *field = g_strdup(text ? text : "");
}

static void remove_node(View *self, const char *name)
{
  ViewNode *node = g_hash_table_lookup(self->nodes, name);
  if (!node)
    return;
  g_hash_table_steal(self->nodes, name);
  say_goodbye(self, node);
  free_node(node);
}

static void apply_node(View *self, const char *name, const EtcdItem *item)
{
  g_autoptr(JsonNode) root = item->value ? parse(item->value) : NULL;
  if (!root) {
    remove_node(self, name);
    return;
  }
  JsonObject *object = json_node_get_object(root);
  const double capacity = member_get_double(object, "capacity", 0);
  ViewNode *node = g_hash_table_lookup(self->nodes, name);
  if (node && node->capacity != capacity) {
    remove_node(self, name);
    node = NULL;
  }
  const gboolean fresh = !node;
  if (fresh) {
    node = g_new0(ViewNode, 1);
    node->name = g_ref_string_new_intern(name);
    node->capacity = capacity;
    node->active = g_get_monotonic_time();
    g_hash_table_insert(self->nodes, node->name, node);
  }
  set_string(&node->id, object, "id");
  set_string(&node->host, object, "host");
  node->lease = item->lease;
  if (fresh)
    welcome(self, node);
}

static void apply_drain(View *self, const char *name, const EtcdItem *item)
{
  const ViewNode *node = g_hash_table_lookup(self->nodes, name);
  if (!item->value) {
    if (g_hash_table_remove(self->drained, name) && node)
      welcome(self, node);
  } else if (g_hash_table_add(self->drained, g_strdup(name)) && node) {
    say_goodbye(self, node);
  }
}

static ViewCamera *get_camera(View *self, const char *name)
{
  ViewCamera *camera = g_hash_table_lookup(self->cameras, name);
  if (camera)
    return camera;
  camera = g_new0(ViewCamera, 1);
  camera->name = g_ref_string_new_intern(name);
  camera->since = g_get_monotonic_time();
  g_hash_table_insert(self->cameras, camera->name, camera);
  find_preferred(self, camera);
  return camera;
}

/* Forgets a camera that neither exists nor is claimed. */
static void tidy(View *self, ViewCamera *camera)
{
  if (!camera->text && !camera->claim)
    g_hash_table_remove(self->cameras, camera->name);
}

static void apply_camera(View *self, const char *name, const EtcdItem *item)
{
  ViewCamera *camera = get_camera(self, name);
  if (item->value && !camera->text)
    camera->since = g_get_monotonic_time();
  g_clear_pointer(&camera->text, g_ref_string_release);
  camera->text = item->value ? g_ref_string_new_intern(item->value) : NULL;
  camera->mod_revision = item->mod_revision;
  tidy(self, camera);
}

static void apply_claim(View *self, const char *name, const EtcdItem *item)
{
  ViewCamera *camera = get_camera(self, name);
  g_autoptr(JsonNode) root = item->value ? parse(item->value) : NULL;
  const char *owner = root ? member_get_string(json_node_get_object(root), "node") : NULL;
  g_clear_pointer(&camera->owner, g_ref_string_release);
  if (item->value) {
    camera->owner = g_ref_string_new_intern(owner ? owner : "");
    camera->claim = item->create_revision;
    camera->lease = item->lease;
    ViewNode *node = g_hash_table_lookup(self->nodes, camera->owner);
    if (node)
      node->active = g_get_monotonic_time();
  } else if (camera->claim) {
    camera->claim = camera->lease = 0;
    camera->since = g_get_monotonic_time();
  }
  tidy(self, camera);
}

static void apply(View *self, const EtcdItem *item)
{
  static const struct {
    const char *part;
    void (*func)(View *self, const char *name, const EtcdItem *item);
  } parts[] = {
    { FLEET_CAMERAS "/", apply_camera },
    { FLEET_NODES "/", apply_node },
    { FLEET_CLAIMS "/", apply_claim },
    { FLEET_DRAIN "/", apply_drain },
  };
  self->revision = MAX(self->revision, item->mod_revision);
  if (!g_str_has_prefix(item->key, self->prefix))
    return;
  const char *rest = item->key + strlen(self->prefix);
  for (guint i = 0; i < G_N_ELEMENTS(parts); i++)
    if (g_str_has_prefix(rest, parts[i].part) && rest[strlen(parts[i].part)])
      parts[i].func(self, rest + strlen(parts[i].part), item);
}

void view_apply(View *self, const GPtrArray *items)
{
  for (guint i = 0; i < items->len; i++)
    apply(self, items->pdata[i]);
}

/* Nodes first, as they would be compared with all cameras otherwise. */
void view_reset(View *self, const GPtrArray *items, gint64 revision)
{
  g_hash_table_remove_all(self->cameras);
  g_hash_table_remove_all(self->nodes);
  g_hash_table_remove_all(self->drained);
  for (guint pass = 0; pass < 2; pass++)
    for (guint i = 0; i < items->len; i++) {
      const EtcdItem *item = items->pdata[i];
      const char *rest = item->key + strlen(self->prefix);
      if (g_str_has_prefix(rest, FLEET_NODES "/") == !pass)
        apply(self, item);
    }
  self->revision = revision;
}
