#include "fleet/lease.h"

#include "base/backoff.h"
#include "base/members.h"
#include "fleet/fence.h"

#define RETRY_MIN 0.1 /* seconds */
#define RETRY_MAX 2
#define END_TIME  2

struct _Lease {
  const FleetConfig *config;
  char *id;
  LeaseFuncs funcs;
  gpointer user_data;
  GThread *thread;
  GCancellable *cancellable;

  GMutex lock;
  GCond wake;
  gboolean stopping;
  gboolean registered;
  gint64 lease, fence;
  gint64 renewed; /* when the last renewal that succeeded was sent, as of fence_now(); 0: never */
  char *value;    /* of the node's key; or NULL */
  guint64 serial; /* of the value; 0: there is none */

  /* Used by the thread only. */
  Etcd *etcd;
  char *key;
  guint64 put; /* serial of the value that etcd has */
  Backoff backoff;
};

static guint step_time(const FleetConfig *config)
{
  return MAX(config->lease / 3, 1);
}

/* ---- State --------------------------------------------------------------------------------- */

/* The fence stays, unless there is no lease any more. */
static void set_state(Lease *self, gint64 lease, gboolean registered)
{
  g_mutex_lock(&self->lock);
  const gboolean changed = self->lease != lease || self->registered != registered;
  self->lease = lease;
  self->fence = lease ? self->fence : 0;
  self->registered = registered;
  g_mutex_unlock(&self->lock);
  if (changed)
    self->funcs.changed(self->user_data);
}

/* @sent: when etcd was asked for the time */
static void set_fence(Lease *self, gint64 sent)
{
  g_mutex_lock(&self->lock);
  self->renewed = sent;
  self->fence = fence_end(sent, self->config->lease);
  g_mutex_unlock(&self->lock);
}

static gboolean is_registered(Lease *self)
{
  g_mutex_lock(&self->lock);
  const gboolean registered = self->registered;
  g_mutex_unlock(&self->lock);
  return registered;
}

static gboolean has_value(Lease *self)
{
  g_mutex_lock(&self->lock);
  const gboolean has = self->value != NULL;
  g_mutex_unlock(&self->lock);
  return has;
}

/* Returns: (transfer full) */
static char *copy_value(Lease *self, guint64 *serial)
{
  g_mutex_lock(&self->lock);
  char *value = g_strdup(self->value);
  *serial = self->serial;
  g_mutex_unlock(&self->lock);
  return value;
}

/* ---- What the thread does ------------------------------------------------------------------ */

static gboolean grant(Lease *self, GError **error)
{
  const gint64 sent = fence_now();
  gint64 lease;
  if (!etcd_grant(self->etcd, self->config->lease, &lease, error))
    return FALSE;
  set_fence(self, sent);
  set_state(self, lease, FALSE);
  return TRUE;
}

/* @object: (nullable): the value of the node's key, of somebody else
 * Returns: FALSE */
static gboolean refuse_name(Lease *self, JsonObject *object)
{
  const char *host = object ? member_get_string(object, "host") : NULL;
  g_autofree char *problem = g_strdup_printf(
      "another process on %s is node %s of fleet %s, or was until a moment ago; trying again (set "
      "[fleet] node to a name of its own)",
      host ? host : "an unknown host", self->config->node, self->config->name);
  self->funcs.problem(problem, self->user_data);
  return FALSE;
}

/* The key may be of an earlier lease of this process, which is then over.
 * Returns: whether to try again at once */
static gboolean handle_taken(Lease *self, GError **error)
{
  g_autoptr(EtcdItem) item = NULL;
  if (!etcd_get(self->etcd, self->key, &item, NULL, error))
    return FALSE;
  if (!item)
    return TRUE;
  g_autoptr(JsonNode) root = json_from_string(item->value, NULL);
  JsonObject *object = root && JSON_NODE_HOLDS_OBJECT(root) ? json_node_get_object(root) : NULL;
  if (!object || g_strcmp0(member_get_string(object, "id"), self->id))
    return refuse_name(self, object);
  if (item->lease == self->lease) {
    set_state(self, self->lease, TRUE);
    return FALSE;
  }
  return item->lease ? etcd_revoke(self->etcd, item->lease, error)
                     : etcd_delete(self->etcd, self->key, NULL, error);
}

static gboolean register_node(Lease *self, GError **error)
{
  g_autoptr(GError) wrong = NULL;
  for (guint tries = 0; tries < 3; tries++) {
    guint64 serial;
    gint64 revision;
    g_autofree char *value = copy_value(self, &serial);
    if (!etcd_create(self->etcd, self->key, value, self->lease, NULL, 0, &revision, error))
      return FALSE;
    if (revision) {
      self->put = serial;
      self->funcs.problem(NULL, self->user_data);
      set_state(self, self->lease, TRUE);
      return TRUE;
    }
    if (!handle_taken(self, &wrong))
      break;
  }
  if (wrong)
    g_propagate_error(error, g_steal_pointer(&wrong));
  return !*error;
}

static gboolean put_value(Lease *self, GError **error)
{
  guint64 serial;
  g_autofree char *value = copy_value(self, &serial);
  if (self->put == serial)
    return TRUE;
  if (!etcd_put(self->etcd, self->key, value, self->lease, error))
    return FALSE;
  self->put = serial;
  return TRUE;
}

static gboolean keep_alive(Lease *self, GError **error)
{
  const gint64 sent = fence_now();
  gint64 ttl;
  if (!etcd_keep_alive(self->etcd, self->lease, &ttl, error))
    return FALSE;
  if (ttl > 0)
    set_fence(self, sent);
  else
    set_state(self, 0, FALSE);
  return TRUE;
}

/* Returns: FALSE with an error */
static gboolean act(Lease *self, GError **error)
{
  if (!self->etcd)
    self->etcd = fleet_connect(self->config, step_time(self->config), self->cancellable, error);
  if (!self->etcd || (self->lease && !keep_alive(self, error)) ||
      (!self->lease && !grant(self, error)))
    return FALSE;
  return is_registered(self) ? put_value(self, error)
                             : !has_value(self) || register_node(self, error);
}

/* Waits for the next keep-alive, or until there is something to do. */
static void wait(Lease *self)
{
  const gint64 end = g_get_monotonic_time() + self->config->lease * G_USEC_PER_SEC / 3;
  const guint64 put = self->put;
  g_mutex_lock(&self->lock);
  const gboolean registered = self->registered;
  const guint64 serial = self->serial;
  while (!self->stopping && self->registered == registered && self->serial == serial &&
         (!registered || serial == put) && g_cond_wait_until(&self->wake, &self->lock, end)) {
  }
  g_mutex_unlock(&self->lock);
}

static void wait_to_retry(Lease *self)
{
  const double seconds = backoff_step(&self->backoff, g_random_double());
  const gint64 end = g_get_monotonic_time() + (gint64)(seconds * G_USEC_PER_SEC);
  g_mutex_lock(&self->lock);
  while (!self->stopping && g_cond_wait_until(&self->wake, &self->lock, end)) {
  }
  g_mutex_unlock(&self->lock);
}

static void handle(Lease *self, const GError *error)
{
  if (g_error_matches(error, ETCD_ERROR, ETCD_ERROR_CANCELLED))
    return;
  if (g_error_matches(error, ETCD_ERROR, ETCD_ERROR_LEASE)) {
    set_state(self, 0, FALSE);
    return;
  }
  self->funcs.trouble(error, self->user_data);
  if (error->code != ETCD_ERROR_UNAVAILABLE)
    etcd_free(&self->etcd);
  wait_to_retry(self);
}

static gpointer run(gpointer user_data)
{
  Lease *self = user_data;
  backoff_init(&self->backoff, RETRY_MIN, RETRY_MAX);
  while (!g_cancellable_is_cancelled(self->cancellable)) {
    g_autoptr(GError) error = NULL;
    if (!act(self, &error)) {
      handle(self, error);
      continue;
    }
    self->funcs.trouble(NULL, self->user_data);
    backoff_init(&self->backoff, RETRY_MIN, RETRY_MAX);
    wait(self);
  }
  etcd_free(&self->etcd);
  return NULL;
}

/* ---- From other threads -------------------------------------------------------------------- */

Lease *lease_new(const FleetConfig *config, const char *id, const LeaseFuncs *funcs,
                 gpointer user_data)
{
  Lease *self = g_new0(Lease, 1);
  self->config = config;
  self->id = g_strdup(id);
  self->funcs = *funcs;
  self->user_data = user_data;
  self->key = fleet_key(config, FLEET_NODES, config->node);
  self->cancellable = g_cancellable_new();
  g_mutex_init(&self->lock);
  g_cond_init(&self->wake);
  self->thread = g_thread_new("fleet-lease", run, self);
  return self;
}

gint64 lease_get_fence(Lease *self, gint64 lease)
{
  g_mutex_lock(&self->lock);
  const gint64 fence = self->registered && self->lease == lease ? self->fence : 0;
  g_mutex_unlock(&self->lock);
  return fence;
}

gint64 lease_get(Lease *self)
{
  g_mutex_lock(&self->lock);
  const gint64 lease = self->registered && fence_now() < self->fence ? self->lease : 0;
  g_mutex_unlock(&self->lock);
  return lease;
}

void lease_get_times(Lease *self, double *left, double *age)
{
  g_mutex_lock(&self->lock);
  const gint64 now = fence_now();
  *left = self->registered && now < self->fence ? (double)(self->fence - now) / G_USEC_PER_SEC : 0;
  *age = self->renewed ? (double)(now - self->renewed) / G_USEC_PER_SEC : -1;
  g_mutex_unlock(&self->lock);
}

void lease_set_value(Lease *self, const char *value)
{
  g_mutex_lock(&self->lock);
  if (g_strcmp0(self->value, value)) {
    g_free(self->value);
    self->value = g_strdup(value);
    self->serial++;
    g_cond_broadcast(&self->wake);
  }
  g_mutex_unlock(&self->lock);
}

void lease_register(Lease *self)
{
  g_mutex_lock(&self->lock);
  self->registered = FALSE;
  g_cond_broadcast(&self->wake);
  g_mutex_unlock(&self->lock);
}

static void give_up(Lease *self)
{
  g_autoptr(GError) error = NULL;
  Etcd *etcd = fleet_connect(self->config, END_TIME, NULL, &error);
  if (etcd && !etcd_revoke(etcd, self->lease, &error)) {
    g_autofree char *problem =
        g_strdup_printf("others get this node's cameras when its lease ends: %s", error->message);
    self->funcs.problem(problem, self->user_data);
  }
  etcd_free(&etcd);
}

void lease_free(Lease **lease)
{
  Lease *self = *lease;
  *lease = NULL;
  if (!self)
    return;
  g_mutex_lock(&self->lock);
  self->stopping = TRUE;
  g_cond_broadcast(&self->wake);
  g_mutex_unlock(&self->lock);
  g_cancellable_cancel(self->cancellable);
  g_thread_join(self->thread);
  if (self->lease)
    give_up(self);
  g_object_unref(self->cancellable);
  g_mutex_clear(&self->lock);
  g_cond_clear(&self->wake);
  g_free(self->id);
  g_free(self->value);
  g_free(self->key);
  g_free(self);
}
