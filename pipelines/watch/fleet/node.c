#include "fleet/node.h"

#include <math.h>
#include <string.h>

#include "base/members.h"
#include "base/times.h"
#include "fleet/feed.h"
#include "fleet/fence.h"
#include "fleet/lease.h"
#include "fleet/trouble.h"

#define ASK_TIME   3                    /* seconds */
#define BATCH      16                   /* claims between two announcements */
#define PAUSE      (20 * 1000)          /* changes that come together are handled together */
#define CALM       10                   /* a pause is so many times what the last decision took */
#define IDLE_TIME  (1 * G_USEC_PER_SEC) /* the longest wait */
#define RETRY_TIME (G_USEC_PER_SEC / 2) /* after an error */
#define LOST_TIME  (5 * G_USEC_PER_SEC) /* until a node's key that is not there is put again */
#define LOAD_STEP  0.05                 /* of the capacity: less is not told */
#define VALUE_TIME (5 * G_USEC_PER_SEC) /* from one value of the node's key to the next */

struct _FleetNode {
  FleetConfig config;
  FleetFuncs funcs;
  gpointer user_data;
  char *id;
  Trouble trouble;
  Lease *lease;
  Feed *feed;
  GThread *thread;
  GCancellable *cancellable;

  GMutex lock;
  GCond wake;
  View view;
  gboolean stopping, news;
  guint64 settled;
  guint owned, refused; /* for the status, as the next two */
  guint64 won, lost;
  double capacity, load;

  /* Used by the thread only. */
  Claims claims;
  Etcd *etcd;
  guint64 serial;    /* of the last announcement */
  gint64 next;       /* when there is something to do: monotonic time */
  gint64 value_time; /* of the last value */
  gint64 pause;      /* before the next decision: microseconds */
  double told_load;  /* of that value */
};

/* ---- Talking ------------------------------------------------------------------------------- */

/* @text: (transfer full) (nullable) */
static void report(FleetNode *self, char *text)
{
  if (text && self->funcs.report) {
    g_autofree char *message = g_strdup_printf("fleet %s: %s", self->config.name, text);
    self->funcs.report(message, self->user_data);
  }
  g_free(text);
}

static void wake(FleetNode *self)
{
  g_mutex_lock(&self->lock);
  self->news = TRUE;
  g_cond_broadcast(&self->wake);
  g_mutex_unlock(&self->lock);
}

static void on_lease_changed(gpointer user_data)
{
  wake(user_data);
}

static void on_lease_trouble(const GError *error, gpointer user_data)
{
  FleetNode *self = user_data;
  report(self, trouble_set(&self->trouble, TROUBLE_LEASE, error));
}

static void on_problem(const char *problem, gpointer user_data)
{
  FleetNode *self = user_data;
  report(self, trouble_set_problem(&self->trouble, problem));
}

static void on_feed_trouble(const GError *error, gpointer user_data)
{
  FleetNode *self = user_data;
  report(self, trouble_set(&self->trouble, TROUBLE_FEED, error));
}

static void on_reset(const GPtrArray *items, gint64 revision, gpointer user_data)
{
  FleetNode *self = user_data;
  g_mutex_lock(&self->lock);
  view_reset(&self->view, items, revision);
  g_mutex_unlock(&self->lock);
  wake(self);
}

static void on_apply(const GPtrArray *items, gpointer user_data)
{
  FleetNode *self = user_data;
  if (!items->len)
    return;
  g_mutex_lock(&self->lock);
  view_apply(&self->view, items);
  g_mutex_unlock(&self->lock);
  wake(self);
}

/* ---- The node's key ------------------------------------------------------------------------ */

/* Rounds to two digits. */
static double round_figure(double value)
{
  if (!(value > 0) || !isfinite(value))
    return 0;
  const double unit = pow(10, floor(log10(value)) - 1);
  return round(value / unit) * unit;
}

static double get_capacity(FleetNode *self)
{
  g_mutex_lock(&self->lock);
  const double fixed = self->config.capacity;
  g_mutex_unlock(&self->lock);
  if (fixed > 0)
    return fixed;
  const double capacity = self->funcs.capacity ? self->funcs.capacity(self->user_data) : 0;
  return capacity > 0 ? round_figure(capacity) : 1;
}

/* Returns: (transfer full): JSON */
static char *make_value(FleetNode *self, double capacity, double load, guint cameras,
                        gboolean draining)
{
  g_autoptr(JsonBuilder) builder = json_builder_new();
  json_builder_begin_object(builder);
  member_add_string(builder, "id", self->id);
  member_add_string(builder, "host", g_get_host_name());
  member_add_string(builder, "version", VITGATE_VERSION);
  member_add_double(builder, "capacity", capacity);
  member_add_double(builder, "load", load);
  member_add_count(builder, "cameras", cameras);
  member_add_boolean(builder, "draining", draining);
  json_builder_end_object(builder);
  return member_to_line(builder);
}

static void update_value(FleetNode *self, gint64 now)
{
  if (now - self->value_time < VALUE_TIME)
    return;
  self->value_time = now;
  const double capacity = get_capacity(self);
  const double load = self->funcs.load ? self->funcs.load(self->user_data) : 0;
  g_mutex_lock(&self->lock);
  const gboolean draining = g_hash_table_contains(self->view.drained, self->config.node);
  self->capacity = capacity;
  self->load = load;
  g_mutex_unlock(&self->lock);
  /* Small changes would only make work for all nodes. */
  if (fabs(load - self->told_load) > capacity * LOAD_STEP)
    self->told_load = round_figure(load);
  g_autofree char *value =
      make_value(self, capacity, self->told_load, g_hash_table_size(self->claims.owned), draining);
  lease_set_value(self->lease, value);
}

/* ---- Claims at etcd ------------------------------------------------------------------------ */

static void handle(FleetNode *self, const GError *error)
{
  if (g_error_matches(error, ETCD_ERROR, ETCD_ERROR_CANCELLED))
    return;
  self->next = g_get_monotonic_time() + RETRY_TIME;
  if (g_error_matches(error, ETCD_ERROR, ETCD_ERROR_LEASE))
    return; /* the lease's thread notices it too */
  report(self, trouble_set(&self->trouble, TROUBLE_CLAIMS, error));
  if (error->code != ETCD_ERROR_UNAVAILABLE)
    etcd_free(&self->etcd);
}

static gboolean open_client(FleetNode *self, GError **error)
{
  if (!self->etcd)
    self->etcd = fleet_connect(&self->config, ASK_TIME, self->cancellable, error);
  return self->etcd != NULL;
}

static void done(FleetNode *self)
{
  report(self, trouble_set(&self->trouble, TROUBLE_CLAIMS, NULL));
}

/* Returns: FALSE with an error of etcd */
static gboolean claim(FleetNode *self, const Wanted *wanted, const char *value, gboolean *claimed,
                      GError **error)
{
  g_autofree char *key = fleet_key(&self->config, FLEET_CLAIMS, wanted->name),
                  *camera = fleet_key(&self->config, FLEET_CAMERAS, wanted->name);
  gint64 revision;
  if (!open_client(self, error) || !etcd_create(self->etcd, key, value, self->claims.lease, camera,
                                                wanted->mod_revision, &revision, error))
    return FALSE;
  if (revision)
    claims_add(&self->claims, wanted, revision);
  *claimed = *claimed || revision;
  return TRUE;
}

/* Returns: whether this node can run the camera */
static gboolean check(FleetNode *self, const Wanted *wanted)
{
  g_autoptr(GError) error = NULL;
  if (!self->funcs.check || self->funcs.check(wanted->name, wanted->text, &error, self->user_data))
    return TRUE;
  claims_refuse(&self->claims, wanted);
  report(self, g_strdup_printf("%s", error->message));
  return FALSE;
}

/* Returns: (transfer full): JSON */
static char *claim_value(FleetNode *self)
{
  g_autoptr(JsonBuilder) builder = json_builder_new();
  json_builder_begin_object(builder);
  g_autofree char *since = time_to_utc(g_get_real_time());
  member_add_string(builder, "node", self->config.node);
  member_add_string(builder, "id", self->id);
  member_add_string(builder, "since", since);
  json_builder_end_object(builder);
  return member_to_line(builder);
}

/* Returns: whether a camera was claimed */
static gboolean claim_all(FleetNode *self, const GPtrArray *all)
{
  g_autofree char *value = claim_value(self);
  gboolean claimed = FALSE;
  for (guint i = 0; i < all->len && lease_get(self->lease) == self->claims.lease; i++) {
    g_autoptr(GError) error = NULL;
    if (!check(self, all->pdata[i]))
      continue;
    if (!claim(self, all->pdata[i], value, &claimed, &error)) {
      handle(self, error);
      return claimed;
    }
  }
  if (all->len)
    done(self);
  return claimed;
}

/* Gives up claims of cameras that have stopped. */
static void delete_stopped(FleetNode *self)
{
  g_mutex_lock(&self->lock);
  const guint64 settled = self->settled;
  g_mutex_unlock(&self->lock);
  g_autoptr(GPtrArray) stopped = claims_find_stopped(&self->claims, settled);
  for (guint i = 0; i < stopped->len; i++) {
    const Leaving *leaving = stopped->pdata[i];
    g_autoptr(GError) error = NULL;
    g_autofree char *key = fleet_key(&self->config, FLEET_CLAIMS, leaving->name);
    if (!open_client(self, &error) ||
        !etcd_delete_if(self->etcd, key, leaving->claim, NULL, &error)) {
      handle(self, error);
      return;
    }
    claims_deleted(&self->claims, leaving);
  }
  if (stopped->len)
    done(self);
}

/* ---- What the node does -------------------------------------------------------------------- */

static void announce(FleetNode *self)
{
  g_autoptr(GPtrArray) cameras = claims_list(&self->claims);
  self->serial++;
  claims_announce(&self->claims, self->serial);
  self->funcs.changed(cameras, self->serial, self->user_data);
}

/* Runs cameras with their new texts. Returns: whether there are any */
static gboolean change_texts(FleetNode *self, const GPtrArray *texts)
{
  gboolean changed = FALSE;
  for (guint i = 0; i < texts->len; i++) {
    if (!check(self, texts->pdata[i]))
      continue;
    claims_set_text(&self->claims, texts->pdata[i]);
    changed = TRUE;
  }
  return changed;
}

/* Call with the lock held. Returns: (nullable): this node as etcd has it */
static const ViewNode *find_me(FleetNode *self)
{
  const ViewNode *me = g_hash_table_lookup(self->view.nodes, self->config.node);
  return me && self->claims.lease && me->lease == self->claims.lease ? me : NULL;
}

/* Compares the view with what this node has.
 * @texts: to add texts that have changed
 * @wanted: (out) (transfer full)
 * Returns: whether cameras have changed */
static gboolean decide(FleetNode *self, gint64 now, GPtrArray *texts, GPtrArray **wanted)
{
  gboolean changed = FALSE;
  *wanted = NULL;
  g_mutex_lock(&self->lock);
  const ViewNode *me = find_me(self);
  if (me) {
    changed = claims_update(&self->claims, &self->view, me, now, texts);
    *wanted = claims_find_wanted(&self->claims, &self->view, me, now, BATCH, &self->next);
  } else if (self->claims.lease && self->view.revision && now - self->claims.since > LOST_TIME) {
    self->claims.since = now;
    lease_register(self->lease);
  }
  g_mutex_unlock(&self->lock);
  return changed;
}

static void set_counts(FleetNode *self)
{
  g_mutex_lock(&self->lock);
  self->owned = g_hash_table_size(self->claims.owned);
  self->refused = g_hash_table_size(self->claims.refused);
  self->won = self->claims.won;
  self->lost = self->claims.lost;
  g_mutex_unlock(&self->lock);
}

/* A new lease may be one of another etcd, so that nothing that was read holds any more. */
static gboolean update_lease(FleetNode *self, gint64 now)
{
  const gint64 old = self->claims.lease;
  const gboolean lost = claims_set_lease(&self->claims, lease_get(self->lease), now);
  if (lost && !self->claims.lease)
    report(self, g_strdup("this node's lease is over; its cameras of the fleet stop"));
  if (old && self->claims.lease && old != self->claims.lease)
    feed_restart(self->feed);
  return lost;
}

static void step(FleetNode *self)
{
  const gint64 now = g_get_monotonic_time();
  g_autoptr(GPtrArray) texts = g_ptr_array_new_with_free_func(wanted_free);
  g_autoptr(GPtrArray) wanted = NULL;
  self->next = now + IDLE_TIME;
  gboolean changed = update_lease(self, now);
  changed |= decide(self, now, texts, &wanted);
  /* In a large fleet that changes fast, each change would be compared with all cameras. */
  self->pause = CLAMP(CALM * (g_get_monotonic_time() - now), PAUSE, IDLE_TIME);
  changed |= change_texts(self, texts);
  if (wanted)
    changed |= claim_all(self, wanted);
  if (changed)
    announce(self);
  delete_stopped(self);
  set_counts(self);
  update_value(self, now);
  const gint64 fence = lease_get_fence(self->lease, self->claims.lease);
  if (fence)
    self->next = MIN(self->next, g_get_monotonic_time() + MAX(fence - fence_now(), 0));
}

/* Returns: FALSE if the thread should end */
static gboolean wait(FleetNode *self)
{
  g_mutex_lock(&self->lock);
  while (!self->stopping && !self->news &&
         g_cond_wait_until(&self->wake, &self->lock, self->next)) {
  }
  const gint64 end = g_get_monotonic_time() + self->pause;
  while (!self->stopping && g_cond_wait_until(&self->wake, &self->lock, end)) {
  }
  self->news = FALSE;
  const gboolean goes_on = !self->stopping;
  g_mutex_unlock(&self->lock);
  return goes_on;
}

static gpointer run(gpointer user_data)
{
  FleetNode *self = user_data;
  self->pause = PAUSE;
  while (wait(self))
    step(self);
  etcd_free(&self->etcd);
  return NULL;
}

/* ---- From other threads -------------------------------------------------------------------- */

/* Reads the files that the configuration names, so that what is wrong with them is known at once.
 */
static gboolean check_files(const FleetConfig *config, GError **error)
{
  Etcd *etcd = fleet_connect(config, ASK_TIME, NULL, error);
  const gboolean good = etcd != NULL;
  etcd_free(&etcd);
  return good;
}

FleetNode *fleet_node_new(const FleetConfig *config, const FleetFuncs *funcs, gpointer user_data,
                          GError **error)
{
  static const FeedFuncs feed_funcs = { on_reset, on_apply, on_feed_trouble };
  static const LeaseFuncs lease_funcs = { on_lease_changed, on_lease_trouble, on_problem };
  if (!check_files(config, error))
    return NULL;
  FleetNode *self = g_new0(FleetNode, 1);
  fleet_config_copy(&self->config, config);
  self->funcs = *funcs;
  self->user_data = user_data;
  self->id = g_uuid_string_random();
  self->cancellable = g_cancellable_new();
  trouble_init(&self->trouble);
  g_mutex_init(&self->lock);
  g_cond_init(&self->wake);
  view_init(&self->view, fleet_key(config, NULL, NULL));
  claims_init(&self->claims);
  self->lease = lease_new(&self->config, self->id, &lease_funcs, self);
  self->feed = feed_new(&self->config, &feed_funcs, self);
  self->thread = g_thread_new("fleet-node", run, self);
  return self;
}

void fleet_node_settled(FleetNode *self, guint64 serial)
{
  g_mutex_lock(&self->lock);
  self->settled = MAX(self->settled, serial);
  self->news = TRUE;
  g_cond_broadcast(&self->wake);
  g_mutex_unlock(&self->lock);
}

gboolean fleet_node_may_publish(FleetNode *self, gint64 lease)
{
  return fence_now() < lease_get_fence(self->lease, lease);
}

gboolean fleet_node_alive(FleetNode *self)
{
  return lease_get(self->lease) != 0;
}

void fleet_node_set_capacity(FleetNode *self, double capacity)
{
  g_mutex_lock(&self->lock);
  self->config.capacity = capacity;
  g_mutex_unlock(&self->lock);
}

gboolean fleet_node_has_camera(FleetNode *self, const char *name)
{
  g_mutex_lock(&self->lock);
  const ViewCamera *camera = g_hash_table_lookup(self->view.cameras, name);
  const gboolean has = camera && camera->text;
  g_mutex_unlock(&self->lock);
  return has;
}

void fleet_node_get_status(FleetNode *self, FleetNodeStatus *status)
{
  GHashTableIter iter;
  gpointer value;
  *status = (FleetNodeStatus){ .member = fleet_node_alive(self) };
  status->error = trouble_get(&self->trouble, &status->etcd_errors);
  lease_get_times(self->lease, &status->lease_left, &status->renewal_age);
  g_mutex_lock(&self->lock);
  status->connected = self->view.revision && !status->error;
  status->owned = self->owned;
  status->refused = self->refused;
  status->won = self->won;
  status->lost = self->lost;
  status->nodes = g_hash_table_size(self->view.nodes);
  status->draining = g_hash_table_contains(self->view.drained, self->config.node);
  status->capacity = self->capacity;
  status->load = self->load;
  g_hash_table_iter_init(&iter, self->view.cameras);
  while (g_hash_table_iter_next(&iter, NULL, &value)) {
    const ViewCamera *camera = value;
    status->cameras += camera->text != NULL;
    status->unowned += camera->text && !camera->claim;
  }
  g_mutex_unlock(&self->lock);
}

void fleet_node_status_clear(FleetNodeStatus *status)
{
  g_clear_pointer(&status->error, g_free);
}

void fleet_node_free(FleetNode **node)
{
  FleetNode *self = *node;
  *node = NULL;
  if (!self)
    return;
  g_mutex_lock(&self->lock);
  self->stopping = TRUE;
  g_cond_broadcast(&self->wake);
  g_mutex_unlock(&self->lock);
  g_cancellable_cancel(self->cancellable);
  g_thread_join(self->thread);
  feed_free(&self->feed);
  lease_free(&self->lease);
  trouble_clear(&self->trouble);
  view_clear(&self->view);
  claims_clear(&self->claims);
  fleet_config_clear(&self->config);
  g_object_unref(self->cancellable);
  g_mutex_clear(&self->lock);
  g_cond_clear(&self->wake);
  g_free(self->id);
  g_free(self);
}
