#include "output/ownership.h"

#include <string.h>

#include "base/members.h"

typedef struct {
  gint64 claim, lease;
  char *members; /* ,"node":"NAME","claim":NUMBER} and a newline */
} Owner;

struct _Ownership {
  GRWLock lock;
  GHashTable *cameras; /* of Owner by name */
  char *node;
  OwnershipFunc func; /* or NULL */
  gpointer user_data;
};

static void free_owner(gpointer data)
{
  Owner *owner = data;
  g_free(owner->members);
  g_free(owner);
}

Ownership *ownership_new(void)
{
  Ownership *self = g_new0(Ownership, 1);
  g_rw_lock_init(&self->lock);
  self->cameras = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, free_owner);
  return self;
}

void ownership_set_node(Ownership *self, const char *node, OwnershipFunc func, gpointer user_data)
{
  g_rw_lock_writer_lock(&self->lock);
  g_hash_table_remove_all(self->cameras);
  g_free(self->node);
  self->node = g_strdup(node);
  self->func = func;
  self->user_data = user_data;
  g_rw_lock_writer_unlock(&self->lock);
}

/* Returns: (transfer full) */
static char *make_members(const char *node, gint64 claim)
{
  g_autoptr(JsonBuilder) builder = json_builder_new();
  json_builder_begin_object(builder);
  member_add_string(builder, "node", node);
  member_add_count(builder, "claim", (guint64)claim);
  json_builder_end_object(builder);
  g_autofree char *object = member_to_line(builder);
  return g_strconcat(",", object + 1, "\n", NULL);
}

void ownership_set(Ownership *self, const char *camera, gint64 claim, gint64 lease)
{
  g_rw_lock_writer_lock(&self->lock);
  Owner *owner = g_new0(Owner, 1);
  owner->claim = claim;
  owner->lease = lease;
  owner->members = make_members(self->node, claim);
  g_hash_table_replace(self->cameras, g_strdup(camera), owner);
  g_rw_lock_writer_unlock(&self->lock);
}

void ownership_keep(Ownership *self, GHashTable *names)
{
  GHashTableIter iter;
  gpointer name;
  g_rw_lock_writer_lock(&self->lock);
  g_hash_table_iter_init(&iter, self->cameras);
  while (g_hash_table_iter_next(&iter, &name, NULL))
    if (!g_hash_table_contains(names, name))
      g_hash_table_iter_remove(&iter);
  g_rw_lock_writer_unlock(&self->lock);
}

/* Call with the lock held.
 * Returns: (nullable): the owner if it has that claim, and may publish */
static const Owner *find_owner(const Ownership *self, const char *camera, gint64 claim)
{
  const Owner *owner = g_hash_table_lookup(self->cameras, camera);
  return owner && owner->claim == claim && self->func && self->func(owner->lease, self->user_data)
             ? owner
             : NULL;
}

gboolean ownership_allows(Ownership *self, const char *camera, gint64 claim)
{
  if (!claim)
    return TRUE;
  g_rw_lock_reader_lock(&self->lock);
  const gboolean allowed = find_owner(self, camera, claim) != NULL;
  g_rw_lock_reader_unlock(&self->lock);
  return allowed;
}

const char *ownership_mark(Ownership *self, const char *camera, gint64 claim, const char *line,
                           gsize *length, char **own)
{
  *own = NULL;
  if (!claim)
    return line;
  g_rw_lock_reader_lock(&self->lock);
  const Owner *owner = find_owner(self, camera, claim);
  const gsize brace = *length - strlen("}\n");
  if (owner && *length > strlen("{}\n") && line[brace] == '}') {
    const gsize n_members = strlen(owner->members);
    *own = g_malloc(brace + n_members + 1);
    memcpy(*own, line, brace);
    memcpy(*own + brace, owner->members, n_members + 1);
    *length = brace + n_members;
  }
  g_rw_lock_reader_unlock(&self->lock);
  return !owner ? NULL : *own ? *own : line;
}

void ownership_free(Ownership **ownership)
{
  Ownership *self = *ownership;
  *ownership = NULL;
  g_hash_table_unref(self->cameras);
  g_rw_lock_clear(&self->lock);
  g_free(self->node);
  g_free(self);
}
