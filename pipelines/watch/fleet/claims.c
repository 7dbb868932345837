#include "fleet/claims.h"

#include <string.h>

#define MAX_LEAVING 8                    /* cameras without an owner at a time */
#define TAKE_TIME   (5 * G_USEC_PER_SEC) /* until another node should have claimed them */
#define STEP        (3 * G_USEC_PER_SEC) /* until the next in rank tries */
#define START_TIME  (1 * G_USEC_PER_SEC) /* for other nodes that start as well */

typedef struct {
  GRefString *name, *text;
  gint64 mod_revision, claim;
  GPtrArray *passed; /* (nullable): as in Wanted */
} Owned;

static GRefString *acquire(GRefString *text)
{
  return g_ref_string_acquire(text);
}

static void free_owned(gpointer data)
{
  Owned *owned = data;
  g_ref_string_release(owned->name);
  g_ref_string_release(owned->text);
  g_clear_pointer(&owned->passed, g_ptr_array_unref);
  g_free(owned);
}

void wanted_free(gpointer data)
{
  Wanted *wanted = data;
  g_ref_string_release(wanted->name);
  g_ref_string_release(wanted->text);
  g_clear_pointer(&wanted->passed, g_ptr_array_unref);
  g_free(wanted);
}

static void free_leaving(gpointer data)
{
  g_ref_string_release(((Leaving *)data)->name);
  g_free(data);
}

static void free_camera(gpointer data)
{
  FleetCamera *camera = data;
  g_ref_string_release(camera->name);
  g_ref_string_release(camera->text);
  g_free(camera);
}

void claims_init(Claims *self)
{
  *self = (Claims){
    .owned = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, free_owned),
    .leaving = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, free_leaving),
    .refused = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free),
    .released = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free),
  };
}

void claims_clear(Claims *self)
{
  g_hash_table_unref(self->owned);
  g_hash_table_unref(self->leaving);
  g_hash_table_unref(self->refused);
  g_hash_table_unref(self->released);
}

gboolean claims_set_lease(Claims *self, gint64 lease, gint64 now)
{
  if (self->lease == lease)
    return FALSE;
  const guint lost = g_hash_table_size(self->owned);
  self->lost += lost;
  g_hash_table_remove_all(self->owned);
  g_hash_table_remove_all(self->leaving);
  self->lease = lease;
  self->since = now;
  return lost > 0;
}

static void set_time(GHashTable *table, const char *name, gint64 value)
{
  g_hash_table_replace(table, g_strdup(name), g_memdup2(&value, sizeof value));
}

/* ---- What the node owns -------------------------------------------------------------------- */

static Owned *add_owned(Claims *self, GRefString *name, GRefString *text, gint64 mod_revision,
                        gint64 claim)
{
  Owned *owned = g_new0(Owned, 1);
  owned->name = acquire(name);
  owned->text = acquire(text);
  owned->mod_revision = mod_revision;
  owned->claim = claim;
  g_hash_table_replace(self->owned, owned->name, owned);
  self->won++;
  return owned;
}

static void leave(Claims *self, const char *name)
{
  Owned *owned = g_hash_table_lookup(self->owned, name);
  Leaving *leaving = g_new0(Leaving, 1);
  leaving->name = acquire(owned->name);
  leaving->claim = owned->claim;
  g_hash_table_replace(self->leaving, leaving->name, leaving);
  g_hash_table_remove(self->owned, name);
}

static Wanted *new_wanted(const ViewCamera *camera)
{
  Wanted *wanted = g_new0(Wanted, 1);
  wanted->name = acquire(camera->name);
  wanted->text = acquire(camera->text);
  wanted->mod_revision = camera->mod_revision;
  return wanted;
}

static gboolean is_refused(const Claims *self, const ViewCamera *camera)
{
  const gint64 *revision = g_hash_table_lookup(self->refused, camera->name);
  return revision && *revision == camera->mod_revision;
}

/* Claims of which only etcd's answer was lost, or which outlived a fence. */
static gboolean adopt(Claims *self, const View *view)
{
  GHashTableIter iter;
  gpointer value;
  gboolean adopted = FALSE;
  g_hash_table_iter_init(&iter, view->cameras);
  while (g_hash_table_iter_next(&iter, NULL, &value)) {
    ViewCamera *camera = value;
    if (!camera->claim || camera->lease != self->lease || !camera->text ||
        g_hash_table_contains(self->owned, camera->name) ||
        g_hash_table_contains(self->leaving, camera->name))
      continue;
    add_owned(self, camera->name, camera->text, camera->mod_revision, camera->claim);
    adopted = TRUE;
  }
  return adopted;
}

/* Returns: whether to run the camera no longer
 * @lost: (out): its claim is no longer at etcd */
static gboolean has_ended(const View *view, const Owned *owned, const ViewCamera *camera,
                          gboolean *lost)
{
  *lost = view->revision >= owned->claim && (!camera || camera->claim != owned->claim);
  return *lost || !camera || !camera->text;
}

static gboolean drop_ended(Claims *self, const View *view, GPtrArray *texts)
{
  g_autoptr(GList) names = g_hash_table_get_keys(self->owned);
  gboolean changed = FALSE;
  for (const GList *at = names; at; at = at->next) {
    Owned *owned = g_hash_table_lookup(self->owned, at->data);
    ViewCamera *camera = g_hash_table_lookup(view->cameras, owned->name);
    gboolean lost;
    if (has_ended(view, owned, camera, &lost)) {
      self->lost += lost;
      if (lost)
        g_hash_table_remove(self->owned, at->data);
      else if (camera)
        leave(self, at->data);
      changed = changed || lost || camera;
    } else if (camera->mod_revision > owned->mod_revision && !is_refused(self, camera)) {
      g_ptr_array_add(texts, new_wanted(camera));
    }
  }
  return changed;
}

/* ---- What it gives away -------------------------------------------------------------------- */

/* Forgets those that somebody has claimed, or nobody wants. */
static void tidy_released(Claims *self, const View *view, gint64 now)
{
  GHashTableIter iter;
  gpointer name, time;
  g_hash_table_iter_init(&iter, self->released);
  while (g_hash_table_iter_next(&iter, &name, &time)) {
    const ViewCamera *camera = g_hash_table_lookup(view->cameras, name);
    if (!camera || !camera->text || camera->owner || now - *(gint64 *)time > TAKE_TIME)
      g_hash_table_iter_remove(&iter);
  }
}

static void tidy_leaving(Claims *self, const View *view, gint64 now)
{
  GHashTableIter iter;
  gpointer value;
  g_hash_table_iter_init(&iter, self->leaving);
  while (g_hash_table_iter_next(&iter, NULL, &value)) {
    const Leaving *leaving = value;
    const ViewCamera *camera = g_hash_table_lookup(view->cameras, leaving->name);
    if (!leaving->deleted || (camera && camera->claim == leaving->claim))
      continue;
    set_time(self->released, leaving->name, now);
    g_hash_table_iter_remove(&iter);
  }
}

static gboolean belongs_to_another(const View *view, const ViewNode *me, const Owned *owned,
                                   const ViewCamera *camera)
{
  if (!view_is_eligible(view, me))
    return TRUE;
  if (!camera->preferred || camera->preferred == me)
    return FALSE;
  return !owned->passed || view_rank(view, camera, me, owned->passed, 0, NULL, NULL) > 0;
}

static gboolean give_away(Claims *self, const View *view, const ViewNode *me, gint64 now)
{
  g_autoptr(GList) names = g_hash_table_get_keys(self->owned);
  gboolean changed = FALSE;
  tidy_leaving(self, view, now);
  tidy_released(self, view, now);
  for (const GList *at = names; at; at = at->next) {
    if (g_hash_table_size(self->leaving) + g_hash_table_size(self->released) >= MAX_LEAVING)
      break;
    const Owned *owned = g_hash_table_lookup(self->owned, at->data);
    const ViewCamera *camera = g_hash_table_lookup(view->cameras, owned->name);
    if (camera && belongs_to_another(view, me, owned, camera)) {
      leave(self, at->data);
      changed = TRUE;
    }
  }
  return changed;
}

gboolean claims_update(Claims *self, const View *view, const ViewNode *me, gint64 now,
                       GPtrArray *texts)
{
  const gboolean adopted = adopt(self, view);
  const gboolean dropped = drop_ended(self, view, texts);
  const gboolean given = give_away(self, view, me, now);
  return adopted || dropped || given;
}

/* ---- What it wants ------------------------------------------------------------------------- */

/* The others that should rather have it may be busy claiming, but not silent.
 * @due: (out): when it is this node's turn: monotonic time */
static GPtrArray *find_better(const View *view, const ViewNode *me, const ViewCamera *camera,
                              gint64 now, gint64 *due)
{
  const gint64 first = MAX(camera->since, camera->preferred->active) + STEP;
  gint64 active;
  if (now < first) {
    *due = first;
    return NULL;
  }
  g_autoptr(GPtrArray) better = g_ptr_array_new_with_free_func(g_free);
  /* With more nodes than that before it, it is not this node's turn yet. */
  const guint limit = (guint)((now - camera->since) / STEP);
  const guint rank = view_rank(view, camera, me, NULL, limit, &active, better);
  *due = MAX(camera->since, active) + rank * STEP;
  return g_steal_pointer(&better);
}

/* Returns: (transfer full) (nullable) */
static Wanted *want(const Claims *self, const View *view, const ViewNode *me,
                    const ViewCamera *camera, gint64 now, gint64 *next)
{
  if (!camera->text || camera->claim || is_refused(self, camera) ||
      g_hash_table_contains(self->owned, camera->name) ||
      g_hash_table_contains(self->leaving, camera->name))
    return NULL;
  g_autoptr(GPtrArray) better = NULL;
  gint64 due = self->since + START_TIME;
  if (camera->preferred != me && camera->preferred) {
    gint64 turn;
    better = find_better(view, me, camera, now, &turn);
    due = MAX(due, turn);
  }
  if (now < due) {
    *next = MIN(*next, due);
    return NULL;
  }
  Wanted *wanted = new_wanted(camera);
  wanted->passed = g_steal_pointer(&better);
  return wanted;
}

GPtrArray *claims_find_wanted(const Claims *self, const View *view, const ViewNode *me, gint64 now,
                              guint max, gint64 *next)
{
  GPtrArray *all = g_ptr_array_new_with_free_func(wanted_free);
  GHashTableIter iter;
  gpointer camera;
  if (!view_is_eligible(view, me))
    return all;
  g_hash_table_iter_init(&iter, view->cameras);
  while (all->len < max && g_hash_table_iter_next(&iter, NULL, &camera)) {
    Wanted *wanted = want(self, view, me, camera, now, next);
    if (wanted)
      g_ptr_array_add(all, wanted);
  }
  if (all->len >= max)
    *next = now;
  return all;
}

void claims_add(Claims *self, const Wanted *wanted, gint64 claim)
{
  Owned *owned = add_owned(self, wanted->name, wanted->text, wanted->mod_revision, claim);
  if (wanted->passed)
    owned->passed = g_ptr_array_ref(wanted->passed);
}

/* With another text, those that were passed over may be able to run it. */
void claims_set_text(Claims *self, const Wanted *wanted)
{
  Owned *owned = g_hash_table_lookup(self->owned, wanted->name);
  if (!owned)
    return;
  g_ref_string_release(owned->text);
  owned->text = acquire(wanted->text);
  owned->mod_revision = wanted->mod_revision;
  g_clear_pointer(&owned->passed, g_ptr_array_unref);
}

void claims_refuse(Claims *self, const Wanted *wanted)
{
  set_time(self->refused, wanted->name, wanted->mod_revision);
}

/* ---- For the node -------------------------------------------------------------------------- */

GPtrArray *claims_list(const Claims *self)
{
  GPtrArray *cameras = g_ptr_array_new_with_free_func(free_camera);
  g_autoptr(GList) names = g_list_sort(g_hash_table_get_keys(self->owned), (GCompareFunc)strcmp);
  for (const GList *at = names; at; at = at->next) {
    const Owned *owned = g_hash_table_lookup(self->owned, at->data);
    FleetCamera *camera = g_new0(FleetCamera, 1);
    camera->name = acquire(owned->name);
    camera->text = acquire(owned->text);
    camera->claim = owned->claim;
    camera->lease = self->lease;
    g_ptr_array_add(cameras, camera);
  }
  return cameras;
}

void claims_announce(Claims *self, guint64 serial)
{
  GHashTableIter iter;
  gpointer leaving;
  g_hash_table_iter_init(&iter, self->leaving);
  while (g_hash_table_iter_next(&iter, NULL, &leaving))
    if (!((Leaving *)leaving)->serial)
      ((Leaving *)leaving)->serial = serial;
}

GPtrArray *claims_find_stopped(const Claims *self, guint64 settled)
{
  GPtrArray *all = g_ptr_array_new_with_free_func(free_leaving);
  GHashTableIter iter;
  gpointer value;
  g_hash_table_iter_init(&iter, self->leaving);
  while (g_hash_table_iter_next(&iter, NULL, &value)) {
    const Leaving *leaving = value;
    if (leaving->deleted || !leaving->serial || leaving->serial > settled)
      continue;
    Leaving *copy = g_memdup2(leaving, sizeof *leaving);
    acquire(copy->name);
    g_ptr_array_add(all, copy);
  }
  return all;
}

void claims_deleted(Claims *self, const Leaving *leaving)
{
  Leaving *own = g_hash_table_lookup(self->leaving, leaving->name);
  if (own)
    own->deleted = TRUE;
}
