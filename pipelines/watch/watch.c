#include "watch.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include <glib-unix.h>

#include "base/clean-text.h"
#include "base/console.h"
#include "camera/camera.h"
#include "camera/label-check.h"
#include "camera/status-json.h"
#include "camera/status.h"
#include "config/config.h"
#include "config/status-socket.h"
#include "config/warnings.h"
#include "output/outputs.h"
#include "service.h"
#include "status-server.h"
#include "watch-fleet.h"
#include "watch-page.h"

#define STOP_TIME (10 * G_USEC_PER_SEC) /* for all cameras together */

/* A camera, and its state when its frame rate was last measured. */
typedef struct {
  Camera *camera;
  guint64 frames;
  gint64 time;
  double frame_rate;
  double gmacs; /* of all inferences */
} Entry;

typedef struct {
  const WatchOptions *options;
  GMainLoop *loop;
  Config *config;
  Outputs *outputs;
  GPtrArray *entries;   /* of Entry, in the key file's order */
  StatusServer *server; /* or NULL */
  WatchPage *page;      /* or NULL */
  WatchFleet *fleet;
  gint64 since;   /* start of the program */
  char *notified; /* (nullable): status that the service manager has */
  guint sync_timer;
  gboolean hanging; /* a camera does not stop, so what it may use is not freed */
} Watch;

/* ---- Cameras ------------------------------------------------------------------------------- */

static gboolean end_if_all_are_over(gpointer user_data)
{
  Watch *self = user_data;
  gboolean over = !self->config->fleet.etcd;
  for (guint i = 0; i < self->entries->len; i++) {
    Entry *entry = self->entries->pdata[i];
    CameraStatus status;
    camera_get_status(entry->camera, &status);
    over = over && status.state == CAMERA_ENDED;
    camera_status_clear(&status);
  }
  if (over)
    g_main_loop_quit(self->loop);
  return G_SOURCE_REMOVE;
}

/* Called by a camera's thread. */
static void on_camera_end(gpointer user_data)
{
  g_idle_add(end_if_all_are_over, user_data);
}

static Entry *start_camera(Watch *self, Config *config, const CameraConfig *camera)
{
  Entry *entry = g_new0(Entry, 1);
  entry->camera = camera_new(config, camera, self->outputs, on_camera_end, self);
  entry->time = g_get_monotonic_time();
  return entry;
}

/* Asks all cameras to stop before it waits for the first one. Those that hang share the time, which
 * leaves systemd's TimeoutStopSec enough for the outputs. */
static void stop_cameras(Watch *self, GPtrArray *entries)
{
  const gint64 end = g_get_monotonic_time() + STOP_TIME;
  for (guint i = 0; i < entries->len; i++)
    camera_stop(((Entry *)entries->pdata[i])->camera);
  for (guint i = 0; i < entries->len; i++) {
    Entry *entry = entries->pdata[i];
    const char *name = camera_get_config(entry->camera)->name;
    if (!camera_free(&entry->camera, end)) {
      console_print("camera %s: cannot be stopped", name);
      self->hanging = TRUE;
    }
    g_free(entry);
  }
  g_ptr_array_set_size(entries, 0);
}

static Entry *find_entry(GPtrArray *entries, const char *name)
{
  for (guint i = 0; i < entries->len; i++) {
    Entry *entry = entries->pdata[i];
    if (!strcmp(camera_get_config(entry->camera)->name, name))
      return entry;
  }
  return NULL;
}

/* Removed and changed cameras stop before the first new one starts, since a device can be opened
 * only once, and many cameras accept only one client. */
static void change_cameras(Watch *self, Config *config, const char *what)
{
  g_autoptr(GPtrArray) kept = g_ptr_array_new(), leaving = g_ptr_array_new();
  for (guint i = 0; i < self->entries->len; i++) {
    Entry *entry = self->entries->pdata[i];
    const CameraConfig *old = camera_get_config(entry->camera);
    const CameraConfig *camera = config_find_camera(config, old->name);
    gboolean same = camera && !strcmp(camera->fixed_fingerprint, old->fixed_fingerprint);
    g_ptr_array_add(same ? kept : leaving, entry);
  }
  for (guint i = 0; i < kept->len; i++) {
    Camera *camera = ((Entry *)kept->pdata[i])->camera;
    camera_change_models(camera, config,
                         config_find_camera(config, camera_get_config(camera)->name));
  }
  guint n_kept = kept->len, n_stopped = leaving->len;
  stop_cameras(self, leaving);

  g_ptr_array_set_size(self->entries, 0);
  for (guint i = 0; i < config->cameras->len; i++) {
    const CameraConfig *camera = config->cameras->pdata[i];
    Entry *entry = find_entry(kept, camera->name);
    g_ptr_array_add(self->entries, entry ? entry : start_camera(self, config, camera));
  }
  console_print("%s; cameras kept: %u, stopped: %u, started: %u", what, n_kept, n_stopped,
                config->cameras->len - n_kept);
}

/* ---- Status -------------------------------------------------------------------------------- */

static void gather_camera(Entry *entry, StatusCamera *status)
{
  status->name = camera_get_config(entry->camera)->name;
  status->claim = camera_get_config(entry->camera)->claim;
  status->frame_rate = entry->frame_rate;
  camera_get_status(entry->camera, &status->camera);
}

static double sum_gmacs(const CameraStatus *status)
{
  double sum = status->whole.counts.gmacs;
  for (guint i = 0; i < status->looks->len; i++)
    sum += g_array_index(status->looks, LookStatus, i).counts.gmacs;
  return sum;
}

/* Measures apart from showing, so that two who ask at once do not disturb each other. */
static void measure_frame_rates(Watch *self)
{
  const gint64 now = g_get_monotonic_time();
  double load = 0;
  for (guint i = 0; i < self->entries->len; i++) {
    Entry *entry = self->entries->pdata[i];
    CameraStatus status;
    camera_get_status(entry->camera, &status);
    const double gmacs = sum_gmacs(&status), seconds = (double)(now - entry->time) * 1e-6;
    if (seconds > 0) {
      entry->frame_rate = (double)(status.frames - entry->frames) / seconds;
      load += (gmacs - entry->gmacs) / seconds;
    }
    entry->gmacs = gmacs;
    entry->frames = status.frames;
    entry->time = now;
    camera_status_clear(&status);
  }
  watch_fleet_set_load(self->fleet, load);
}

static void gather(Watch *self, Status *status)
{
  *status = (Status){ 0 };
  status->cameras = g_array_new(FALSE, TRUE, sizeof(StatusCamera));
  g_array_set_size(status->cameras, self->entries->len);
  for (guint i = 0; i < self->entries->len; i++)
    gather_camera(self->entries->pdata[i], &g_array_index(status->cameras, StatusCamera, i));
  outputs_get_status(self->outputs, &status->outputs);
  watch_fleet_get_status(self->fleet, status);
  status->memory = status_memory();
  status->since = self->since;
}

static void notify_status(Watch *self)
{
  guint playing = 0;
  for (guint i = 0; i < self->entries->len; i++) {
    CameraStatus status;
    camera_get_status(((Entry *)self->entries->pdata[i])->camera, &status);
    playing += status.state == CAMERA_PLAYING;
    camera_status_clear(&status);
  }
  g_autofree char *text = g_strdup_printf("%u camera%s, %u playing", self->entries->len,
                                          self->entries->len == 1 ? "" : "s", playing);
  service_notify_status(text, &self->notified);
}

static gboolean show_status(gpointer user_data)
{
  Watch *self = user_data;
  measure_frame_rates(self);
  notify_status(self);
  if (!self->options->json && !console_has_terminal())
    return G_SOURCE_CONTINUE;
  Status status;
  gather(self, &status);
  g_autofree char *text = self->options->json ? status_json(&status) : status_line(&status);
  if (self->options->json) {
    puts(text);
    fflush(stdout);
  } else {
    console_show_status(text);
  }
  status_clear(&status);
  return G_SOURCE_CONTINUE;
}

/* Answers a vitgate-watch --status: a line of JSON, then text for people. */
static char *answer(gpointer user_data)
{
  Status status;
  gather(user_data, &status);
  g_autofree char *json = status_json(&status), *text = status_text(&status);
  status_clear(&status);
  return g_strconcat(json, "\n", text, NULL);
}

/* Cameras are watched even if nobody can ask. */
static void start_server(Watch *self)
{
  g_autoptr(GError) error = NULL;
  status_server_free(&self->server);
  if (!self->config->status_socket)
    return;
  self->server = status_server_new(self->config->status_socket, answer, self, &error);
  if (!self->server)
    console_print("--status is not available: %s", error->message);
}

static gboolean feed_watchdog(gpointer user_data)
{
  service_notify("WATCHDOG=1");
  return G_SOURCE_CONTINUE;
}

/* ---- Reloading the key file ---------------------------------------------------------------- */

static gboolean sync_outputs(gpointer user_data)
{
  Watch *self = user_data;
  outputs_sync(self->outputs);
  return G_SOURCE_CONTINUE;
}

static void set_sync_timer(Watch *self)
{
  if (self->sync_timer)
    g_source_remove(self->sync_timer);
  /* Even if each line is synced, lines that wait for room on the disk need another try. */
  double interval = self->config->sync_interval > 0 ? self->config->sync_interval : 1;
  self->sync_timer = g_timeout_add((guint)MAX(interval * 1000, 10), sync_outputs, self);
}

/* Returns: (transfer none): the configuration without the cameras of a fleet */
static Config *get_base(const Watch *self)
{
  return self->config->base ? self->config->base : self->config;
}

/* Runs the cameras of @config, and stops others.
 * @config: (transfer full)
 * @what: has happened, for the message */
static void use_config(Watch *self, Config *config, const char *what)
{
  change_cameras(self, config, what);
  config_unref(self->config);
  self->config = config;
  watch_fleet_settled(self->fleet);
}

/* A fleet that cannot be joined must not end the program, whose own cameras run. */
static void join_fleet(Watch *self)
{
  g_autoptr(GError) error = NULL;
  if (!watch_fleet_start(self->fleet, get_base(self), &error))
    console_print("fleet %s: %s", self->config->fleet.name, error->message);
}

/* Other cameras of the fleet are this machine's now. They have to stop or start even if the outputs
 * cannot change. */
static void on_fleet_changed(gpointer user_data)
{
  Watch *self = user_data;
  g_autoptr(GError) error = NULL;
  g_autofree char *what = g_strdup_printf("fleet %s", self->config->fleet.name);
  Config *config = watch_fleet_join(self->fleet, get_base(self));
  watch_fleet_hand_over(self->fleet, self->config, config);
  if (!outputs_change(self->outputs, config, &error))
    console_print("%s: %s", what, error->message);
  use_config(self, config, what);
  watch_page_change(self->page, self->config->page);
}

/* Returns: FALSE with an error; nothing has changed then */
static gboolean reload_file(GError **error, gpointer user_data)
{
  Watch *self = user_data;
  g_autofree char *state =
      g_strdup_printf("RELOADING=1\nMONOTONIC_USEC=%" G_GINT64_FORMAT, g_get_monotonic_time());
  service_notify(state);
  g_autoptr(Config) base = config_load(self->options->path, error);
  g_autoptr(Config) config =
      base && label_check(base, FALSE, error) ? watch_fleet_join(self->fleet, base) : NULL;
  const gboolean good = config && outputs_change(self->outputs, config, error);
  if (good) {
    g_autofree char *what = g_strdup_printf("%s: reloaded", config->path);
    use_config(self, g_steal_pointer(&config), what);
    join_fleet(self);
    set_sync_timer(self);
    start_server(self);
    watch_page_change(self->page, self->config->page);
    watch_print_warnings(self->config);
    end_if_all_are_over(self);
  }
  service_notify("READY=1");
  return good;
}

static gboolean reload(gpointer user_data)
{
  g_autoptr(GError) error = NULL;
  if (!reload_file(&error, user_data))
    console_print("keeping the old configuration: %s", error->message);
  return G_SOURCE_CONTINUE;
}

/* ---- The page ------------------------------------------------------------------------------ */

static void get_status(Status *status, gpointer user_data)
{
  gather(user_data, status);
}

static Camera *find_camera(const char *name, gpointer user_data)
{
  Entry *entry = find_entry(((Watch *)user_data)->entries, name);
  return entry ? entry->camera : NULL;
}

static const Config *get_config(gpointer user_data)
{
  return ((Watch *)user_data)->config;
}

/* Returns: FALSE with an error if the page was asked for on the command line, and cannot start */
static gboolean start_page(Watch *self, GError **error)
{
  const PageWatch funcs = { get_status, find_camera, get_config, reload_file, self };
  self->page = watch_page_new(&funcs, self->outputs);
  if (self->options->page)
    return watch_page_start(self->page, self->config->page, error);
  watch_page_keep_trying(self->page, self->config->page);
  return TRUE;
}

/* ---- Running ------------------------------------------------------------------------------- */

static gboolean stop(gpointer user_data)
{
  Watch *self = user_data;
  g_main_loop_quit(self->loop);
  return G_SOURCE_CONTINUE;
}

static void catch_signals(Watch *self)
{
  g_unix_signal_add(SIGTERM, stop, self);
  g_unix_signal_add(SIGINT, stop, self);
  g_unix_signal_add(SIGHUP, reload, self);
}

static void set_timers(Watch *self)
{
  guint watchdog = service_watchdog_interval();
  if (watchdog)
    g_timeout_add(watchdog, feed_watchdog, NULL);
  g_timeout_add((guint)(self->options->interval * 1000), show_status, self);
  set_sync_timer(self);
}

static gboolean run_cameras(Watch *self, GError **error)
{
  if (!start_page(self, error)) {
    watch_page_free(&self->page);
    return FALSE;
  }
  set_timers(self);
  for (guint i = 0; i < self->config->cameras->len; i++)
    g_ptr_array_add(self->entries,
                    start_camera(self, self->config, self->config->cameras->pdata[i]));
  watch_page_change(self->page, self->config->page);
  start_server(self);
  join_fleet(self);
  service_notify("READY=1");
  notify_status(self);
  g_main_loop_run(self->loop);

  service_notify("STOPPING=1");
  status_server_free(&self->server);
  watch_page_free(&self->page);
  show_status(self);
  console_show_status("");
  stop_cameras(self, self->entries);
  watch_fleet_free(&self->fleet); /* other nodes may have its cameras now */
  return TRUE;
}

void watch_print_warnings(const Config *config)
{
  g_autoptr(GPtrArray) warnings = config_find_warnings(config);
  for (guint i = 0; i < warnings->len; i++)
    console_print("%s", (const char *)warnings->pdata[i]);
}

/* @text: of another process, which may have another user */
static void print_clean(const char *text)
{
  g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
  for (guint i = 0; lines[i] && (lines[i + 1] || *lines[i]); i++) {
    g_autofree char *clean = vitgate__clean_text(lines[i]);
    g_print("%s\n", clean);
  }
}

gboolean watch_ask(const WatchOptions *options, GError **error)
{
  g_autofree char *path = status_socket_of(options->path, error);
  g_autofree char *text = path ? status_server_ask(path, error) : NULL;
  if (!text)
    return FALSE;
  char *newline = strchr(text, '\n');
  if (!newline) {
    g_set_error(error, G_IO_ERROR, G_IO_ERROR_PARTIAL_INPUT, "%s: got only a part of the answer",
                path);
    return FALSE;
  }
  *newline = '\0';
  print_clean(options->json ? text : newline + 1);
  return TRUE;
}

gboolean watch_run(const WatchOptions *options, GError **error)
{
  Watch self = { .options = options, .since = g_get_real_time() };
  gboolean good = FALSE;
  self.config = config_load(options->path, error);
  if (self.config && !label_check(self.config, FALSE, error))
    g_clear_pointer(&self.config, config_unref);
  self.loop = g_main_loop_new(NULL, FALSE);
  catch_signals(&self); /* before the outputs: waiting messages go out at once */
  self.outputs = self.config ? outputs_new(self.config, error) : NULL;
  if (self.outputs) {
    watch_print_warnings(self.config);
    self.entries = g_ptr_array_new();
    self.fleet = watch_fleet_new(self.outputs, on_fleet_changed, &self);
    good = run_cameras(&self, error);
    watch_fleet_free(&self.fleet);
    g_ptr_array_unref(self.entries);
    g_free(self.notified);
  }
  g_main_loop_unref(self.loop);

  if (self.hanging)
    outputs_sync(self.outputs);
  else
    outputs_free(&self.outputs);
  g_clear_pointer(&self.config, config_unref);
  return good;
}
