#include "output/mqtt.h"

#include <errno.h>
#include <mosquitto.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/backoff.h"
#include "base/console.h"
#include "base/line-file.h"
#include "config/credentials.h"

#define KEEP_ALIVE   30 /* seconds */
#define IN_FLIGHT    20 /* maximum number of unconfirmed messages, and of retained ones */
#define ANSWER_TIME  (10 * G_USEC_PER_SEC)
#define PARTING_TIME (2 * G_USEC_PER_SEC)

#define ONLINE    "online"
#define OFFLINE   "offline"
#define JOIN_TIME (5 * G_USEC_PER_SEC)

/* A sent message. */
typedef struct {
  int id; /* given by the library */
  guint64 number;
  gboolean confirmed;
} Sent;

/* A sent retained message. */
typedef struct {
  char *topic;
  guint64 serial;
} SentRetained;

struct _Mqtt {
  /* Set before the thread starts. */
  char *host, *ca_file, *client_certificate, *client_key, *credentials_file, *credentials_env,
      *client_id;
  int port;
  gboolean tls;
  char *status_topic;
  Spool *spool;
  Retained *retained;
  int wake; /* an eventfd: there is something to do */
  GThread *thread;

  /* Used by the thread only. */
  struct mosquitto *client;
  GQueue sent;
  GHashTable *sent_retained; /* of SentRetained, by the library's id */
  Backoff backoff;
  gboolean refused;
  char *tls_error; /* of this connection, or NULL */

  GMutex lock;
  GCond ended;
  gboolean stopping, delivering, over, connected;
  char *error;
};

/* ---- Status -------------------------------------------------------------------------------- */

static void set_connected(Mqtt *self)
{
  g_mutex_lock(&self->lock);
  self->connected = TRUE;
  g_clear_pointer(&self->error, g_free);
  g_mutex_unlock(&self->lock);
  SpoolStatus status;
  spool_get_status(self->spool, &status);
  console_print("MQTT broker %s:%d: connected; messages waiting: %" G_GUINT64_FORMAT, self->host,
                self->port, status.queued);
}

/* Does not report the same error again. */
static void set_trouble(Mqtt *self, const char *reason)
{
  g_mutex_lock(&self->lock);
  gboolean news = self->connected || g_strcmp0(self->error, reason) != 0;
  self->connected = FALSE;
  g_free(self->error);
  self->error = g_strdup(reason);
  g_mutex_unlock(&self->lock);
  if (news)
    console_print("MQTT broker %s:%d: %s; messages wait on disk", self->host, self->port, reason);
}

static gboolean is_stopping(Mqtt *self)
{
  g_mutex_lock(&self->lock);
  gboolean stopping = self->stopping;
  g_mutex_unlock(&self->lock);
  return stopping;
}

static gboolean is_delivering(Mqtt *self)
{
  g_mutex_lock(&self->lock);
  gboolean delivering = self->delivering;
  g_mutex_unlock(&self->lock);
  return delivering;
}

/* The alert of a broker that refuses the client's certificate may be lost with the connection. */
static const char *describe_lost_alert(const Mqtt *self)
{
  return self->client_certificate
             ? "the broker ended the TLS connection; does it accept client-certificate?"
             : "the broker ended the TLS connection; does it require a client-certificate?";
}

static const char *describe(const Mqtt *self, int code)
{
  if (code == MOSQ_ERR_ERRNO && errno == EPROTO && self->tls)
    return describe_lost_alert(self);
  if (code == MOSQ_ERR_TLS)
    return "the TLS handshake failed; does the broker use TLS on this port?";
  return code == MOSQ_ERR_ERRNO ? g_strerror(errno) : mosquitto_strerror(code);
}

/* ---- Callbacks of the library -------------------------------------------------------------- */

static void publish_status(Mqtt *self, const char *status, int qos)
{
  mosquitto_publish(self->client, NULL, self->status_topic, (int)strlen(status), status, qos, true);
}

static void on_connect(struct mosquitto *client, void *data, int code)
{
  Mqtt *self = data;
  if (code == 0) {
    set_connected(self);
    publish_status(self, ONLINE, 1);
    mosquitto_subscribe(client, NULL, self->status_topic, 1);
    retained_rewind(self->retained);
  } else {
    self->refused = TRUE;
    g_autofree char *reason =
        g_strdup_printf("the connection was refused: %s", mosquitto_connack_string(code));
    set_trouble(self, reason);
  }
}

/* The broker may find out late that an earlier connection was lost, and only then send its last
 * will, which is no longer true. */
static void on_message(struct mosquitto *client, void *data,
                       const struct mosquitto_message *message)
{
  Mqtt *self = data;
  if (message->payloadlen != strlen(ONLINE) || memcmp(message->payload, ONLINE, strlen(ONLINE)))
    publish_status(self, ONLINE, 1);
}

/* Confirmations may arrive in any order; the spool needs them in its own. */
static void release_confirmed(Mqtt *self)
{
  Sent *first;
  while ((first = g_queue_peek_head(&self->sent)) && first->confirmed) {
    spool_acknowledge(self->spool, first->number);
    g_free(g_queue_pop_head(&self->sent));
  }
}

static void on_publish(struct mosquitto *client, void *data, int id)
{
  Mqtt *self = data;
  const SentRetained *retained = g_hash_table_lookup(self->sent_retained, GINT_TO_POINTER(id));
  if (retained) {
    retained_confirm(self->retained, retained->topic, retained->serial);
    g_hash_table_remove(self->sent_retained, GINT_TO_POINTER(id));
    return;
  }
  for (GList *link = self->sent.head; link; link = link->next) {
    Sent *sent = link->data;
    if (sent->id == id && !sent->confirmed) {
      sent->confirmed = TRUE;
      break;
    }
  }
  release_confirmed(self);
}

/* Keeps the first TLS error, since the library's own code only says that there was one. */
static void on_log(struct mosquitto *client, void *data, int level, const char *text)
{
  Mqtt *self = data;
  const SSL *ssl = mosquitto_ssl_get(client);
  if (!self->tls || level != MOSQ_LOG_ERR || self->tls_error)
    return;
  long result = ssl ? SSL_get_verify_result(ssl) : X509_V_OK;
  const char *reason = strstr(text, "routines:");
  if (result != X509_V_OK)
    self->tls_error = g_strdup_printf("the broker's certificate is refused: %s",
                                      X509_verify_cert_error_string(result));
  else if (strstr(text, "system library"))
    self->tls_error = g_strdup(describe_lost_alert(self));
  else
    self->tls_error = g_strdup_printf("TLS: %s", reason ? reason + strlen("routines::") : text);
}

/* A key with a password is refused. Without this, the library would ask for it on the terminal. */
static int refuse_password(char *password, int size, int writing, void *data)
{
  return 0;
}

/* ---- One connection ------------------------------------------------------------------------ */

static void remember_sent(Mqtt *self, int id, guint64 number, gboolean confirmed)
{
  Sent *sent = g_new(Sent, 1);
  *sent = (Sent){ .id = id, .number = number, .confirmed = confirmed };
  g_queue_push_tail(&self->sent, sent);
}

static gboolean is_impossible(int code)
{
  return code == MOSQ_ERR_INVAL || code == MOSQ_ERR_PAYLOAD_SIZE || code == MOSQ_ERR_MALFORMED_UTF8;
}

static void report_impossible(const char *topic, int code)
{
  console_print("MQTT: cannot publish a message to %s: %s", topic, mosquitto_strerror(code));
}

static int send_messages(Mqtt *self)
{
  int code = MOSQ_ERR_SUCCESS;
  while (code == MOSQ_ERR_SUCCESS && self->sent.length < IN_FLIGHT) {
    g_autofree char *topic = NULL, *payload = NULL;
    guint64 number;
    int id = 0;
    if (!spool_read(self->spool, &number, &topic, &payload))
      break;
    code = mosquitto_publish(self->client, &id, topic, (int)strlen(payload), payload, 1, false);
    const gboolean impossible = is_impossible(code);
    if (impossible) {
      report_impossible(topic, code);
      code = MOSQ_ERR_SUCCESS;
    }
    if (code == MOSQ_ERR_SUCCESS)
      remember_sent(self, id, number, impossible);
  }
  release_confirmed(self);
  return code;
}

static void free_sent_retained(gpointer data)
{
  g_free(((SentRetained *)data)->topic);
  g_free(data);
}

static int send_retained(Mqtt *self)
{
  int code = MOSQ_ERR_SUCCESS;
  while (code == MOSQ_ERR_SUCCESS && g_hash_table_size(self->sent_retained) < IN_FLIGHT) {
    g_autofree char *topic = NULL;
    g_autoptr(GBytes) payload = NULL;
    guint64 serial;
    gsize length;
    int id = 0;
    if (!retained_take(self->retained, &topic, &payload, &serial))
      break;
    const void *bytes = g_bytes_get_data(payload, &length);
    code = mosquitto_publish(self->client, &id, topic, (int)length, bytes, 1, true);
    if (is_impossible(code)) {
      report_impossible(topic, code);
      code = MOSQ_ERR_SUCCESS;
      retained_confirm(self->retained, topic, serial);
    } else if (code == MOSQ_ERR_SUCCESS) {
      SentRetained *sent = g_new(SentRetained, 1);
      *sent = (SentRetained){ g_steal_pointer(&topic), serial };
      g_hash_table_insert(self->sent_retained, GINT_TO_POINTER(id), sent);
    }
  }
  return code;
}

/* Waits until the broker sends something, a message is published, or @timeout (ms) is over. */
static void wait_for_work(Mqtt *self, int timeout)
{
  short writing = mosquitto_want_write(self->client) ? POLLOUT : 0;
  struct pollfd files[] = {
    { .fd = self->wake, .events = POLLIN },
    { .fd = mosquitto_socket(self->client), .events = (short)(POLLIN | writing) },
  };
  if (poll(files, G_N_ELEMENTS(files), timeout) > 0 && files[0].revents) {
    uint64_t count;
    if (read(self->wake, &count, sizeof count) < 0)
      g_debug("eventfd: %s", g_strerror(errno));
  }
}

static gboolean has_delivered_all(Mqtt *self)
{
  SpoolStatus status;
  spool_get_status(self->spool, &status);
  return status.queued == 0 && retained_is_settled(self->retained);
}

/* Returns: why the connection ended; NULL if it was stopped, or if the broker refused it, which
 * on_connect() has reported */
static const char *serve(Mqtt *self)
{
  const gint64 start = g_get_monotonic_time();
  gint64 parting = 0;
  for (;;) {
    int code = self->connected ? send_messages(self) : MOSQ_ERR_SUCCESS;
    if (self->connected && code == MOSQ_ERR_SUCCESS)
      code = send_retained(self);
    if (code == MOSQ_ERR_SUCCESS) {
      wait_for_work(self, 1000);
      code = mosquitto_loop(self->client, 0, 1);
    }
    if (self->refused)
      return NULL;
    if (code != MOSQ_ERR_SUCCESS)
      return describe(self, code);

    gint64 now = g_get_monotonic_time();
    if (!self->connected && now - start > ANSWER_TIME)
      return "the broker does not answer";
    if (!is_stopping(self))
      continue;
    parting = parting ? parting : now + PARTING_TIME;
    if (!is_delivering(self) || now > parting || has_delivered_all(self))
      return NULL;
  }
}

/* Returns: FALSE with an error */
static gboolean set_up_client(Mqtt *self, GError **error)
{
  g_autofree char *user = NULL, *password = NULL;
  if (!credentials_read(self->credentials_file, self->credentials_env, &user, &password, error))
    return FALSE;
  self->client = mosquitto_new(self->client_id, true, self);
  if (!self->client)
    return line_file_fail(error, "cannot create an MQTT client");
  mosquitto_connect_callback_set(self->client, on_connect);
  mosquitto_publish_callback_set(self->client, on_publish);
  mosquitto_log_callback_set(self->client, on_log);
  mosquitto_message_callback_set(self->client, on_message);
  /* Neither those, nor that of the status, wait for the others. */
  mosquitto_max_inflight_messages_set(self->client, 2 * IN_FLIGHT + 2);

  int code =
      mosquitto_will_set(self->client, self->status_topic, strlen(OFFLINE), OFFLINE, 1, true);
  if (code == MOSQ_ERR_SUCCESS && user)
    code = mosquitto_username_pw_set(self->client, user, password);
  if (code == MOSQ_ERR_SUCCESS && self->tls)
    code = mosquitto_tls_set(self->client, self->ca_file, self->ca_file ? NULL : "/etc/ssl/certs",
                             self->client_certificate, self->client_key, refuse_password);
  /* The asynchronous call would try only the first address of a host name. */
  if (code == MOSQ_ERR_SUCCESS)
    code = mosquitto_connect(self->client, self->host, self->port, KEEP_ALIVE);
  if (code == MOSQ_ERR_SUCCESS)
    return TRUE;
  g_set_error_literal(error, G_IO_ERROR, G_IO_ERROR_FAILED, describe(self, code));
  return FALSE;
}

static void connect_and_serve(Mqtt *self)
{
  g_autoptr(GError) error = NULL;
  const gint64 start = g_get_monotonic_time();

  self->refused = FALSE;
  const char *reason = set_up_client(self, &error) ? serve(self) : error->message;
  if (self->connected)
    backoff_succeeded(&self->backoff, (double)(g_get_monotonic_time() - start) / G_USEC_PER_SEC);
  if (self->refused)
    backoff_slow_down(&self->backoff);
  if (reason)
    set_trouble(self, self->tls_error ? self->tls_error : reason);
  g_clear_pointer(&self->tls_error, g_free);
  if (self->client) {
    /* The broker sends no last will after an orderly end. With QoS 1, the message could have to
     * wait for confirmations of others. */
    mosquitto_message_callback_set(self->client, NULL);
    if (self->connected && !reason)
      publish_status(self, OFFLINE, 0);
    mosquitto_disconnect(self->client);
    mosquitto_loop(self->client, 0, 1);
    mosquitto_destroy(self->client);
    self->client = NULL;
  }
  /* Unconfirmed messages are sent again, in their order. */
  g_queue_clear_full(&self->sent, g_free);
  g_hash_table_remove_all(self->sent_retained);
  if (!is_stopping(self))
    spool_rewind(self->spool);
}

/* ---- The thread ---------------------------------------------------------------------------- */

static void wait_to_retry(Mqtt *self)
{
  const gint64 end = g_get_monotonic_time() +
                     (gint64)(backoff_step(&self->backoff, g_random_double()) * G_USEC_PER_SEC);
  g_mutex_lock(&self->lock);
  while (!self->stopping && g_cond_wait_until(&self->ended, &self->lock, end))
    ;
  g_mutex_unlock(&self->lock);
}

static gpointer run(gpointer data)
{
  Mqtt *self = data;
  /* A program that ends early still makes one attempt to deliver its messages. */
  do {
    connect_and_serve(self);
    wait_to_retry(self);
  } while (!is_stopping(self));
  g_mutex_lock(&self->lock);
  self->over = TRUE;
  g_cond_broadcast(&self->ended);
  g_mutex_unlock(&self->lock);
  return NULL;
}

static void wake_up(Mqtt *self)
{
  const uint64_t one = 1;
  if (write(self->wake, &one, sizeof one) < 0)
    g_debug("eventfd: %s", g_strerror(errno));
}

void mqtt_wake(Mqtt *self)
{
  wake_up(self);
}

void mqtt_publish(Mqtt *self, const char *topic, const char *payload, gsize length)
{
  spool_append(self->spool, topic, payload, length);
  wake_up(self);
}

void mqtt_get_status(Mqtt *self, MqttStatus *status)
{
  g_mutex_lock(&self->lock);
  status->connected = self->connected;
  status->error = g_strdup(self->error);
  g_mutex_unlock(&self->lock);
}

void mqtt_status_clear(MqttStatus *status)
{
  g_clear_pointer(&status->error, g_free);
}

Mqtt *mqtt_new(const MqttConfig *config, Spool *spool, Retained *retained)
{
  Mqtt *self = g_new0(Mqtt, 1);
  self->spool = spool_ref(spool);
  spool_rewind(spool);
  self->retained = retained_ref(retained);
  self->sent_retained = g_hash_table_new_full(NULL, NULL, NULL, free_sent_retained);
  self->status_topic = g_strconcat(config->topic, "/status", NULL);
  self->host = g_strdup(config->host);
  self->port = (int)config->port;
  self->tls = config->tls;
  self->ca_file = g_strdup(config->ca_file);
  self->client_certificate = g_strdup(config->client_certificate);
  self->client_key = g_strdup(config->client_key);
  self->credentials_file = g_strdup(config->credentials_file);
  self->credentials_env = g_strdup(config->credentials_env);
  self->client_id = g_strdup(config->client_id);
  self->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  backoff_init(&self->backoff, config->retry_min, config->retry_max);
  g_queue_init(&self->sent);
  g_mutex_init(&self->lock);
  g_cond_init(&self->ended);
  self->thread = g_thread_new("mqtt", run, self);
  return self;
}

void mqtt_stop(Mqtt *self, gboolean deliver)
{
  const gint64 end = g_get_monotonic_time() + JOIN_TIME;
  g_mutex_lock(&self->lock);
  self->stopping = TRUE;
  self->delivering = deliver;
  g_cond_broadcast(&self->ended);
  wake_up(self);
  while (!self->over && g_cond_wait_until(&self->ended, &self->lock, end))
    ;
  g_mutex_unlock(&self->lock);
}

void mqtt_free(Mqtt **mqtt)
{
  Mqtt *self = *mqtt;
  *mqtt = NULL;
  if (!self)
    return;
  g_mutex_lock(&self->lock);
  gboolean over = self->over;
  g_mutex_unlock(&self->lock);
  if (!over) {
    /* Resolving a host name, or connecting, can take minutes. What the thread may still use is not
     * freed. */
    console_print("MQTT broker %s: the attempt to connect cannot be stopped", self->host);
    return;
  }
  g_thread_join(self->thread);
  spool_unref(&self->spool);
  retained_unref(&self->retained);
  g_hash_table_unref(self->sent_retained);
  g_free(self->status_topic);
  close(self->wake);
  g_mutex_clear(&self->lock);
  g_cond_clear(&self->ended);
  g_free(self->host);
  g_free(self->ca_file);
  g_free(self->client_certificate);
  g_free(self->client_key);
  g_free(self->credentials_file);
  g_free(self->credentials_env);
  g_free(self->client_id);
  g_free(self->error);
  g_free(self);
}
