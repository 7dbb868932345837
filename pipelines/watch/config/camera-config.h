/* A camera's group of the key file. */
#pragma once

#include <gio/gio.h>

#include "config/look-config.h"

typedef enum {
  TRANSPORT_AUTO, /* UDP, then TCP if nothing arrives */
  TRANSPORT_TCP,
  TRANSPORT_UDP,
} Transport;

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

  guint threads;
  guint interval;        /* frames from one inference to the next */
  double latency_budget; /* 0: none */
  LookConfig whole;      /* of the whole frame */
  gboolean whole_frame;  /* the whole frame is classified */
  GPtrArray *looks;      /* of LookConfig, in the file's order */

  char *fingerprint;       /* equal if all keys are equal, those of looks too */
  char *fixed_fingerprint; /* the same without models, which can change while it plays */
  gint64 claim;            /* of a camera of a fleet; 0: it is this machine's own */
} CameraConfig;

/* Returns: (transfer full): with the default of each key */
CameraConfig *camera_config_new(const char *name);

void camera_config_free(CameraConfig *self);

/* Checks the keys of [defaults], which no camera may have read yet. */
gboolean camera_config_check_defaults(const KeySource *source, GError **error);

/* Reads and checks the keys of @group, after those of [defaults]. */
gboolean camera_config_read(CameraConfig *self, const KeySource *source, const char *group,
                            GError **error);

/* Sets and checks the values that depend on the camera's looks, once it has all of them.
 * @fetch: where models are fetched */
gboolean camera_config_complete(CameraConfig *self, const KeySource *source, const char *group,
                                const FetchConfig *fetch, GError **error);

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
