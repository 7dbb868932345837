#include "fleet/feed.h"

#include "base/backoff.h"
#include "fleet/etcd-watch.h"

#define READ_TIME    5 /* seconds */
#define RETRY_MIN    0.2
#define RETRY_MAX    5
#define PATIENCE_MIN 2 /* times that a watch may be behind, one after the other */
#define PATIENCE_MAX 32

struct _Feed {
  const FleetConfig *config;
  FeedFuncs funcs;
  gpointer user_data;
  GThread *thread;
  GCancellable *cancellable;
  GMutex lock;
  GCond changed;
  gboolean stopping, restart;

  /* Used by the thread only. */
  Etcd *reader, *watcher;
  char *prefix;
  gint64 revision; /* the next one that is wanted; 0: everything */
  guint behind;    /* times that etcd had changes which the watch has not brought since */
  guint patience;
  Backoff backoff;
};

/* How long a watch may be without news before its endpoint is asked: one that hangs is noticed
 * then. */
static guint quiet_time(const FleetConfig *config)
{
  return CLAMP(config->lease / 5, 1, 2);
}

/* How long that endpoint may take to answer. One that is busy may be slow. */
static guint answer_time(const FleetConfig *config)
{
  return CLAMP(config->lease / 3, 1, 10);
}

static gboolean open_clients(Feed *self, GError **error)
{
  if (!self->reader && !self->revision)
    self->reader = fleet_connect(self->config, READ_TIME, self->cancellable, error);
  if ((self->reader || self->revision) && !self->watcher)
    self->watcher =
        fleet_connect(self->config, answer_time(self->config), self->cancellable, error);
  return (self->reader || self->revision) && self->watcher;
}

static gboolean takes_restart(Feed *self)
{
  g_mutex_lock(&self->lock);
  const gboolean restart = self->restart;
  self->restart = FALSE;
  g_mutex_unlock(&self->lock);
  return restart;
}

static gboolean read_all(Feed *self, GError **error)
{
  gint64 revision;
  g_autoptr(GPtrArray) items = etcd_get_prefix(self->reader, self->prefix, &revision, error);
  if (!items)
    return FALSE;
  self->funcs.reset(items, revision, self->user_data);
  etcd_free(&self->reader); /* a connection that is rarely needed */
  self->revision = revision + 1;
  return TRUE;
}

static gboolean is_over(Feed *self)
{
  g_mutex_lock(&self->lock);
  const gboolean over = self->restart || self->stopping;
  g_mutex_unlock(&self->lock);
  return over;
}

static void set_well(Feed *self)
{
  self->funcs.trouble(NULL, self->user_data);
  backoff_init(&self->backoff, RETRY_MIN, RETRY_MAX);
}

/* A watch without news may have hung, alone or with its endpoint. A watch that is opened again gets
 * all changes again that etcd was about to send, so a large fleet whose etcd is busy would never
 * catch up: it stays open while its endpoint answers, unless etcd has had changes for a while, and
 * then for longer and longer. These may be of somebody else's keys.
 * Returns: whether to wait on; FALSE with an error: ETCD_ERROR_QUIET if another endpoint may do
 * better */
static gboolean waits_on(Feed *self, GError **error)
{
  if (!g_error_matches(*error, ETCD_ERROR, ETCD_ERROR_QUIET))
    return FALSE;
  const gint64 newest = etcd_get_revision(self->watcher, self->prefix, NULL);
  self->behind = newest >= self->revision ? self->behind + 1 : 0;
  if (!newest || self->behind > self->patience) {
    self->patience = newest ? MIN(2 * self->patience, PATIENCE_MAX) : self->patience;
    self->behind = 0;
    return FALSE;
  }
  set_well(self);
  g_clear_error(error);
  return TRUE;
}

static void take_changes(Feed *self, GPtrArray *items)
{
  set_well(self);
  if (items->len) {
    self->behind = 0;
    self->patience = PATIENCE_MIN;
  }
  self->funcs.apply(items, self->user_data);
  g_ptr_array_unref(items);
}

/* Returns: FALSE with an error */
static gboolean follow(Feed *self, GError **error)
{
  EtcdWatch *watch = etcd_watch_new(self->watcher, self->prefix, self->revision, error);
  gboolean open = watch != NULL;
  while (open && !is_over(self)) {
    etcd_http_set_timeout(self->watcher, quiet_time(self->config));
    GPtrArray *items = etcd_watch_next(watch, &self->revision, error);
    etcd_http_set_timeout(self->watcher, answer_time(self->config));
    if (items)
      take_changes(self, items);
    else
      open = waits_on(self, error);
  }
  etcd_watch_free(&watch);
  return !*error;
}

/* @error: (nullable) */
static void handle(Feed *self, const GError *error)
{
  if (!error || g_error_matches(error, ETCD_ERROR, ETCD_ERROR_CANCELLED))
    return;
  if (g_error_matches(error, ETCD_ERROR, ETCD_ERROR_QUIET)) {
    etcd_http_turn(self->watcher);
    return;
  }
  if (g_error_matches(error, ETCD_ERROR, ETCD_ERROR_COMPACTED)) {
    self->revision = 0;
    return;
  }
  self->funcs.trouble(error, self->user_data);
  if (error->code != ETCD_ERROR_UNAVAILABLE) {
    etcd_free(&self->reader);
    etcd_free(&self->watcher);
  } else if (self->watcher) {
    etcd_http_turn(self->watcher);
  }
  const gint64 end = g_get_monotonic_time() +
                     (gint64)(backoff_step(&self->backoff, g_random_double()) * G_USEC_PER_SEC);
  g_mutex_lock(&self->lock);
  while (!self->stopping && g_cond_wait_until(&self->changed, &self->lock, end)) {
  }
  g_mutex_unlock(&self->lock);
}

static gboolean goes_on(Feed *self)
{
  g_mutex_lock(&self->lock);
  const gboolean stopping = self->stopping;
  g_mutex_unlock(&self->lock);
  return !stopping;
}

static gpointer run(gpointer user_data)
{
  Feed *self = user_data;
  backoff_init(&self->backoff, RETRY_MIN, RETRY_MAX);
  self->patience = PATIENCE_MIN;
  while (goes_on(self)) {
    g_autoptr(GError) error = NULL;
    if (takes_restart(self))
      self->revision = 0;
    if (open_clients(self, &error) && (self->revision || read_all(self, &error)))
      follow(self, &error);
    handle(self, error);
  }
  etcd_free(&self->reader);
  etcd_free(&self->watcher);
  return NULL;
}

Feed *feed_new(const FleetConfig *config, const FeedFuncs *funcs, gpointer user_data)
{
  Feed *self = g_new0(Feed, 1);
  self->config = config;
  self->funcs = *funcs;
  self->user_data = user_data;
  self->prefix = fleet_key(config, NULL, NULL);
  self->cancellable = g_cancellable_new();
  g_mutex_init(&self->lock);
  g_cond_init(&self->changed);
  self->thread = g_thread_new("fleet-feed", run, self);
  return self;
}

void feed_restart(Feed *self)
{
  g_mutex_lock(&self->lock);
  self->restart = TRUE;
  g_mutex_unlock(&self->lock);
}

void feed_free(Feed **feed)
{
  Feed *self = *feed;
  *feed = NULL;
  if (!self)
    return;
  g_mutex_lock(&self->lock);
  self->stopping = TRUE;
  g_cond_broadcast(&self->changed);
  g_mutex_unlock(&self->lock);
  g_cancellable_cancel(self->cancellable);
  g_thread_join(self->thread);
  g_object_unref(self->cancellable);
  g_mutex_clear(&self->lock);
  g_cond_clear(&self->changed);
  g_free(self->prefix);
  g_free(self);
}
