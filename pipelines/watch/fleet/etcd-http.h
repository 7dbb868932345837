/* Requests to etcd's gateway: endpoints, connections, certificates, credentials, and what etcd's
 * errors mean. A client is used by one thread at a time. */
#pragma once

#include <gio/gio.h>
#include <json-glib/json-glib.h>

#define ETCD_ERROR (etcd_error_quark())
GQuark etcd_error_quark(void);

typedef enum {
  ETCD_ERROR_UNAVAILABLE, /* no endpoint has answered, or the cluster has no leader: try again */
  ETCD_ERROR_CERTIFICATE, /* the server's certificate is not trusted, or ours cannot be used */
  ETCD_ERROR_CREDENTIALS, /* user and password, or the permissions of the user */
  ETCD_ERROR_REFUSED,     /* etcd answers that the request cannot be done */
  ETCD_ERROR_COMPACTED,   /* that revision is no longer there: read everything again */
  ETCD_ERROR_LEASE,       /* the lease does not exist (any more) */
  ETCD_ERROR_QUIET,       /* a watch had no news for the time limit */
  ETCD_ERROR_ANSWER,      /* the answer is none of etcd's */
  ETCD_ERROR_CANCELLED,
} EtcdError;

/* What endpoints and credentials are is copied. */
typedef struct {
  const char *const *endpoints;  /* URLs without a path; ends with NULL */
  const char *ca_file;           /* (nullable): NULL: the system's certificates */
  const char *certificate, *key; /* (nullable): files in PEM, both or none */
  const char *user, *password;   /* (nullable) */
  guint timeout;                 /* seconds until an endpoint that is silent is given up */
  GCancellable *cancellable;     /* (nullable): ends calls with ETCD_ERROR_CANCELLED */
} EtcdOptions;

typedef struct _Etcd Etcd;

/* Nothing is connected yet.
 * Returns: (transfer full); NULL with an error that names the file if a certificate cannot be
 * read */
Etcd *etcd_new(const EtcdOptions *options, GError **error);
void etcd_free(Etcd **self);

/* Sends a request, and tries the next endpoint if one does not answer.
 * @path: such as "/v3/kv/range"
 * @request: its JSON object is finished here
 * Returns: (transfer full): the answer, an object; NULL with an error of ETCD_ERROR */
JsonObject *etcd_http_ask(Etcd *self, const char *path, JsonBuilder *request, GError **error);

/* Does the same with the endpoint that has answered last, and no other. */
JsonObject *etcd_http_ask_same(Etcd *self, const char *path, JsonBuilder *request, GError **error);

/* Does the same with one endpoint and without a body. */
JsonObject *etcd_http_get(Etcd *self, guint endpoint, const char *path, GError **error);

/* Does the same, but returns once the answer begins.
 * @endpoint: (out): that answers; valid as long as @self
 * Returns: (transfer full): the answer, one JSON object a line */
GInputStream *etcd_http_stream(Etcd *self, const char *path, JsonBuilder *request,
                               const char **endpoint, GError **error);

/* Reads from the stream. Returns: the number of bytes; 0 at its end; -1 with an error of
 * ETCD_ERROR */
gssize etcd_http_read(Etcd *self, GInputStream *stream, const char *endpoint, void *buffer,
                      gsize size, GError **error);

/* Ends and frees the stream. */
void etcd_http_close(Etcd *self, GInputStream *stream);

/* Changes how long an endpoint may be silent, from the next call on. */
void etcd_http_set_timeout(Etcd *self, guint seconds);

/* Lets the next request try another endpoint first. */
void etcd_http_turn(Etcd *self);

/* Sets the error that etcd reports. Returns: FALSE
 * @message: (nullable) */
gboolean etcd_http_fail(GError **error, const char *endpoint, gint64 code, const char *message);
