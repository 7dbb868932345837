#include "output/mqtt.h"

#include <errno.h>
#include <mosquitto.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <string.h>

#include "base/console.h"
#include "base/line-file.h"
#include "config/credentials.h"
#include "output/in-flight.h"

#define KEEP_ALIVE  30 /* seconds */
#define IN_FLIGHT   20 /* maximum number of unconfirmed messages, and of retained ones */
#define ANSWER_TIME (10 * G_USEC_PER_SEC)

#define ONLINE  "online"
#define OFFLINE "offline"

/* A sent retained message. */
typedef struct {
  char *topic;
  guint64 serial;
} SentRetained;

struct _Mqtt {
  /* Set before the thread starts. */
  char *host;
  int port;
  BrokerConfig config;
  char *status_topic;
  Retained *retained;
  Delivery delivery;

  /* Used by the thread only. */
  struct mosquitto *client;
  InFlight sent;             /* by the library's ids */
  GHashTable *sent_retained; /* of SentRetained, by the library's id */
  gboolean refused;
  char *tls_error; /* of this connection, or NULL */
};

/* ---- Errors -------------------------------------------------------------------------------- */

/* The alert of a broker that refuses the client's certificate may be lost with the connection. */
static const char *describe_lost_alert(const Mqtt *self)
{
  return self->config.client_certificate
             ? "the broker ended the TLS connection; does it accept client-certificate?"
             : "the broker ended the TLS connection; does it require a client-certificate?";
}

static const char *describe(const Mqtt *self, int code)
{
  if (code == MOSQ_ERR_ERRNO && errno == EPROTO && self->config.tls)
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
    delivery_set_connected(&self->delivery);
    publish_status(self, ONLINE, 1);
    mosquitto_subscribe(client, NULL, self->status_topic, 1);
    retained_rewind(self->retained);
  } else {
    self->refused = TRUE;
    g_autofree char *reason =
        g_strdup_printf("the connection was refused: %s", mosquitto_connack_string(code));
    delivery_set_trouble(&self->delivery, reason);
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

static void on_publish(struct mosquitto *client, void *data, int id)
{
  Mqtt *self = data;
  const SentRetained *retained = g_hash_table_lookup(self->sent_retained, GINT_TO_POINTER(id));
  if (!retained) {
    in_flight_confirm(&self->sent, (guint64)id, self->delivery.spool);
    return;
  }
  retained_confirm(self->retained, retained->topic, retained->serial);
  g_hash_table_remove(self->sent_retained, GINT_TO_POINTER(id));
}

/* Keeps the first TLS error, since the library's own code only says that there was one. */
static void on_log(struct mosquitto *client, void *data, int level, const char *text)
{
  Mqtt *self = data;
  const SSL *ssl = mosquitto_ssl_get(client);
  if (!self->config.tls || level != MOSQ_LOG_ERR || self->tls_error)
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
  while (code == MOSQ_ERR_SUCCESS && in_flight_count(&self->sent) < IN_FLIGHT) {
    g_autofree char *topic = NULL, *payload = NULL;
    guint64 number;
    int id = 0;
    if (!spool_read(self->delivery.spool, &number, &topic, &payload))
      break;
    code = mosquitto_publish(self->client, &id, topic, (int)strlen(payload), payload, 1, false);
    const gboolean impossible = is_impossible(code);
    if (impossible) {
      report_impossible(topic, code);
      code = MOSQ_ERR_SUCCESS;
    }
    if (code == MOSQ_ERR_SUCCESS)
      in_flight_add(&self->sent, (guint64)id, number);
    if (impossible)
      in_flight_confirm(&self->sent, (guint64)id, self->delivery.spool);
  }
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
    { .fd = self->delivery.wake, .events = POLLIN },
    { .fd = mosquitto_socket(self->client), .events = (short)(POLLIN | writing) },
  };
  if (poll(files, G_N_ELEMENTS(files), timeout) > 0 && files[0].revents)
    delivery_woken(&self->delivery);
}

/* Returns: why the connection ended; NULL if it was stopped, or if the broker refused it, which
 * on_connect() has reported */
static const char *serve(Mqtt *self)
{
  const gint64 start = g_get_monotonic_time();
  gint64 parting = 0;
  for (;;) {
    const gboolean connected = delivery_is_connected(&self->delivery);
    int code = connected ? send_messages(self) : MOSQ_ERR_SUCCESS;
    if (connected && code == MOSQ_ERR_SUCCESS)
      code = send_retained(self);
    if (code == MOSQ_ERR_SUCCESS) {
      wait_for_work(self, 1000);
      code = mosquitto_loop(self->client, 0, 1);
    }
    if (self->refused)
      return NULL;
    if (code != MOSQ_ERR_SUCCESS)
      return describe(self, code);

    if (!delivery_is_connected(&self->delivery) && g_get_monotonic_time() - start > ANSWER_TIME)
      return "the broker does not answer";
    if (delivery_should_end(&self->delivery, !retained_is_settled(self->retained), &parting))
      return NULL;
  }
}

/* Returns: FALSE with an error */
static gboolean set_up_client(Mqtt *self, GError **error)
{
  g_autofree char *user = NULL, *password = NULL;
  if (!credentials_read(self->config.credentials_file, self->config.credentials_env, &user,
                        &password, error))
    return FALSE;
  self->client = mosquitto_new(self->config.client_id, true, self);
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
  if (code == MOSQ_ERR_SUCCESS && self->config.tls)
    code = mosquitto_tls_set(
        self->client, self->config.ca_file, self->config.ca_file ? NULL : "/etc/ssl/certs",
        self->config.client_certificate, self->config.client_key, refuse_password);
  /* The asynchronous call would try only the first address of a host name. */
  if (code == MOSQ_ERR_SUCCESS)
    code = mosquitto_connect(self->client, self->host, self->port, KEEP_ALIVE);
  if (code == MOSQ_ERR_SUCCESS)
    return TRUE;
  g_set_error_literal(error, G_IO_ERROR, G_IO_ERROR_FAILED, describe(self, code));
  return FALSE;
}

static void connect_and_serve(gpointer user_data)
{
  Mqtt *self = user_data;
  g_autoptr(GError) error = NULL;
  const gint64 start = g_get_monotonic_time();

  self->refused = FALSE;
  const char *reason = set_up_client(self, &error) ? serve(self) : error->message;
  if (delivery_is_connected(&self->delivery))
    backoff_succeeded(&self->delivery.backoff,
                      (double)(g_get_monotonic_time() - start) / G_USEC_PER_SEC);
  if (self->refused)
    backoff_slow_down(&self->delivery.backoff);
  if (reason)
    delivery_set_trouble(&self->delivery, self->tls_error ? self->tls_error : reason);
  g_clear_pointer(&self->tls_error, g_free);
  if (self->client) {
    /* The broker sends no last will after an orderly end. With QoS 1, the message could have to
     * wait for confirmations of others. */
    mosquitto_message_callback_set(self->client, NULL);
    if (delivery_is_connected(&self->delivery) && !reason)
      publish_status(self, OFFLINE, 0);
    mosquitto_disconnect(self->client);
    mosquitto_loop(self->client, 0, 1);
    mosquitto_destroy(self->client);
    self->client = NULL;
  }
  /* Unconfirmed messages are sent again, in their order. */
  in_flight_clear(&self->sent);
  g_hash_table_remove_all(self->sent_retained);
  if (!delivery_is_stopping(&self->delivery))
    spool_rewind(self->delivery.spool);
}

/* ---- Interface ----------------------------------------------------------------------------- */

void mqtt_wake(Mqtt *self)
{
  delivery_wake(&self->delivery);
}

void mqtt_publish(Mqtt *self, const char *topic, const char *payload, gsize length)
{
  spool_append(self->delivery.spool, topic, payload, length);
  delivery_wake(&self->delivery);
}

void mqtt_get_status(Mqtt *self, DeliveryStatus *status)
{
  delivery_get_status(&self->delivery, status);
}

Mqtt *mqtt_new(const MqttConfig *config, Spool *spool, Retained *retained)
{
  Mqtt *self = g_new0(Mqtt, 1);
  delivery_init(&self->delivery, g_strdup_printf("MQTT broker %s:%u", config->host, config->port),
                spool, config->broker.retry_min, config->broker.retry_max);
  self->retained = retained_ref(retained);
  self->sent_retained = g_hash_table_new_full(NULL, NULL, NULL, free_sent_retained);
  self->status_topic = g_strconcat(config->topic, "/status", NULL);
  self->host = g_strdup(config->host);
  self->port = (int)config->port;
  broker_config_copy(&self->config, &config->broker);
  in_flight_init(&self->sent);
  delivery_start(&self->delivery, "mqtt", connect_and_serve, self);
  return self;
}

void mqtt_stop(Mqtt *self, gboolean deliver)
{
  delivery_stop(&self->delivery, deliver);
}

void mqtt_free(Mqtt **mqtt)
{
  Mqtt *self = *mqtt;
  *mqtt = NULL;
  /* What a thread that hangs may still use is not freed. */
  if (!self || !delivery_clear(&self->delivery))
    return;
  retained_unref(&self->retained);
  g_hash_table_unref(self->sent_retained);
  g_free(self->status_topic);
  g_free(self->host);
  broker_config_clear(&self->config);
  g_free(self);
}
