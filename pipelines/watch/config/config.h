/* The key file: what to watch and where results go. Every problem is told with file, group, key and
 * reason. */
#pragma once

#include <gio/gio.h>

typedef enum {
  FRAME_LINES_NONE,
  FRAME_LINES_CHANGES, /* of the best label */
  FRAME_LINES_ALL,
} FrameLines;

typedef enum {
  TRANSPORT_AUTO, /* UDP, and TCP where no UDP comes through */
  TRANSPORT_TCP,
  TRANSPORT_UDP,
} Transport;

typedef struct {
  char *file; /* or NULL: no log */
  guint64 size;
  guint files;
  FrameLines frames;
} LogConfig;

typedef struct {
  char *host; /* or NULL: no broker */
  guint port;
  gboolean tls;
  char *ca_file;
  char *credentials_file, *credentials_env;
  char *topic, *client_id;
  char *spool;
  guint64 spool_size;
  FrameLines frames;
  double retry_least, retry_most; /* seconds */
} MqttConfig;

typedef struct {
  char *name;
  char *url;
  char *credentials_file, *credentials_env;
  Transport transport;
  double latency; /* of the jitter buffer; all times in seconds */
  double connect_timeout, stall_timeout;
  double retry_least, retry_most;
  gboolean repeat, real_time; /* of a file */

  char *model, *model_labels; /* or NULL: the element's own */
  guint precision;            /* index of config_precisions */
  guint threads, top_k, interval;
  double compute, least_compute; /* negative: the element's own */
  double latency_budget;         /* 0: none */
  double reuse_threshold, max_age;

  char **labels; /* (nullable): those of interest */
  double threshold, keep_threshold;
  double appear_after, vanish_after;

  char *fingerprint; /* equal where all keys are */
} CameraConfig;

typedef struct {
  gatomicrefcount references;
  char *path;
  double sync_interval; /* seconds; 0: after each line */
  LogConfig log;
  MqttConfig mqtt;
  GPtrArray *cameras; /* of CameraConfig, in the file's order */
} Config;

extern const char *const config_precisions[];

/* Returns: (transfer full): or NULL with an error of G_IO_ERROR or G_KEY_FILE_ERROR */
Config *config_load(const char *path, GError **error);

Config *config_ref(Config *self);
void config_unref(Config *self);

/* Returns: whether the camera is a file, which has an end and waits for whoever reads it */
gboolean config_is_file(const CameraConfig *camera);

/* Returns: whether all keys of @a and @b are the same */
gboolean config_mqtt_equal(const MqttConfig *a, const MqttConfig *b);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Config, config_unref)
