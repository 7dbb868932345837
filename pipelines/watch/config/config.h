/* Reads the key file: what to watch, and where results go. Every error names file, group, key and
 * reason. */
#pragma once

#include <gio/gio.h>

typedef enum {
  FRAME_LINES_NONE,
  FRAME_LINES_CHANGES, /* frames whose best label changed */
  FRAME_LINES_ALL,
} FrameLines;

typedef enum {
  TRANSPORT_AUTO, /* UDP, then TCP if nothing arrives */
  TRANSPORT_TCP,
  TRANSPORT_UDP,
} Transport;

typedef struct {
  char *file;        /* NULL: no log */
  char *events_file; /* NULL without a log */
  guint64 size;      /* maximum of each file */
  guint files;       /* maximum number of either */
  FrameLines frames;
  gboolean frames_unset; /* the key is not in the file */
} LogConfig;

typedef struct {
  char *host; /* NULL: no broker */
  guint port;
  gboolean tls;
  char *ca_file;
  char *client_certificate, *client_key;
  char *credentials_file, *credentials_env;
  char *topic, *client_id;
  char *spool;
  guint64 spool_size;
  FrameLines frames;
  double retry_min, retry_max; /* seconds */
} MqttConfig;

typedef struct {
  char *name;
  char *url;
  char *shown_url; /* without secrets, for messages */
  char *credentials_file, *credentials_env;
  char *ca_file, *certificate_sha256; /* at most one of these, or insecure */
  gboolean insecure;
  Transport transport;
  double latency; /* of the jitter buffer; all times in seconds */
  double connect_timeout, stall_timeout;
  double retry_min, retry_max;
  gboolean repeat, real_time; /* of a file */

  char *model, *model_labels; /* NULL: the element's default */
  guint precision;            /* index of config_precisions */
  guint fit;                  /* index of config_fits */
  guint threads, top_k, interval;
  double compute, min_compute; /* negative: the element's default */
  double latency_budget;       /* 0: none */
  guint temporal;              /* index of config_temporals */
  guint refresh_interval;
  double change_threshold, reuse_threshold; /* negative: the element's default */
  double max_age;

  char **labels; /* (nullable): labels of interest */
  double threshold, keep_threshold;
  double appear_after, vanish_after;

  char *fingerprint; /* equal if all keys are equal */
} CameraConfig;

typedef struct {
  gatomicrefcount references;
  char *path;
  double sync_interval; /* seconds; 0: after each line */
  char *status_socket;  /* NULL: none */
  LogConfig log;
  MqttConfig mqtt;
  GPtrArray *cameras; /* of CameraConfig, in the file's order */
} Config;

extern const char *const config_precisions[], *const config_fits[], *const config_temporals[];

/* Returns: (transfer full) (nullable): NULL with an error of G_IO_ERROR or G_KEY_FILE_ERROR */
Config *config_load(const char *path, GError **error);

Config *config_ref(Config *self);
void config_unref(Config *self);

/* Returns: whether the camera is a file, which has an end and can be read at any speed */
gboolean config_is_file(const CameraConfig *camera);

/* Returns: whether the camera is neither a file nor a device of this machine */
gboolean config_is_on_network(const CameraConfig *camera);

/* Returns: whether the connection to the camera is encrypted */
gboolean config_uses_tls(const CameraConfig *camera);

/* @camera: must use TLS
 * Returns: (transfer full): host and port of the camera; how its certificate is checked */
char *config_tls_server(const CameraConfig *camera);
char *config_tls_policy(const CameraConfig *camera);

/* Returns: whether all keys of @a and @b are the same */
gboolean config_mqtt_equal(const MqttConfig *a, const MqttConfig *b);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Config, config_unref)
