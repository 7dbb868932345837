#include "page/api/metrics.h"

#include <string.h>

#include "page/http/metrics-text.h"

static void write_value(GString *text, const char *name, const char *labels, double value)
{
  metrics_sample(text, name, labels, value);
}

/* ---- Cameras ------------------------------------------------------------------------------- */

struct _MetricsApi {
  Page *page;
  Login *login;
};

typedef double (*CameraValue)(const StatusCamera *camera);

static double frames(const StatusCamera *camera)
{
  return (double)camera->camera.frames;
}

static double skipped(const StatusCamera *camera)
{
  return (double)camera->camera.skipped;
}

static double frame_rate(const StatusCamera *camera)
{
  return camera->frame_rate;
}

static double playing(const StatusCamera *camera)
{
  return camera->camera.state == CAMERA_PLAYING;
}

static double reconnects(const StatusCamera *camera)
{
  return camera->camera.connects ? camera->camera.connects - 1 : 0;
}

static double attempts(const StatusCamera *camera)
{
  return camera->camera.attempts;
}

static double age(const StatusCamera *camera)
{
  return camera->camera.age;
}

static const struct {
  const char *name, *type, *help;
  CameraValue value;
} camera_metrics[] = {
  { "vitgate_frames_total", "counter", "Frames analysed", frames },
  { "vitgate_frames_skipped_total", "counter",
    "Frames dropped before the analysis, since it was too slow", skipped },
  { "vitgate_frames_per_second", "gauge", "Frames analysed per second", frame_rate },
  { "vitgate_camera_playing", "gauge", "1 if frames arrive, otherwise 0", playing },
  { "vitgate_reconnects_total", "counter", "Connections after the first one", reconnects },
  { "vitgate_failed_attempts", "gauge", "Failed attempts to connect since frames stopped",
    attempts },
  { "vitgate_frame_age_seconds", "gauge", "Age of the newest frame; -1 if there was none", age },
};

static void add_cameras(GString *text, const Status *status)
{
  for (guint m = 0; m < G_N_ELEMENTS(camera_metrics); m++) {
    metrics_head(text, camera_metrics[m].name, camera_metrics[m].type, camera_metrics[m].help);
    for (guint i = 0; i < status->cameras->len; i++) {
      const StatusCamera *camera = &g_array_index(status->cameras, StatusCamera, i);
      g_autofree char *labels = metrics_labels("camera", camera->name, NULL);
      write_value(text, camera_metrics[m].name, labels, camera_metrics[m].value(camera));
    }
  }
}

/* ---- Looks --------------------------------------------------------------------------------- */

typedef double (*LookValue)(const LookStatus *look);

static double inferred(const LookStatus *look)
{
  return (double)look->counts.inferred;
}

static double reused(const LookStatus *look)
{
  return (double)look->counts.reused;
}

static double late(const LookStatus *look)
{
  return (double)look->counts.late;
}

static double gmacs(const LookStatus *look)
{
  return look->counts.gmacs;
}

static double dial(const LookStatus *look)
{
  return look->dial;
}

static double compute_ratio(const LookStatus *look)
{
  return look->compute;
}

static double score(const LookStatus *look)
{
  return look->score;
}

static const struct {
  const char *name, *type, *help;
  LookValue value;
} look_metrics[] = {
  { "vitgate_inferences_total", "counter", "Inferences", inferred },
  { "vitgate_results_reused_total", "counter",
    "Frames that kept the result of an unchanged picture", reused },
  { "vitgate_inferences_skipped_total", "counter",
    "Frames without the time for an inference (latency-budget)", late },
  { "vitgate_gmacs_total", "counter", "Multiply-adds of all inferences, 1e9", gmacs },
  { "vitgate_dial", "gauge", "Setting of the dial at the last frame, 0 to 1", dial },
  { "vitgate_compute_ratio", "gauge", "Mean compute ratio of recent frames, 0 to 1",
    compute_ratio },
  { "vitgate_score", "gauge", "Score of the best label of the last frame, 0 to 1", score },
};

/* @user_data: given to @func */
static void for_each_look(const Status *status,
                          void (*func)(const char *labels, const LookStatus *look,
                                       gpointer user_data),
                          gpointer user_data)
{
  for (guint i = 0; i < status->cameras->len; i++) {
    const StatusCamera *camera = &g_array_index(status->cameras, StatusCamera, i);
    g_autofree char *whole = metrics_labels("camera", camera->name, "look", "", NULL);
    if (camera->camera.whole_frame)
      func(whole, &camera->camera.whole, user_data);
    for (guint k = 0; k < camera->camera.looks->len; k++) {
      const LookStatus *look = &g_array_index(camera->camera.looks, LookStatus, k);
      g_autofree char *labels = metrics_labels("camera", camera->name, "look", look->name, NULL);
      func(labels, look, user_data);
    }
  }
}

typedef struct {
  GString *text;
  guint metric;
} LookMetric;

static void add_look_value(const char *labels, const LookStatus *look, gpointer user_data)
{
  const LookMetric *at = user_data;
  write_value(at->text, look_metrics[at->metric].name, labels,
              look_metrics[at->metric].value(look));
}

static void add_latencies(const char *labels, const LookStatus *look, gpointer user_data)
{
  metrics_histogram(user_data, "vitgate_inference_seconds", labels, look_latency_limits,
                    look->counts.latencies, N_LATENCY_LIMITS, look->counts.seconds);
}

static void add_looks(GString *text, const Status *status)
{
  for (guint m = 0; m < G_N_ELEMENTS(look_metrics); m++) {
    LookMetric at = { text, m };
    metrics_head(text, look_metrics[m].name, look_metrics[m].type, look_metrics[m].help);
    for_each_look(status, add_look_value, &at);
  }
  metrics_head(text, "vitgate_inference_seconds", "histogram", "Duration of an inference");
  for_each_look(status, add_latencies, text);
}

/* ---- Outputs and the program --------------------------------------------------------------- */

static void add_one(GString *text, const char *name, const char *type, const char *help,
                    double value)
{
  metrics_head(text, name, type, help);
  write_value(text, name, "", value);
}

static void add_outputs(GString *text, const OutputsStatus *outputs)
{
  if (outputs->has_log) {
    add_one(text, "vitgate_log_lines_total", "counter", "Lines written to the log",
            (double)outputs->log.lines);
    add_one(text, "vitgate_log_waiting", "gauge", "Lines that wait for room on the disk",
            outputs->log.waiting);
    add_one(text, "vitgate_log_dropped_total", "counter", "Lines that were lost",
            (double)outputs->log.dropped);
  }
  if (outputs->has_mqtt) {
    add_one(text, "vitgate_mqtt_connected", "gauge", "1 if the broker is connected, otherwise 0",
            outputs->mqtt.connected);
    add_one(text, "vitgate_queue_length", "gauge", "Messages that wait for the broker",
            (double)outputs->spool.queued);
    add_one(text, "vitgate_spool_bytes", "gauge", "Size of the messages that wait for the broker",
            (double)outputs->spool.bytes);
    add_one(text, "vitgate_spool_dropped_total", "counter", "Messages that were lost",
            (double)outputs->spool.dropped);
  }
}

static void add_fleet(GString *text, const Status *status)
{
  const FleetNodeStatus *fleet = &status->fleet;
  const struct {
    const char *name, *type, *help;
    double value;
  } metrics[] = {
    { "vitgate_fleet_member", "gauge", "1 if this node may publish, otherwise 0", fleet->member },
    { "vitgate_fleet_owned_cameras", "gauge", "Cameras of the fleet that this node owns",
      fleet->owned },
    { "vitgate_fleet_refused_cameras", "gauge", "Cameras of the fleet that this node cannot run",
      fleet->refused },
    { "vitgate_fleet_cameras", "gauge", "Cameras of the fleet", fleet->cameras },
    { "vitgate_fleet_unowned_cameras", "gauge", "Cameras of the fleet without an owner",
      fleet->unowned },
    { "vitgate_fleet_nodes", "gauge", "Nodes of the fleet", fleet->nodes },
    { "vitgate_fleet_capacity_gmacs_per_second", "gauge", "What this node can do",
      fleet->capacity },
    { "vitgate_fleet_load_gmacs_per_second", "gauge", "What its cameras use", fleet->load },
    { "vitgate_fleet_lease_seconds", "gauge",
      "Time for which this node may publish without a renewal of its lease", fleet->lease_left },
    { "vitgate_fleet_renewal_age_seconds", "gauge",
      "Time since the last renewal of the lease; -1 if there was none", fleet->renewal_age },
    { "vitgate_fleet_claims_won_total", "counter", "Cameras that this node has claimed",
      (double)fleet->won },
    { "vitgate_fleet_claims_lost_total", "counter",
      "Claims that ended without this node giving them up", (double)fleet->lost },
    { "vitgate_fleet_etcd_errors_total", "counter", "Requests that etcd did not carry out",
      (double)fleet->etcd_errors },
  };
  for (guint i = 0; status->has_fleet && i < G_N_ELEMENTS(metrics); i++)
    add_one(text, metrics[i].name, metrics[i].type, metrics[i].help, metrics[i].value);
}

static void add_program(GString *text, const Status *status)
{
  g_autofree char *version = metrics_labels("version", VITGATE_VERSION, NULL);
  metrics_head(text, "vitgate_build_info", "gauge", "1; the label has the version");
  write_value(text, "vitgate_build_info", version, 1);
  add_one(text, "process_resident_memory_bytes", "gauge", "Resident memory",
          (double)status->memory);
  add_one(text, "process_start_time_seconds", "gauge", "Start of the program, since 1970",
          (double)status->since / G_USEC_PER_SEC);
  add_one(text, "vitgate_page_streams", "gauge", "Open streams of the page", http_stream_count());
}

static void answer_metrics(HttpRequest *request, gpointer user_data)
{
  const PageWatch *watch = page_get_watch(user_data);
  GString *text = g_string_new(NULL);
  Status status;
  watch->get_status(&status, watch->user_data);
  add_cameras(text, &status);
  add_looks(text, &status);
  add_outputs(text, &status.outputs);
  add_fleet(text, &status);
  add_program(text, &status);
  status_clear(&status);
  g_autoptr(GBytes) bytes = g_string_free_to_bytes(text);
  http_answer_bytes(request, "text/plain; version=0.0.4; charset=utf-8", bytes);
}

static void get_metrics(HttpRequest *request, gpointer user_data)
{
  MetricsApi *self = user_data;
  login_require(self->login, request, answer_metrics, self->page);
}

/* ---- Health -------------------------------------------------------------------------------- */

/* Everyone may read it, so it names nothing.
 * Returns: (transfer full) (nullable): what is wrong */
static char *find_fault(const Status *status)
{
  guint n_alive = 0, n_playing = 0;
  for (guint i = 0; i < status->cameras->len; i++) {
    const CameraState state = g_array_index(status->cameras, StatusCamera, i).camera.state;
    n_alive += state != CAMERA_ENDED;
    n_playing += state == CAMERA_PLAYING;
  }
  if (n_alive > 0 && n_playing == 0)
    return g_strdup_printf("none of %u cameras is playing\n", n_alive);
  if (status->outputs.has_log && status->outputs.log.waiting)
    return g_strdup_printf("the log cannot be written; %u lines wait\n",
                           status->outputs.log.waiting);
  return NULL;
}

static void get_health(HttpRequest *request, gpointer user_data)
{
  const PageWatch *watch = page_get_watch(user_data);
  Status status;
  watch->get_status(&status, watch->user_data);
  char *fault = find_fault(&status), *text = fault ? fault : g_strdup("ok\n");
  status_clear(&status);
  g_autoptr(GBytes) bytes = g_bytes_new_take(text, strlen(text));
  http_answer_bytes_with(request, fault ? SOUP_STATUS_SERVICE_UNAVAILABLE : SOUP_STATUS_OK,
                         "text/plain; charset=utf-8", bytes);
}

MetricsApi *metrics_api_new(Page *page, Login *login)
{
  MetricsApi *self = g_new(MetricsApi, 1);
  HttpServer *server = page_get_server(page);
  *self = (MetricsApi){ page, login };
  /* Prometheus keeps no session, so the handler looks for a password too. */
  http_server_add_with(server, "GET", "/metrics", HTTP_OPEN, get_metrics, self);
  http_server_add_with(server, "GET", "/healthz", HTTP_OPEN, get_health, page);
  return self;
}

void metrics_api_free(MetricsApi **api)
{
  g_clear_pointer(api, g_free);
}
