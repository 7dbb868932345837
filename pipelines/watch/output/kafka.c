#include "output/kafka.h"

#include <librdkafka/rdkafka.h>
#include <poll.h>
#include <string.h>

#include "base/console.h"
#include "config/credentials.h"
#include "output/in-flight.h"

#define IN_FLIGHT   1000    /* maximum number of unconfirmed messages */
#define ANSWER_TIME 2000    /* ms */
#define STEP        100     /* ms */
#define LONGEST     3600000 /* ms, of librdkafka */

struct _Kafka {
  KafkaConfig config; /* a copy */
  Delivery delivery;

  /* Used by the thread only. */
  rd_kafka_t *client;
  rd_kafka_topic_t *topic;
  InFlight sent;
  guint64 last_id;  /* of a message given to the library */
  gboolean suspect; /* the brokers may be away */
  gboolean down;    /* none of them can be reached */
  gboolean failed;  /* the client cannot go on */
  char *reason;     /* (nullable): the last error */
};

/* ---- Errors -------------------------------------------------------------------------------- */

/* Keeps a reason without how long the attempt took, which differs each time. */
static void set_reason(Kafka *self, const char *text)
{
  const char *end = strstr(text, " (after ");
  g_free(self->reason);
  self->reason = g_strndup(text, end ? (gsize)(end - text) : strlen(text));
}

/* Messages of users, where the library's are about its own terms. */
static void set_reason_of_code(Kafka *self, rd_kafka_resp_err_t code)
{
  g_autofree char *text = NULL;
  switch (code) {
  case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
  case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    text = g_strdup_printf("the topic \"%s\" does not exist; create it, or let the brokers create "
                           "topics",
                           self->config.topic);
    break;
  case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    text = g_strdup_printf("writing to the topic \"%s\" is not allowed", self->config.topic);
    break;
  default:
    text = g_strdup(rd_kafka_err2str(code));
  }
  set_reason(self, text);
}

/* ---- Callbacks of the library -------------------------------------------------------------- */

static void on_error(rd_kafka_t *client, int code, const char *reason, void *data)
{
  Kafka *self = data;
  char fatal[512];
  self->suspect = TRUE;
  self->down = self->down || code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN;
  if (code == RD_KAFKA_RESP_ERR__FATAL) {
    rd_kafka_fatal_error(client, fatal, sizeof fatal);
    reason = fatal;
  }
  /* That all brokers are down does not say why; the errors before did. */
  if (code != RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN || !self->reason)
    set_reason(self, reason);
  self->failed = self->failed || code == RD_KAFKA_RESP_ERR__FATAL ||
                 code == RD_KAFKA_RESP_ERR__AUTHENTICATION || code == RD_KAFKA_RESP_ERR__SSL;
}

/* Returns: whether the brokers will never take this message */
static gboolean is_impossible(rd_kafka_resp_err_t code)
{
  return code == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE || code == RD_KAFKA_RESP_ERR_INVALID_MSG ||
         code == RD_KAFKA_RESP_ERR_INVALID_MSG_SIZE || code == RD_KAFKA_RESP_ERR_INVALID_RECORD;
}

static void report_impossible(rd_kafka_resp_err_t code)
{
  console_print("Kafka: cannot publish a message: %s", rd_kafka_err2str(code));
}

static void on_delivery(rd_kafka_t *client, const rd_kafka_message_t *message, void *data)
{
  Kafka *self = data;
  if (message->err && !is_impossible(message->err)) {
    self->failed = TRUE;
    set_reason_of_code(self, message->err);
    return;
  }
  if (message->err)
    report_impossible(message->err);
  in_flight_confirm(&self->sent, (guint64)(uintptr_t)message->_private, self->delivery.spool);
}

/* Errors reach on_error() too. */
static void on_log(const rd_kafka_t *client, int level, const char *facility, const char *text)
{
  g_debug("librdkafka: %s: %s", facility, text);
}

/* ---- The client ---------------------------------------------------------------------------- */

static gboolean set(rd_kafka_conf_t *conf, const char *key, const char *value, GError **error)
{
  char reason[512];
  if (!value || rd_kafka_conf_set(conf, key, value, reason, sizeof reason) == RD_KAFKA_CONF_OK)
    return TRUE;
  g_set_error_literal(error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, reason);
  return FALSE;
}

static gboolean set_milliseconds(rd_kafka_conf_t *conf, const char *key, double seconds,
                                 GError **error)
{
  g_autofree char *text = g_strdup_printf("%d", (int)MIN(seconds * 1000, LONGEST));
  return set(conf, key, text, error);
}

static gboolean configure_security(const Kafka *self, rd_kafka_conf_t *conf, GError **error)
{
  const KafkaConfig *config = &self->config;
  g_autofree char *user = NULL, *password = NULL;
  if (!credentials_read(config->broker.credentials_file, config->broker.credentials_env, &user,
                        &password, error))
    return FALSE;
  const char *protocol = user ? (config->broker.tls ? "sasl_ssl" : "sasl_plaintext")
                              : (config->broker.tls ? "ssl" : "plaintext");
  return set(conf, "security.protocol", protocol, error) &&
         set(conf, "ssl.ca.location", config->broker.ca_file, error) &&
         set(conf, "ssl.certificate.location", config->broker.client_certificate, error) &&
         set(conf, "ssl.key.location", config->broker.client_key, error) &&
         (!user ||
          (set(conf, "sasl.mechanisms", kafka_mechanisms[config->mechanism], error) &&
           set(conf, "sasl.username", user, error) && set(conf, "sasl.password", password, error)));
}

/* A message that waits for its brokers never times out, since the spool keeps it anyway. */
static gboolean configure(Kafka *self, rd_kafka_conf_t *conf, GError **error)
{
  const KafkaConfig *config = &self->config;
  rd_kafka_conf_set_opaque(conf, self);
  rd_kafka_conf_set_error_cb(conf, on_error);
  rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
  rd_kafka_conf_set_log_cb(conf, on_log);
  return set(conf, "bootstrap.servers", config->brokers, error) &&
         set(conf, "client.id",
             config->broker.client_id ? config->broker.client_id : "vitgate-watch", error) &&
         set(conf, "enable.idempotence", "true", error) &&
         set(conf, "message.timeout.ms", "0", error) &&
         set(conf, "partitioner", "murmur2_random", error) &&
         set_milliseconds(conf, "reconnect.backoff.ms", config->broker.retry_min, error) &&
         set_milliseconds(conf, "reconnect.backoff.max.ms", config->broker.retry_max, error) &&
         configure_security(self, conf, error);
}

/* The library wakes the thread up when it has news. */
static void watch_queue(Kafka *self)
{
  static const uint64_t one = 1;
  rd_kafka_queue_t *queue = rd_kafka_queue_get_main(self->client);
  rd_kafka_queue_io_event_enable(queue, self->delivery.wake, &one, sizeof one);
  rd_kafka_queue_destroy(queue);
}

/* Returns: FALSE with an error */
static gboolean open_client(Kafka *self, GError **error)
{
  char reason[512];
  rd_kafka_conf_t *conf = rd_kafka_conf_new();
  if (!configure(self, conf, error)) {
    rd_kafka_conf_destroy(conf);
    return FALSE;
  }
  self->client = rd_kafka_new(RD_KAFKA_PRODUCER, conf, reason, sizeof reason);
  if (!self->client) {
    rd_kafka_conf_destroy(conf);
    g_set_error_literal(error, G_IO_ERROR, G_IO_ERROR_FAILED, reason);
    return FALSE;
  }
  self->topic = rd_kafka_topic_new(self->client, self->config.topic, NULL);
  watch_queue(self);
  self->suspect = TRUE;
  self->failed = FALSE;
  g_clear_pointer(&self->reason, g_free);
  return TRUE;
}

static void close_client(Kafka *self)
{
  in_flight_clear(&self->sent);
  if (!self->client)
    return;
  rd_kafka_purge(self->client, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT |
                                   RD_KAFKA_PURGE_F_NON_BLOCKING);
  rd_kafka_topic_destroy(self->topic);
  rd_kafka_destroy(self->client);
  self->client = NULL;
}

/* Asks the brokers for the topic. Sets self->reason if they do not answer or it does not exist. */
static gboolean check_topic(Kafka *self)
{
  const struct rd_kafka_metadata *metadata = NULL;
  rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR__TIMED_OUT;
  self->down = FALSE;
  for (int time = 0; code && time < ANSWER_TIME && !self->down && !self->failed; time += STEP) {
    code = rd_kafka_metadata(self->client, 0, self->topic, &metadata, STEP);
    rd_kafka_poll(self->client, 0);
  }
  if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
    code = metadata->topic_cnt > 0 ? metadata->topics[0].err : RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC;
    rd_kafka_metadata_destroy(metadata);
    if (code)
      set_reason_of_code(self, code);
  } else if (!self->reason) {
    set_reason(self, "the brokers do not answer");
  }
  if (self->failed && !self->reason)
    set_reason(self, "the producer has failed");
  return code == RD_KAFKA_RESP_ERR_NO_ERROR && !self->failed;
}

/* ---- Messages ------------------------------------------------------------------------------ */

/* @topic: of the spool, CAMERA/KIND */
static rd_kafka_resp_err_t produce(Kafka *self, const char *topic, const char *payload)
{
  const char *slash = strrchr(topic, '/'), *kind = slash ? slash + 1 : "";
  const gsize camera = slash ? (gsize)(slash - topic) : strlen(topic);
  return rd_kafka_producev(self->client, RD_KAFKA_V_RKT(self->topic),
                           RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_KEY(topic, camera),
                           RD_KAFKA_V_VALUE((void *)payload, strlen(payload)),
                           RD_KAFKA_V_HEADER("kind", kind, strlen(kind)),
                           RD_KAFKA_V_OPAQUE((void *)(uintptr_t)self->last_id), RD_KAFKA_V_END);
}

static void send_messages(Kafka *self)
{
  while (in_flight_count(&self->sent) < IN_FLIGHT && !self->failed) {
    g_autofree char *topic = NULL, *payload = NULL;
    guint64 number;
    if (!spool_read(self->delivery.spool, &number, &topic, &payload))
      break;
    self->last_id++;
    rd_kafka_resp_err_t code = produce(self, topic, payload);
    in_flight_add(&self->sent, self->last_id, number);
    if (is_impossible(code)) {
      report_impossible(code);
      in_flight_confirm(&self->sent, self->last_id, self->delivery.spool);
    } else if (code) {
      self->failed = TRUE;
      set_reason_of_code(self, code);
    }
  }
}

/* Waits until the library has news, a message is published, or a second is over. */
static void wait_for_work(Kafka *self)
{
  struct pollfd file = { .fd = self->delivery.wake, .events = POLLIN };
  if (poll(&file, 1, 1000) > 0)
    delivery_woken(&self->delivery);
  rd_kafka_poll(self->client, 0);
}

/* Until it is stopped, or the client cannot go on. A client with unconfirmed messages waits for its
 * brokers, since only that client can send them again without a chance that they are there twice.
 */
static void serve(Kafka *self)
{
  gint64 parting = 0;
  while (!delivery_should_end(&self->delivery, FALSE, &parting)) {
    if (self->suspect) {
      self->suspect = FALSE;
      if (check_topic(self)) {
        self->suspect = FALSE; /* errors of the time before */
        if (!delivery_is_connected(&self->delivery))
          delivery_set_connected(&self->delivery);
      } else {
        self->suspect = TRUE;
        delivery_set_trouble(&self->delivery, self->reason);
        self->failed = self->failed || in_flight_count(&self->sent) == 0;
      }
      g_clear_pointer(&self->reason, g_free);
    }
    if (self->failed)
      return;
    if (!self->suspect)
      send_messages(self);
    wait_for_work(self);
  }
}

static void connect_and_serve(gpointer user_data)
{
  Kafka *self = user_data;
  g_autoptr(GError) error = NULL;
  const gint64 start = g_get_monotonic_time();
  if (open_client(self, &error))
    serve(self);
  else
    delivery_set_trouble(&self->delivery, error->message);
  if (delivery_is_connected(&self->delivery))
    backoff_succeeded(&self->delivery.backoff,
                      (double)(g_get_monotonic_time() - start) / G_USEC_PER_SEC);
  if (self->failed && self->reason)
    delivery_set_trouble(&self->delivery, self->reason);
  close_client(self);
  /* Unconfirmed messages are sent again, in their order. */
  if (!delivery_is_stopping(&self->delivery))
    spool_rewind(self->delivery.spool);
}

/* ---- Interface ----------------------------------------------------------------------------- */

void kafka_wake(Kafka *self)
{
  delivery_wake(&self->delivery);
}

void kafka_get_status(Kafka *self, DeliveryStatus *status)
{
  delivery_get_status(&self->delivery, status);
}

Kafka *kafka_new(const KafkaConfig *config, Spool *spool)
{
  Kafka *self = g_new0(Kafka, 1);
  kafka_config_copy(&self->config, config);
  delivery_init(&self->delivery, g_strdup_printf("Kafka brokers %s", config->brokers), spool,
                config->broker.retry_min, config->broker.retry_max);
  in_flight_init(&self->sent);
  delivery_start(&self->delivery, "kafka", connect_and_serve, self);
  return self;
}

void kafka_stop(Kafka *self, gboolean deliver)
{
  delivery_stop(&self->delivery, deliver);
}

void kafka_free(Kafka **kafka)
{
  Kafka *self = *kafka;
  *kafka = NULL;
  /* What a thread that hangs may still use is not freed. */
  if (!self || !delivery_clear(&self->delivery))
    return;
  kafka_config_clear(&self->config);
  g_free(self->reason);
  g_free(self);
}
