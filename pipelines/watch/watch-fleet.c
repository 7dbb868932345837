#include "watch-fleet.h"

#ifdef VITGATE_HAVE_FLEET

#include <string.h>

#include "base/console.h"
#include "camera/speed.h"
#include "fleet/node.h"

#define LOAD_SHARE 0.2 /* of the last value in the mean */

struct _WatchFleet {
  Outputs *outputs;
  WatchFleetFunc func;
  gpointer user_data;
  FleetNode *node;    /* or NULL */
  FleetConfig config; /* of the node */
  GPtrArray *cameras; /* of FleetCamera: what the last join had */
  guint64 serial;     /* of these */

  GMutex lock;
  Config *base;       /* for checks; or NULL */
  GPtrArray *pending; /* (nullable): newer cameras */
  guint64 pending_serial;
  guint source;    /* that makes the main thread take them, or 0 */
  double load;     /* GMAC/s */
  double capacity; /* GMAC/s; used by the node's thread only; 0: not measured */
};

/* ---- Called by the node's threads ---------------------------------------------------------- */

static gboolean take_pending(gpointer user_data)
{
  WatchFleet *self = user_data;
  g_mutex_lock(&self->lock);
  self->source = 0;
  if (self->pending) {
    g_ptr_array_unref(self->cameras);
    self->cameras = g_steal_pointer(&self->pending);
    self->serial = self->pending_serial;
  }
  g_mutex_unlock(&self->lock);
  self->func(self->user_data);
  return G_SOURCE_REMOVE;
}

static void on_changed(GPtrArray *cameras, guint64 serial, gpointer user_data)
{
  WatchFleet *self = user_data;
  g_mutex_lock(&self->lock);
  g_clear_pointer(&self->pending, g_ptr_array_unref);
  self->pending = g_ptr_array_ref(cameras);
  self->pending_serial = serial;
  if (!self->source)
    self->source = g_timeout_add(0, take_pending, self);
  g_mutex_unlock(&self->lock);
}

static Config *get_base(WatchFleet *self)
{
  g_mutex_lock(&self->lock);
  Config *base = config_ref(self->base);
  g_mutex_unlock(&self->lock);
  return base;
}

/* Checks everything that does not depend on the fleet's other cameras. */
static gboolean on_check(const char *name, const char *text, GError **error, gpointer user_data)
{
  g_autoptr(Config) base = get_base(user_data);
  g_autoptr(GPtrArray) problems = g_ptr_array_new_with_free_func(g_free);
  g_autoptr(GPtrArray) cameras = g_ptr_array_new_with_free_func((GDestroyNotify)camera_config_free);
  CameraConfig *camera = config_parse_camera(base, name, text, error);
  if (!camera)
    return FALSE;
  g_ptr_array_add(cameras, camera);
  config_unref(config_with_cameras(base, cameras, problems));
  if (!problems->len)
    return TRUE;
  g_set_error_literal(error, G_KEY_FILE_ERROR, G_KEY_FILE_ERROR_INVALID_VALUE, problems->pdata[0]);
  return FALSE;
}

static double on_load(gpointer user_data)
{
  WatchFleet *self = user_data;
  g_mutex_lock(&self->lock);
  const double load = self->load;
  g_mutex_unlock(&self->lock);
  return load;
}

/* Once, since cameras would move with each new figure. */
static double on_capacity(gpointer user_data)
{
  WatchFleet *self = user_data;
  if (self->capacity > 0)
    return self->capacity;
  self->capacity = speed_measure();
  if (self->capacity > 0)
    console_print("fleet: this machine can do %.3g GMAC/s", self->capacity);
  else
    console_print("fleet: the speed of this machine cannot be measured, as the default model "
                  "cannot be used; set [fleet] capacity");
  self->capacity = MAX(self->capacity, 1);
  return self->capacity;
}

static void on_report(const char *message, gpointer user_data)
{
  console_print("%s", message);
}

static gboolean may_publish(gint64 lease, gpointer user_data)
{
  return fleet_node_may_publish(((WatchFleet *)user_data)->node, lease);
}

/* ---- Cameras ------------------------------------------------------------------------------- */

static void add_claim(char **fingerprint, gint64 claim)
{
  char *old = *fingerprint;
  *fingerprint = g_strdup_printf("%sclaim=%" G_GINT64_FORMAT "\n", old, claim);
  g_free(old);
}

/* A camera with another claim is another camera: it starts anew. */
static void set_claim(CameraConfig *camera, gint64 claim)
{
  add_claim(&camera->fingerprint, claim);
  add_claim(&camera->fixed_fingerprint, claim);
  camera->claim = claim;
}

static gboolean is_member(const WatchFleet *self, const Config *base)
{
  return self->node && base->fleet.etcd && fleet_config_equal(&self->config, &base->fleet);
}

/* Returns: (transfer full): of CameraConfig */
static GPtrArray *parse_cameras(WatchFleet *self, Config *base, GPtrArray *problems)
{
  GPtrArray *parsed = g_ptr_array_new_with_free_func((GDestroyNotify)camera_config_free);
  for (guint i = 0; is_member(self, base) && i < self->cameras->len; i++) {
    const FleetCamera *camera = self->cameras->pdata[i];
    g_autoptr(GError) error = NULL;
    CameraConfig *config = config_parse_camera(base, camera->name, camera->text, &error);
    if (config) {
      set_claim(config, camera->claim);
      g_ptr_array_add(parsed, config);
    } else {
      g_ptr_array_add(problems, g_strdup(error->message));
    }
  }
  return parsed;
}

static void own_cameras(WatchFleet *self)
{
  Ownership *ownership = outputs_get_ownership(self->outputs);
  for (guint i = 0; i < self->cameras->len; i++) {
    const FleetCamera *camera = self->cameras->pdata[i];
    ownership_set(ownership, camera->name, camera->claim, camera->lease);
  }
}

Config *watch_fleet_join(WatchFleet *self, Config *base)
{
  g_autoptr(GPtrArray) problems = g_ptr_array_new_with_free_func(g_free);
  g_autoptr(GPtrArray) cameras = parse_cameras(self, base, problems);
  Config *config = config_with_cameras(base, cameras, problems);
  for (guint i = 0; i < problems->len; i++)
    console_print("%s", (const char *)problems->pdata[i]);
  if (is_member(self, base))
    own_cameras(self);
  return config;
}

void watch_fleet_hand_over(WatchFleet *self, const Config *old, const Config *config)
{
  g_autoptr(GHashTable) names = g_hash_table_new(g_str_hash, g_str_equal);
  for (guint i = 0; i < config->cameras->len; i++)
    g_hash_table_add(names, ((CameraConfig *)config->cameras->pdata[i])->name);
  for (guint i = 0; i < old->cameras->len; i++) {
    const CameraConfig *camera = old->cameras->pdata[i];
    if (camera->claim && !g_hash_table_contains(names, camera->name) && self->node &&
        fleet_node_has_camera(self->node, camera->name))
      outputs_hand_over(self->outputs, camera->name);
  }
}

void watch_fleet_settled(WatchFleet *self)
{
  g_autoptr(GHashTable) names = g_hash_table_new(g_str_hash, g_str_equal);
  for (guint i = 0; i < self->cameras->len; i++)
    g_hash_table_add(names, ((FleetCamera *)self->cameras->pdata[i])->name);
  ownership_keep(outputs_get_ownership(self->outputs), names);
  if (self->node)
    fleet_node_settled(self->node, self->serial);
}

/* ---- Start and end ------------------------------------------------------------------------- */

WatchFleet *watch_fleet_new(Outputs *outputs, WatchFleetFunc func, gpointer user_data)
{
  WatchFleet *self = g_new0(WatchFleet, 1);
  self->outputs = outputs;
  self->func = func;
  self->user_data = user_data;
  self->cameras = g_ptr_array_new();
  g_mutex_init(&self->lock);
  return self;
}

static void set_base(WatchFleet *self, Config *base)
{
  g_mutex_lock(&self->lock);
  Config *old = self->base;
  self->base = base ? config_ref(base) : NULL;
  g_mutex_unlock(&self->lock);
  if (old)
    config_unref(old);
}

/* The node ends first, since it calls this object. */
static void leave(WatchFleet *self)
{
  if (!self->node)
    return;
  ownership_set_node(outputs_get_ownership(self->outputs), NULL, NULL, NULL);
  fleet_node_free(&self->node);
  fleet_config_clear(&self->config);
  if (self->source)
    g_source_remove(self->source);
  self->source = 0;
  g_clear_pointer(&self->pending, g_ptr_array_unref);
  g_ptr_array_unref(self->cameras);
  self->cameras = g_ptr_array_new();
  self->serial = 0;
  set_base(self, NULL);
}

gboolean watch_fleet_start(WatchFleet *self, Config *base, GError **error)
{
  static const FleetFuncs funcs = {
    .changed = on_changed,
    .check = on_check,
    .load = on_load,
    .capacity = on_capacity,
    .report = on_report,
  };
  if (is_member(self, base)) {
    set_base(self, base);
    self->config.capacity = base->fleet.capacity;
    fleet_node_set_capacity(self->node, base->fleet.capacity);
    return TRUE;
  }
  leave(self);
  if (!base->fleet.etcd)
    return TRUE;
  set_base(self, base);
  self->node = fleet_node_new(&base->fleet, &funcs, self, error);
  if (!self->node)
    return FALSE;
  fleet_config_copy(&self->config, &base->fleet);
  ownership_set_node(outputs_get_ownership(self->outputs), self->config.node, may_publish, self);
  return TRUE;
}

void watch_fleet_set_load(WatchFleet *self, double load)
{
  g_mutex_lock(&self->lock);
  self->load += LOAD_SHARE * (load - self->load);
  g_mutex_unlock(&self->lock);
}

void watch_fleet_get_status(WatchFleet *self, Status *status)
{
  status->has_fleet = self->node != NULL;
  if (!self->node)
    return;
  status->fleet_name = g_strdup(self->config.name);
  status->fleet_node = g_strdup(self->config.node);
  fleet_node_get_status(self->node, &status->fleet);
}

void watch_fleet_free(WatchFleet **fleet)
{
  WatchFleet *self = *fleet;
  *fleet = NULL;
  if (!self)
    return;
  leave(self);
  set_base(self, NULL);
  g_ptr_array_unref(self->cameras);
  g_mutex_clear(&self->lock);
  g_free(self);
}

#else

struct _WatchFleet {
  char unused;
};

WatchFleet *watch_fleet_new(Outputs *outputs, WatchFleetFunc func, gpointer user_data)
{
  return g_new0(WatchFleet, 1);
}

Config *watch_fleet_join(WatchFleet *self, Config *base)
{
  return config_ref(base);
}

void watch_fleet_hand_over(WatchFleet *self, const Config *old, const Config *config)
{
}

void watch_fleet_settled(WatchFleet *self)
{
}

gboolean watch_fleet_start(WatchFleet *self, Config *base, GError **error)
{
  return TRUE;
}

void watch_fleet_set_load(WatchFleet *self, double load)
{
}

void watch_fleet_get_status(WatchFleet *self, Status *status)
{
}

void watch_fleet_free(WatchFleet **self)
{
  g_clear_pointer(self, g_free);
}

#endif
