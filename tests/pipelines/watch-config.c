/* The key file of vitgate-watch: how keys are read, and the errors for wrong ones. */
#include "config/config.h"

#include <string.h>
#include <sys/stat.h>

#include <glib/gstdio.h>

#include "config/credentials.h"
#include "config/fingerprint.h"
#include "config/warnings.h"
#include "fixtures.h"

static char *folder, *path;

static void set_up(void)
{
  folder = fixtures_folder();
  path = g_build_filename(folder, "watch.conf", NULL);
}

static void tear_down(void)
{
  g_free(path);
  fixtures_remove(folder);
}

static Config *load(const char *text, GError **error)
{
  fixtures_write(folder, "watch.conf", text, -1);
  return config_load(path, error);
}

static const CameraConfig *camera(const Config *config, guint i)
{
  return config->cameras->pdata[i];
}

START_TEST(reads_every_group)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(Config) config = load("[watch]\nsync-interval = 0.5\n"
                                  "[log]\nfile=lines.jsonl\nsize=64K\nfiles=3\nframes=changes\n"
                                  "[mqtt]\nhost=broker\ntls=true\nspool=/tmp/spool\n"
                                  "[camera front door]\nurl=rtsp://door/stream\nlabels=cat; dog ;\n"
                                  "transport=udp\nlatency-budget=0.04\n",
                                  &error);
  ck_assert_msg(config != NULL, "%s", error ? error->message : "");
  g_autofree char *log = g_build_filename(folder, "lines.jsonl", NULL);
  ck_assert_double_eq(config->sync_interval, 0.5);
  ck_assert_str_eq(config->log.file, log);
  ck_assert_uint_eq(config->log.size, 65536);
  ck_assert_int_eq(config->log.frames, FRAME_LINES_CHANGES);
  ck_assert_uint_eq(config->mqtt.port, 8883);
  ck_assert_str_eq(config->mqtt.topic, "vitgate");
  ck_assert_uint_eq(config->cameras->len, 1);
  ck_assert_str_eq(camera(config, 0)->name, "front door");
  ck_assert_str_eq(camera(config, 0)->whole.labels[0], "cat");
  ck_assert_str_eq(camera(config, 0)->whole.labels[1], "dog");
  ck_assert_ptr_null(camera(config, 0)->whole.labels[2]);
  ck_assert_int_eq(camera(config, 0)->transport, TRANSPORT_UDP);
  ck_assert_double_eq(camera(config, 0)->latency_budget, 0.04);
}
END_TEST

START_TEST(defaults_apply_to_cameras_without_the_key)
{
  g_autoptr(Config) config = load("[defaults]\nthreshold=0.3\nlabels=cat\n"
                                  "[camera a]\nurl=rtsp://a/\n"
                                  "[camera b]\nurl=rtsp://b/\nthreshold=0.7\n",
                                  NULL);
  ck_assert_ptr_nonnull(config);
  ck_assert_double_eq(camera(config, 0)->whole.threshold, 0.3);
  ck_assert_double_eq(camera(config, 1)->whole.threshold, 0.7);
  ck_assert_double_eq(camera(config, 0)->whole.max_age, 10);
  ck_assert_str_eq(camera(config, 1)->whole.labels[0], "cat");
}
END_TEST

START_TEST(events_have_a_file_beside_the_log)
{
  static const struct {
    const char *log, *events;
  } names[] = {
    { "file=lines.jsonl\n", "lines.events.jsonl" },
    { "file=lines\n", "lines.events" },
    { "file=.lines\n", ".lines.events" },
    { "file=lines\nevents-file=x/y\n", "x/y" },
  };
  g_autofree char *text = g_strconcat("[camera a]\nurl=rtsp://a/\n[log]\n", names[_i].log, NULL);
  g_autofree char *events = g_build_filename(folder, names[_i].events, NULL);
  g_autoptr(Config) config = load(text, NULL);
  ck_assert_ptr_nonnull(config);
  ck_assert_str_eq(config->log.events_file, events);
}
END_TEST

START_TEST(without_a_key_only_changes_are_logged_and_a_message_says_so)
{
  g_autofree char *text =
      g_strconcat("[camera a]\nurl=rtsp://a/\n[log]\nfile=x\n", _i ? "frames=changes\n" : "", NULL);
  g_autoptr(Config) config = load(text, NULL);
  ck_assert_ptr_nonnull(config);
  ck_assert_int_eq(config->log.frames, FRAME_LINES_CHANGES);
  g_autoptr(GPtrArray) warnings = config_find_warnings(config);
  ck_assert_uint_eq(warnings->len, _i ? 0 : 1);
}
END_TEST

START_TEST(fingerprints_differ_if_keys_do)
{
  g_autoptr(Config) old = load("[camera a]\nurl=rtsp://a/\n[camera b]\nurl=rtsp://b/\n", NULL);
  g_autoptr(Config) new = load("# a comment\n[camera b]\nthreshold=0.4\nurl=rtsp://b/\n"
                               "[camera a]\nurl = rtsp://a/\n[log]\nfile=x\n",
                               NULL);
  ck_assert_str_eq(camera(old, 0)->fingerprint, camera(new, 1)->fingerprint);
  ck_assert_str_ne(camera(old, 1)->fingerprint, camera(new, 0)->fingerprint);
  ck_assert(config_mqtt_equal(&old->mqtt, &new->mqtt));
}
END_TEST

static const LookConfig *look(const Config *config, guint camera_number, guint i)
{
  return camera(config, camera_number)->looks->pdata[i];
}

/* Looks may come before their camera. */
START_TEST(looks_belong_to_cameras_and_take_defaults)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(Config) config = load("[look gate]\ncamera=b\nregion=1,2, 30%,40%\ninterval=5\n"
                                  "[defaults]\nthreshold=0.3\nlabels=cat\nfit=crop\nthreads=2\n"
                                  "[camera a]\nurl=rtsp://a/\n"
                                  "[camera b]\nurl=rtsp://b/\nthreshold=0.9\n"
                                  "[look bin]\ncamera=b\nthreshold=0.4\n",
                                  &error);
  ck_assert_msg(config != NULL, "%s", error ? error->message : "");
  ck_assert_uint_eq(camera(config, 0)->looks->len, 0);
  ck_assert_uint_eq(camera(config, 1)->looks->len, 2);
  ck_assert_str_eq(look(config, 1, 0)->name, "gate");
  ck_assert_str_eq(look(config, 1, 0)->region, "1,2, 30%,40%");
  ck_assert_double_eq(look(config, 1, 0)->interval, 5);
  ck_assert_double_eq(look(config, 1, 0)->threshold, 0.3);
  ck_assert_double_eq(look(config, 1, 1)->threshold, 0.4);
  ck_assert_double_eq(look(config, 1, 1)->keep_threshold, 0.8 * 0.4);
  ck_assert_str_eq(look(config, 1, 1)->labels[0], "cat");
  ck_assert_str_eq(config_fits[look(config, 1, 1)->fit], "crop");
}
END_TEST

START_TEST(labels_of_another_model_are_not_taken_from_defaults)
{
  g_autoptr(Config) config = load("[defaults]\nmodel=watch.conf\nmodel-labels=watch.conf\n"
                                  "labels=cat\nstates=cat\nstate=true\n"
                                  "[camera a]\nurl=rtsp://a/\n[look same]\ncamera=a\n"
                                  "[look other]\ncamera=a\nmodel=watch.conf\n",
                                  NULL);
  ck_assert_ptr_nonnull(config);
  ck_assert_str_eq(look(config, 0, 0)->labels[0], "cat");
  ck_assert_ptr_nonnull(look(config, 0, 0)->model_labels);
  ck_assert_ptr_null(look(config, 0, 1)->labels);
  ck_assert_ptr_null(look(config, 0, 1)->states);
  ck_assert_ptr_null(look(config, 0, 1)->model_labels);
  ck_assert(look(config, 0, 1)->state);
}
END_TEST

#define LOOK "[look l]\ncamera=a\n"

/* The default reuse-threshold is left to the element, whose own default depends on temporal. */
START_TEST(when_changed_keeps_a_result_until_there_is_a_change)
{
  static const struct {
    const char *keys;
    double max_age, reuse_threshold;
  } looks[] = {
    { "", 10, -1 },
    { "when-changed=true\n", 0, 8 / 255.0 },
    { "when-changed=true\nmax-age=60\nreuse-threshold=0.2\n", 60, 0.2 },
  };
  g_autofree char *text =
      g_strconcat("[defaults]\nmax-age=10\n[camera a]\nurl=rtsp://a/\n" LOOK, looks[_i].keys, NULL);
  g_autoptr(Config) config = load(text, NULL);
  ck_assert_ptr_nonnull(config);
  ck_assert_double_eq(look(config, 0, 0)->max_age, looks[_i].max_age);
  ck_assert_double_eq(look(config, 0, 0)->reuse_threshold, looks[_i].reuse_threshold);
}
END_TEST

START_TEST(a_camera_with_looks_classifies_the_whole_frame_if_asked)
{
  static const struct {
    const char *text;
    gboolean whole;
  } files[] = {
    { "", TRUE },
    { LOOK, FALSE },
    { "whole-frame=true\n" LOOK, TRUE },
    { "model=watch.conf\n" LOOK, TRUE },
    { "labels=cat\n" LOOK, TRUE },
    { "state=true\n" LOOK, TRUE },
    { "[defaults]\nlabels=cat\n" LOOK, FALSE },
    { "[defaults]\nwhole-frame=true\n" LOOK, TRUE },
    { "[defaults]\nwhole-frame=false\n", TRUE },
  };
  g_autofree char *text = g_strconcat("[camera a]\nurl=rtsp://a/\n", files[_i].text, NULL);
  g_autoptr(Config) config = load(text, NULL);
  ck_assert_ptr_nonnull(config);
  ck_assert_int_eq(camera(config, 0)->whole_frame, files[_i].whole);
}
END_TEST

START_TEST(a_changed_look_changes_its_camera)
{
  static const char text[] = "[camera a]\nurl=rtsp://a/\n[camera b]\nurl=rtsp://b/\n"
                             "[look l]\ncamera=a\n[look m]\ncamera=b\ninterval=1\n";
  static const char *const more[] = { "compute=0.5\n", "region=0,0,1,1\n", "[look n]\ncamera=b\n" };
  g_autofree char *changed = g_strconcat(text, more[_i], NULL);
  g_autoptr(Config) old = load(text, NULL), new = load(changed, NULL);
  ck_assert_ptr_nonnull(new);
  ck_assert_str_eq(camera(old, 0)->fingerprint, camera(new, 0)->fingerprint);
  ck_assert_str_ne(camera(old, 1)->fingerprint, camera(new, 1)->fingerprint);
}
END_TEST

#define CAMERA "[camera a]\nurl=rtsp://a/\n"
#define RTSPS  "[camera a]\nurl=rtsps://a/\n"
#define MQTT   "[mqtt]\nhost=h\nspool=s\n"
#define KAFKA  "[kafka]\nbrokers=h:9092,i\nspool=k\n"

static const struct {
  const char *text, *message;
} bad_files[] = {
  { "", "watch.conf: has no cameras" },
  { "[watch]\n", "watch.conf: has no cameras" },
  { "url=rtsp://a/\n", "watch.conf: " },
  { "[camera a\n", "watch.conf: " },
  { "[camera a]\nnonsense\n", "watch.conf: " },
  { "[camera a]\nurl=\xff\n", "is not UTF-8 text" },
  { "[camera ]\nurl=rtsp://a/\n", "[camera ]: the camera has no name" },
  { "[camera a/b]\nurl=rtsp://a/\n", "[camera a/b]: a camera's name must not contain" },
  { CAMERA CAMERA, "[camera a]: line 3: duplicate group" },
  { "[camera a]\nurl=rtsp://a/\nurl=rtsp://b/\n", "[camera a] url: line 3: duplicate key" },
  { "[cameras]\n" CAMERA, "[cameras]: unknown group" },
  { CAMERA "uri=x\n", "[camera a] uri: unknown key, expected one of url, " },
  { "[defaults]\ntreshold=1\n" CAMERA, "[defaults] treshold: unknown key" },
  { "[watch]\nsync-interval=often\n" CAMERA,
    "[watch] sync-interval: \"often\": expected a number" },
  { "[watch]\nsync-interval=-1\n" CAMERA,
    "[watch] sync-interval: -1: expected a number from 0 to 3600" },
  { "[watch]\nsync-interval=nan\n" CAMERA, "\"nan\": expected a number of seconds" },
  { "[log]\n" CAMERA, "[log] file: is missing" },
  { "[log]\nfile=\n" CAMERA, "[log] file: is empty" },
  { "[log]\nfile=watch.conf/x/y\n" CAMERA, "watch.conf is not a folder" },
  { "[log]\nfile=x\nsize=1\n" CAMERA, "[log] size: 1: expected a number from 4096 to" },
  { "[log]\nfile=x\nsize=1T\n" CAMERA, "[log] size: \"1T\": expected a size" },
  { "[log]\nfile=x\nsize=99999999999G\n" CAMERA, "[log] size: \"99999999999G\": expected a size" },
  { "[log]\nfile=x\nfiles=0\n" CAMERA, "[log] files: 0: expected a number from 1 to 1000" },
  { "[log]\nfile=x\nfiles=1e300\n" CAMERA, "[log] files: 1e300: expected a number from 1 to 1000" },
  { "[log]\nfile=x\nevents-file=x\n" CAMERA, "[log] events-file: is the same as file" },
  { "[log]\nfile=x\nfiles=1.5\n" CAMERA, "[log] files: \"1.5\": expected a whole number" },
  { "[log]\nfile=x\nframes=some\n" CAMERA, "\"some\": expected one of none, changes, all" },
  { "[mqtt]\nspool=s\n" CAMERA, "[mqtt] host: is missing" },
  { "[mqtt]\nhost=h\n" CAMERA, "[mqtt] spool: is missing" },
  { MQTT "port=70000\n" CAMERA, "[mqtt] port: 70000: expected a number from 1 to 65535" },
  { MQTT "topic=a/#\n" CAMERA, "[mqtt] topic: \"a/#\" contains a wildcard" },
  { MQTT "tls=yes\n" CAMERA, "[mqtt] tls: \"yes\": expected true or false" },
  { MQTT "ca-file=/none\n" CAMERA, "[mqtt] ca-file: is set, but tls is not true" },
  { MQTT "tls=true\nca-file=/none\n" CAMERA, "[mqtt] ca-file: /none cannot be read" },
  { MQTT "client-key=/none\n" CAMERA, "[mqtt] client-key: is set, but tls is not true" },
  { MQTT "tls=true\nclient-key=/none\n" CAMERA, "client-certificate and client-key need each" },
  { MQTT "tls=true\nclient-certificate=/none\nclient-key=/none\n" CAMERA,
    "[mqtt] client-key: /none: No such file" },
  { MQTT "tls=true\nclient-certificate=/none\nclient-key=watch.conf\n" CAMERA,
    "watch.conf: other users can read or change it" },
  { "[mqtt]\nhost=mqtt://h\nspool=s\n" CAMERA, "[mqtt] host: expected a host name or an address" },
#ifdef VITGATE_HAVE_KAFKA
  { "[kafka]\nspool=s\n" CAMERA, "[kafka] brokers: is missing" },
  { "[kafka]\nbrokers=h\n" CAMERA, "[kafka] spool: is missing" },
  { "[kafka]\nspool=s\nbrokers=h,kafka://i\n" CAMERA,
    "[kafka] brokers: \"kafka://i\": expected HOST or HOST:PORT" },
  { "[kafka]\nspool=s\nbrokers=eve@h\n" CAMERA, "[kafka] brokers: \"eve@h\": expected HOST" },
  { "[kafka]\nspool=s\nbrokers=h:0\n" CAMERA, "[kafka] brokers: \"h:0\": expected HOST" },
  { "[kafka]\nspool=s\nbrokers=h,\n" CAMERA, "[kafka] brokers: \"\": expected HOST" },
  { KAFKA "topic=a/b\n" CAMERA, "[kafka] topic: \"a/b\": expected at most 249 letters" },
  { KAFKA "topic=..\n" CAMERA, "[kafka] topic: \"..\": expected at most 249 letters" },
  { KAFKA "ca-file=/none\n" CAMERA, "[kafka] ca-file: is set, but tls is not true" },
  { KAFKA "mechanism=oauth\n" CAMERA, "expected one of plain, scram-sha-256, scram-sha-512" },
  { KAFKA "credentials-env=NO_SUCH_VARIABLE\n" CAMERA,
    "[kafka] credentials-env: $NO_SUCH_VARIABLE: is not set" },
  { MQTT "[kafka]\nbrokers=h\nspool=s\n" CAMERA, "[kafka] spool: is the folder of [mqtt] too" },
#else
  { KAFKA CAMERA, "[kafka]: this vitgate-watch was built without Kafka (librdkafka is missing)" },
#endif
  { CAMERA "insecure=true\n", "[camera a] insecure: is only for rtsps:// and https:// URLs" },
  { RTSPS "insecure=true\nca-file=watch.conf\n", "[camera a] ca-file: expected only one of" },
  { RTSPS "ca-file=/none\n", "[camera a] ca-file: /none cannot be read" },
  { RTSPS "certificate-sha256=AB:CD\n", "\"AB:CD\": expected the SHA-256 of the certificate" },
  { RTSPS "[camera b]\nurl=rtsps://A:322/b\ninsecure=true\n",
    "[camera b] url: ca-file, certificate-sha256 or insecure differs from another camera of "
    "a:322" },
  { MQTT "credentials-env=NO_SUCH_VARIABLE\n" CAMERA,
    "[mqtt] credentials-env: $NO_SUCH_VARIABLE: is not set" },
  { "[camera a]\n", "[camera a] url: is missing" },
  { "[camera a]\nurl=door\n", "[camera a] url: \"door\" is not a URL" },
  { "[camera a]\nurl=ftp://a/\n", "[camera a] url: \"ftp://a/\": expected a scheme of rtsp," },
  { "[camera a]\nurl=rtsp:///x\n", "[camera a] url: \"rtsp:///x\" has no host" },
  { "[camera a]\nurl=rtsp://h:99999/x\n", "[camera a] url: \"rtsp://h:99999/x\" is not a URL" },
  { "[camera a]\nurl=file://host/x\n", "[camera a] url: \"file://host/x\": expected file:///PATH" },
  { "[camera a]\nurl=rtsp://eve:secret@h/x\n", "[camera a] url: set user and password in" },
  { CAMERA "transport=tpc\n", "[camera a] transport: \"tpc\": expected one of auto, tcp, udp" },
  { CAMERA "repeat=true\n", "[camera a] repeat: only file:/// URLs can be repeated" },
  { CAMERA "real-time=true\n", "[camera a] real-time: is only for file:/// URLs" },
  { CAMERA "retry-least=10\nretry-most=5\n",
    "[camera a] retry-least: 10 is greater than retry-most" },
  { CAMERA "threshold=1.5\n", "[camera a] threshold: 1.5: expected a number from 0 to 1" },
  { CAMERA "threshold=0.4\nkeep-threshold=0.5\n",
    "[camera a] keep-threshold: 0.5 is greater than" },
  { CAMERA "compute=0.2\nmin-compute=0.5\n",
    "[camera a] min-compute: 0.5 is greater than compute" },
  { CAMERA "state=yes\n", "[camera a] state: \"yes\": expected true or false" },
  { CAMERA "states=open\n", "[camera a] states: is set, but state is not true" },
  { CAMERA "state-lead=0.5\n", "[camera a] state-lead: 0.5: expected a number from 1 to" },
  { CAMERA "whole-frame=false\n", "whole-frame: is false, but no [look NAME] has camera=a" },
  { CAMERA "whole-frame=false\nlabels=cat\n[look l]\ncamera=a\n",
    "[camera a] labels: is for the whole frame, but whole-frame is false" },
  { CAMERA "[look l]\n", "[look l] camera: is missing" },
  { CAMERA "[look l]\ncamera=b\n", "[look l] camera: \"b\": there is no group [camera b]" },
  { CAMERA "[look ]\ncamera=a\n", "[look ]: the look has no name: [look NAME]" },
  { CAMERA "[look a/b]\ncamera=a\n", "[look a/b]: a look's name must not contain" },
  { CAMERA LOOK LOOK, "[look l]: line 5: duplicate group" },
  { CAMERA LOOK "threads=2\n", "[look l] threads: unknown key, expected one of camera, region, " },
  { CAMERA LOOK "region=\n", "[look l] region: is empty" },
  { CAMERA LOOK "interval=-1\n", "[look l] interval: -1: expected a number from 0 to" },
  { CAMERA LOOK "model=/none\n", "[look l] model: /none cannot be read" },
  { CAMERA LOOK "when-changed=true\nreuse-threshold=0\n",
    "[look l] reuse-threshold: is 0, but when-changed is true" },
  { CAMERA "labels=;\n", "[camera a] labels: is empty" },
  { CAMERA "model=/none\n", "[camera a] model: /none cannot be read: No such file" },
  { CAMERA "model=.\n", "[camera a] model: " },
  { CAMERA "precision=int4\n", "\"int4\": expected one of auto, float32, bf16, int8" },
  { CAMERA "fit=zoom\n",
    "\"zoom\": expected one of auto, squares, squash, letterbox, crop, model" },
  { CAMERA "threads=0\n", "[camera a] threads: 0: expected a number from 1" },
  { CAMERA "credentials-env=NO_SUCH_VARIABLE\n", "$NO_SUCH_VARIABLE: is not set" },
  { CAMERA "credentials-file=/none\n", "[camera a] credentials-file: /none: No such file" },
  { CAMERA "credentials-file=/none\ncredentials-env=X\n", "credentials-env is set as well" },
  { "[camera a]\nurl=file:///x\ncredentials-env=PATH\n", "[camera a] url: takes no credentials" },
};

START_TEST(refuses_wrong_files)
{
  g_autoptr(GError) error = NULL;
  /* A PATH with a colon serves as valid credentials. */
  g_setenv("PATH", "/bin:/usr/bin", TRUE);
  Config *config = load(bad_files[_i].text, &error);
  ck_assert_ptr_null(config);
  assert_error(error, bad_files[_i].message);
  assert_error(error, "watch.conf: ");
}
END_TEST

#define SHA256 "0123456789abcdef0123456789ABCDEF0123456789abcdef0123456789abcdef"

START_TEST(fingerprints_are_64_digits_with_or_without_colons)
{
  static const char *const bad[] = { "",         ":",          SHA256 "0", SHA256 ":",
                                     ":" SHA256, "0:1" SHA256, "0x" SHA256 };
  g_autofree char *digits = fingerprint_parse(SHA256);
  g_autofree char *written = fingerprint_format(digits);
  g_autofree char *again = fingerprint_parse(written);
  ck_assert_int_eq(strlen(written), 95);
  ck_assert_int_eq(strncmp(written, "01:23:45:67:89:AB:CD:EF:01:", 27), 0);
  ck_assert_str_eq(digits, again);
  for (guint i = 0; i < G_N_ELEMENTS(bad); i++)
    ck_assert_ptr_null(fingerprint_parse(bad[i]));
}
END_TEST

START_TEST(keys_in_defaults_may_be_for_other_cameras)
{
  g_autoptr(Config) config =
      load("[defaults]\ninsecure=true\n" CAMERA "[camera b]\nurl=rtsps://b/\n"
           "[camera c]\nurl=https://c/\ninsecure=false\n",
           NULL);
  ck_assert_ptr_nonnull(config);
  g_autoptr(GPtrArray) warnings = config_find_warnings(config);
  ck_assert_uint_eq(warnings->len, 1);
  ck_assert_ptr_nonnull(strstr(warnings->pdata[0], "[camera b] insecure=true"));
}
END_TEST

START_TEST(credentials_without_tls_are_warned_about)
{
  g_setenv("LOGIN", "eve:a b", TRUE);
  g_autoptr(Config) config =
      load("[defaults]\ncredentials-env=LOGIN\n" CAMERA
           "[camera b]\nurl=https://b/\n[camera c]\nurl=http://c/\n" MQTT "credentials-env=LOGIN\n",
           NULL);
  ck_assert_ptr_nonnull(config);
  g_autoptr(GPtrArray) warnings = config_find_warnings(config);
  ck_assert_uint_eq(warnings->len, 2);
  ck_assert_ptr_nonnull(strstr(warnings->pdata[0], "[mqtt] user and password are sent to h "));
  ck_assert_ptr_nonnull(strstr(warnings->pdata[1], "without TLS to: a, c"));
}
END_TEST

/* As editors on Windows write it: a byte order mark, and carriage returns. */
START_TEST(reads_a_file_with_a_byte_order_mark)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(Config) config =
      load("\357\273\277[camera a]\r\nurl=rtsp://a/\r\nlabels=cat; dog\r\n", &error);
  ck_assert_msg(config != NULL, "%s", error ? error->message : "");
  ck_assert_str_eq(camera(config, 0)->url, "rtsp://a/");
  ck_assert_str_eq(camera(config, 0)->whole.labels[1], "dog");
}
END_TEST

START_TEST(reads_credentials_with_a_byte_order_mark)
{
  g_autofree char *file = g_build_filename(folder, "secret", NULL);
  g_autofree char *user = NULL, *password = NULL;
  fixtures_write(folder, "secret", "\357\273\277eve:a b\r\n", -1);
  ck_assert_int_eq(g_chmod(file, 0600), 0);
  ck_assert(credentials_read(file, NULL, &user, &password, NULL));
  ck_assert_str_eq(user, "eve");
  ck_assert_str_eq(password, "a b");
}
END_TEST

START_TEST(refuses_a_missing_file)
{
  g_autoptr(GError) error = NULL;
  ck_assert_ptr_null(config_load(path, &error));
  assert_error(error, "watch.conf");
}
END_TEST

START_TEST(refuses_zero_bytes)
{
  g_autoptr(GError) error = NULL;
  const char text[] = CAMERA "\0\n";
  fixtures_write(folder, "watch.conf", text, sizeof text - 1);
  ck_assert_ptr_null(config_load(path, &error));
  assert_error(error, "is not UTF-8 text");
}
END_TEST

static Config *load_with_credentials(const char *content, int mode, GError **error)
{
  g_autofree char *file = g_build_filename(folder, "door.secret", NULL);
  fixtures_write(folder, "door.secret", content, -1);
  ck_assert_int_eq(g_chmod(file, mode), 0);
  return load(CAMERA "credentials-file=door.secret\n", error);
}

START_TEST(accepts_credentials_that_nobody_else_can_read)
{
  g_autoptr(Config) config = load_with_credentials("eve:a:b\n", 0600, NULL);
  ck_assert_ptr_nonnull(config);
}
END_TEST

START_TEST(refuses_credentials_that_others_can_read)
{
  static const int modes[] = { 0640, 0604, 0620, 0602, 0644 };
  g_autoptr(GError) error = NULL;
  ck_assert_ptr_null(load_with_credentials("eve:a b\n", modes[_i], &error));
  assert_error(error, "[camera a] credentials-file: ");
  assert_error(error, "door.secret: other users can read or change it (mode 06");
}
END_TEST

START_TEST(refuses_credentials_without_a_user_and_shows_none)
{
  static const char *const contents[] = { "", "secret\n", ":secret\n", "secret\xff:\n" };
  g_autoptr(GError) error = NULL;
  ck_assert_ptr_null(load_with_credentials(contents[_i], 0600, &error));
  assert_error(error, "door.secret: ");
  ck_assert_ptr_null(strstr(error->message, "secret:"
                                            "secret"));
  ck_assert_ptr_null(strstr(error->message, "\xff"));
}
END_TEST

int main(void)
{
  TCase *tests = tcase_create("key file");
  tcase_add_checked_fixture(tests, set_up, tear_down);
  tcase_add_test(tests, reads_every_group);
  tcase_add_test(tests, defaults_apply_to_cameras_without_the_key);
  tcase_add_loop_test(tests, events_have_a_file_beside_the_log, 0, 4);
  tcase_add_loop_test(tests, without_a_key_only_changes_are_logged_and_a_message_says_so, 0, 2);
  tcase_add_test(tests, fingerprints_differ_if_keys_do);
  tcase_add_test(tests, looks_belong_to_cameras_and_take_defaults);
  tcase_add_test(tests, labels_of_another_model_are_not_taken_from_defaults);
  tcase_add_loop_test(tests, when_changed_keeps_a_result_until_there_is_a_change, 0, 3);
  tcase_add_loop_test(tests, a_camera_with_looks_classifies_the_whole_frame_if_asked, 0, 9);
  tcase_add_loop_test(tests, a_changed_look_changes_its_camera, 0, 3);
  tcase_add_loop_test(tests, refuses_wrong_files, 0, G_N_ELEMENTS(bad_files));
  tcase_add_test(tests, fingerprints_are_64_digits_with_or_without_colons);
  tcase_add_test(tests, keys_in_defaults_may_be_for_other_cameras);
  tcase_add_test(tests, credentials_without_tls_are_warned_about);
  tcase_add_test(tests, reads_a_file_with_a_byte_order_mark);
  tcase_add_test(tests, reads_credentials_with_a_byte_order_mark);
  tcase_add_test(tests, refuses_a_missing_file);
  tcase_add_test(tests, refuses_zero_bytes);
  tcase_add_test(tests, accepts_credentials_that_nobody_else_can_read);
  tcase_add_loop_test(tests, refuses_credentials_that_others_can_read, 0, 5);
  tcase_add_loop_test(tests, refuses_credentials_without_a_user_and_shows_none, 0, 4);
  return fixtures_run(tests, "key file");
}
