/* Results to Kafka, against the cluster that librdkafka simulates. */
#include "output/outputs.h"

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <string.h>
#include <sys/stat.h>

#include "fixtures.h"

#define LIMIT   (30 * G_USEC_PER_SEC)
#define BROKER  1
#define TOPIC   "vitgate"
#define PRODUCE 0 /* the request's number in Kafka's protocol */

static rd_kafka_t *host, *consumer;
static rd_kafka_mock_cluster_t *cluster;
static char *folder;
static Outputs *outputs;

/* ---- Fixture ------------------------------------------------------------------------------- */

static rd_kafka_t *make_client(rd_kafka_type_t type, const char *key, const char *value)
{
  char reason[256] = "";
  rd_kafka_conf_t *conf = rd_kafka_conf_new();
  rd_kafka_conf_set(conf, "log_level", "0", NULL, 0);
  if (key)
    rd_kafka_conf_set(conf, key, value, NULL, 0);
  if (type == RD_KAFKA_CONSUMER) {
    rd_kafka_conf_set(conf, "group.id", "test", NULL, 0);
    rd_kafka_conf_set(conf, "fetch.wait.max.ms", "10", NULL, 0);
    rd_kafka_conf_set(conf, "fetch.error.backoff.ms", "10", NULL, 0);
    rd_kafka_conf_set(conf, "reconnect.backoff.max.ms", "100", NULL, 0);
  }
  rd_kafka_t *client = rd_kafka_new(type, conf, reason, sizeof reason);
  ck_assert_msg(client != NULL, "%s", reason);
  return client;
}

static void start_cluster(void)
{
  host = make_client(RD_KAFKA_PRODUCER, NULL, NULL);
  cluster = rd_kafka_mock_cluster_new(host, BROKER);
  ck_assert_int_eq(rd_kafka_mock_topic_create(cluster, TOPIC, 3, 1), 0);
  folder = fixtures_folder();
}

static void stop_cluster(void)
{
  if (consumer)
    rd_kafka_destroy_flags(consumer, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
  consumer = NULL;
  outputs_free(&outputs);
  rd_kafka_mock_cluster_destroy(cluster);
  rd_kafka_destroy(host);
  fixtures_remove(folder);
}

static Config *configure(const char *keys)
{
  g_autofree char *text = g_strdup_printf(
      "[kafka]\nbrokers=%s\nspool=spool\nframes=all\nretry-least=0.05\nretry-most=0.1\n%s"
      "[camera a]\nurl=rtsp://a/\n",
      rd_kafka_mock_cluster_bootstraps(cluster), keys);
  g_autofree char *path = g_build_filename(folder, "watch.conf", NULL);
  g_autoptr(GError) error = NULL;
  fixtures_write(folder, "watch.conf", text, -1);
  Config *config = config_load(path, &error);
  ck_assert_msg(config != NULL, "%s", error ? error->message : "");
  return config;
}

static void open_outputs(const char *keys)
{
  g_autoptr(Config) config = configure(keys);
  g_autoptr(GError) error = NULL;
  outputs = outputs_new(config, &error);
  ck_assert_msg(outputs != NULL, "%s", error ? error->message : "");
}

static void put_events(const char *camera, int from, int to)
{
  for (int i = from; i < to; i++) {
    g_autofree char *line = g_strdup_printf("{\"event\":%d}\n", i);
    outputs_event(outputs, camera, 0, line, strlen(line));
  }
}

/* Waits for the next status that is wanted.
 * Returns: (transfer full) (nullable): its error */
static char *wait_for(gboolean (*wanted)(const KafkaOutputStatus *))
{
  const gint64 end = g_get_monotonic_time() + LIMIT;
  for (;;) {
    OutputsStatus status;
    outputs_get_status(outputs, &status);
    if (wanted(&status.kafka))
      return status.kafka.delivery.error;
    delivery_status_clear(&status.kafka.delivery);
    ck_assert_msg(g_get_monotonic_time() < end, "waited in vain");
    g_usleep(2000);
  }
}

static gboolean has_delivered(const KafkaOutputStatus *status)
{
  return status->delivery.connected && status->spool.queued == 0;
}

static gboolean has_trouble(const KafkaOutputStatus *status)
{
  return !status->delivery.connected && status->delivery.error;
}

/* ---- What arrives -------------------------------------------------------------------------- */

/* Reads from the start. */
static void start_consumer(void)
{
  consumer = make_client(RD_KAFKA_CONSUMER, "bootstrap.servers",
                         rd_kafka_mock_cluster_bootstraps(cluster));
  rd_kafka_topic_partition_list_t *partitions = rd_kafka_topic_partition_list_new(3);
  for (int i = 0; i < 3; i++)
    rd_kafka_topic_partition_list_add(partitions, TOPIC, i)->offset = RD_KAFKA_OFFSET_BEGINNING;
  ck_assert_int_eq(rd_kafka_assign(consumer, partitions), 0);
  rd_kafka_topic_partition_list_destroy(partitions);
}

static rd_kafka_message_t *receive(void)
{
  const gint64 end = g_get_monotonic_time() + LIMIT;
  for (;;) {
    rd_kafka_message_t *message = rd_kafka_consumer_poll(consumer, 100);
    if (message && !message->err)
      return message;
    if (message)
      rd_kafka_message_destroy(message);
    ck_assert_msg(g_get_monotonic_time() < end, "a message is missing");
  }
}

static char *copy_kind(const rd_kafka_message_t *message)
{
  rd_kafka_headers_t *headers;
  const void *value;
  size_t size;
  ck_assert_int_eq(rd_kafka_message_headers(message, &headers), 0);
  ck_assert_int_eq(rd_kafka_header_get_last(headers, "kind", &value, &size), 0);
  return g_strndup(value, size);
}

/* Checks that a camera's events from @from to @to arrive, once and in order. */
static void expect_events(const char *camera, int from, int to)
{
  for (int i = from; i < to; i++) {
    g_autofree char *wanted = g_strdup_printf("{\"event\":%d}", i);
    rd_kafka_message_t *message = receive();
    g_autofree char *text = g_strndup(message->payload, message->len);
    g_autofree char *key = g_strndup(message->key, message->key_len);
    ck_assert_str_eq(text, wanted);
    ck_assert_str_eq(key, camera);
    rd_kafka_message_destroy(message);
  }
}

/* ---- Tests --------------------------------------------------------------------------------- */

START_TEST(lines_arrive_by_camera_in_order)
{
  static const char *const cameras[] = { "yard", "front door", "bin" };
  int next[G_N_ELEMENTS(cameras)] = { 0 }, partitions[G_N_ELEMENTS(cameras)] = { -1, -1, -1 };
  open_outputs("");
  for (int i = 0; i < 40; i++)
    for (guint c = 0; c < G_N_ELEMENTS(cameras); c++)
      put_events(cameras[c], i, i + 1);
  start_consumer();
  for (guint n = 0; n < 40 * G_N_ELEMENTS(cameras); n++) {
    rd_kafka_message_t *message = receive();
    g_autofree char *key = g_strndup(message->key, message->key_len);
    guint camera = 0;
    while (camera < G_N_ELEMENTS(cameras) && strcmp(key, cameras[camera]))
      camera++;
    ck_assert_uint_lt(camera, G_N_ELEMENTS(cameras));
    g_autofree char *wanted = g_strdup_printf("{\"event\":%d}", next[camera]++);
    g_autofree char *text = g_strndup(message->payload, message->len);
    ck_assert_str_eq(text, wanted);
    if (partitions[camera] >= 0)
      ck_assert_int_eq(message->partition, partitions[camera]);
    partitions[camera] = message->partition;
    rd_kafka_message_destroy(message);
  }
  g_free(wait_for(has_delivered));
}
END_TEST

START_TEST(the_kind_of_a_line_is_a_header)
{
  open_outputs("");
  outputs_frame(outputs, "a", 0, "{}\n", 3, TRUE);
  put_events("a", 0, 1);
  start_consumer();
  static const char *const kinds[] = { "frame", "event" };
  for (guint i = 0; i < G_N_ELEMENTS(kinds); i++) {
    rd_kafka_message_t *message = receive();
    g_autofree char *kind = copy_kind(message);
    ck_assert_str_eq(kind, kinds[i]);
    rd_kafka_message_destroy(message);
  }
}
END_TEST

START_TEST(frames_are_published_as_configured)
{
  open_outputs("");
  g_autoptr(Config) config = configure("");
  config->kafka.broker.frames = FRAME_LINES_CHANGES;
  g_autoptr(GError) error = NULL;
  ck_assert(outputs_change(outputs, config, &error));
  outputs_frame(outputs, "a", 0, "{}\n", 3, FALSE);
  put_events("a", 7, 8);
  start_consumer();
  expect_events("a", 7, 8);
}
END_TEST

START_TEST(lines_wait_while_the_brokers_are_away)
{
  open_outputs("");
  start_consumer();
  put_events("a", 0, 20);
  expect_events("a", 0, 20);
  rd_kafka_mock_broker_set_down(cluster, BROKER);
  put_events("a", 20, 40);
  g_autofree char *reason = wait_for(has_trouble);
  ck_assert_msg(strstr(reason, "refused") || strstr(reason, "down"), "%s", reason);
  put_events("a", 40, 60);
  rd_kafka_mock_broker_set_up(cluster, BROKER);
  expect_events("a", 20, 60);
  g_free(wait_for(has_delivered));
}
END_TEST

/* Makes the brokers refuse messages for now. */
static void refuse_messages(void)
{
  rd_kafka_resp_err_t errors[100];
  for (guint i = 0; i < G_N_ELEMENTS(errors); i++)
    errors[i] = RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS;
  rd_kafka_mock_push_request_errors_array(cluster, PRODUCE, G_N_ELEMENTS(errors), errors);
}

START_TEST(messages_without_a_confirmation_survive_a_restart)
{
  open_outputs("");
  start_consumer();
  put_events("a", 0, 5);
  expect_events("a", 0, 5);
  refuse_messages();
  put_events("a", 5, 15);
  outputs_free(&outputs);
  rd_kafka_mock_clear_request_errors(cluster, PRODUCE);
  open_outputs("");
  put_events("a", 15, 20);
  expect_events("a", 5, 20);
}
END_TEST

START_TEST(a_start_without_brokers_loses_nothing)
{
  rd_kafka_mock_broker_set_down(cluster, BROKER);
  open_outputs("");
  put_events("a", 0, 10);
  g_free(wait_for(has_trouble));
  outputs_free(&outputs);
  rd_kafka_mock_broker_set_up(cluster, BROKER);
  open_outputs("");
  put_events("a", 10, 20);
  start_consumer();
  expect_events("a", 0, 20);
}
END_TEST

START_TEST(a_temporary_error_of_a_broker_is_not_seen)
{
  open_outputs("");
  start_consumer();
  put_events("a", 0, 5);
  expect_events("a", 0, 5);
  rd_kafka_mock_push_request_errors(cluster, PRODUCE, 3, RD_KAFKA_RESP_ERR__TRANSPORT,
                                    RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS,
                                    RD_KAFKA_RESP_ERR__TRANSPORT);
  put_events("a", 5, 30);
  expect_events("a", 5, 30);
}
END_TEST

START_TEST(a_message_that_was_not_allowed_is_sent_again)
{
  open_outputs("");
  start_consumer();
  put_events("a", 0, 5);
  expect_events("a", 0, 5);
  rd_kafka_mock_push_request_errors(cluster, PRODUCE, 1,
                                    RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
  put_events("a", 5, 6);
  expect_events("a", 5, 6);
}
END_TEST

START_TEST(a_missing_topic_is_reported)
{
  rd_kafka_mock_topic_set_error(cluster, TOPIC, RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
  open_outputs("");
  put_events("a", 0, 10);
  g_autofree char *reason = wait_for(has_trouble);
  ck_assert_str_eq(reason, "the topic \"" TOPIC "\" does not exist; create it, or let the brokers "
                           "create topics");
  rd_kafka_mock_topic_set_error(cluster, TOPIC, RD_KAFKA_RESP_ERR_NO_ERROR);
  start_consumer();
  expect_events("a", 0, 10);
}
END_TEST

START_TEST(brokers_without_tls_are_reported)
{
  open_outputs("tls=true\n");
  put_events("a", 0, 1);
  g_autofree char *reason = wait_for(has_trouble);
  ck_assert_msg(strstr(reason, "SSL") || strstr(reason, "TLS") || strstr(reason, "Disconnected"),
                "%s", reason);
  /* A new key file mends it. */
  g_autoptr(Config) config = configure("");
  g_autoptr(GError) error = NULL;
  ck_assert(outputs_change(outputs, config, &error));
  start_consumer();
  expect_events("a", 0, 1);
}
END_TEST

START_TEST(a_credentials_file_that_vanishes_is_reported)
{
  g_autofree char *path = g_build_filename(folder, "secret", NULL);
  fixtures_write(folder, "secret", "eve:x", -1);
  ck_assert_int_eq(chmod(path, 0600), 0);
  g_autofree char *keys = g_strdup_printf("credentials-file=%s\n", path);
  g_autoptr(Config) config = configure(keys);
  g_autoptr(GError) error = NULL;
  ck_assert_int_eq(remove(path), 0);
  outputs = outputs_new(config, &error);
  g_autofree char *reason = wait_for(has_trouble);
  ck_assert_msg(strstr(reason, "secret: No such file"), "%s", reason);
}
END_TEST

int main(void)
{
  TCase *tests = tcase_create("kafka");
  tcase_add_checked_fixture(tests, start_cluster, stop_cluster);
  tcase_add_test(tests, lines_arrive_by_camera_in_order);
  tcase_add_test(tests, the_kind_of_a_line_is_a_header);
  tcase_add_test(tests, frames_are_published_as_configured);
  tcase_add_test(tests, lines_wait_while_the_brokers_are_away);
  tcase_add_test(tests, messages_without_a_confirmation_survive_a_restart);
  tcase_add_test(tests, a_start_without_brokers_loses_nothing);
  tcase_add_test(tests, a_temporary_error_of_a_broker_is_not_seen);
  tcase_add_test(tests, a_message_that_was_not_allowed_is_sent_again);
  tcase_add_test(tests, a_missing_topic_is_reported);
  tcase_add_test(tests, brokers_without_tls_are_reported);
  tcase_add_test(tests, a_credentials_file_that_vanishes_is_reported);
  return fixtures_run(tests, "kafka");
}
