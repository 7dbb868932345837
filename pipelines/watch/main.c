/* vitgate-watch: watches cameras with the GStreamer element vitgate, and reports what it sees as
 * JSON lines, over MQTT and to Kafka. */
#include <locale.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>

#include <gio/gunixsocketaddress.h>
#include <gst/gst.h>
#include <mosquitto.h>
#if defined VITGATE_HAVE_FETCH || defined VITGATE_HAVE_FLEET
#include <libsoup/soup.h>
#endif

#include "base/console.h"
#include "camera/label-check.h"
#include "config/config.h"
#include "config/quick-config.h"
#include "fleet/command.h"
#include "watch-page.h"
#include "watch.h"

static const char summary[] =
    "Watches any number of cameras with the GStreamer element vitgate. FILE is a key file that\n"
    "lists the cameras, the parts of their frames to look at, and where results go: to a log of\n"
    "JSON lines, to an MQTT broker and to Kafka.\n"
    "vitgate-watch.conf in this program's documentation folder explains every key.\n"
    "\n"
    "--page URL... needs no FILE: it writes one, and prints the address of a page that shows the\n"
    "cameras. With FILE, the group [page] does that.\n"
    "\n"
    "--fleet changes or shows cameras that several vitgate-watch share on etcd:\n"
    "  put FILE      write the cameras and looks of a key file, - for standard input, to etcd\n"
    "  list          list the cameras with their owners\n"
    "  rm NAME...    remove cameras\n"
    "  drain NODE    let a node give its cameras away and take none\n"
    "  undrain NODE  let it take cameras again\n"
    "  status        show nodes, etcd and cameras without an owner";

static const char description[] =
    "A lost camera is reconnected for ever, independently of the others. Messages go to\n"
    "standard error, with the time unless that is the journal. On a terminal, the last line\n"
    "shows the status of each camera. --status asks a vitgate-watch that runs elsewhere, such\n"
    "as a service. Run it as the same user or as root.\n"
    "\n"
    "Output: the lines of vitgatejson for frames whose best label changes, or for all\n"
    "frames, and events: {\"event\": \"appeared\" or \"vanished\", \"label\": ...} for labels of\n"
    "interest; {\"event\": \"state\", \"from\": ..., \"to\": ...} for states; \"connected\", "
    "\"lost\",\n"
    "\"waiting\" (it cannot be reached) or \"ended\" for cameras. MQTT topics:\n"
    "TOPIC/CAMERA/event, TOPIC/CAMERA/frame; retained: TOPIC/status, TOPIC/CAMERA/status,\n"
    "TOPIC/CAMERA/state, TOPIC/CAMERA/LOOK/state; QoS 1. Kafka: one topic; the key is the camera.\n"
    "\n"
    "Signals:\n"
    "  SIGHUP           read FILE again: new cameras start, removed cameras stop, changed cameras\n"
    "                   restart, and all others continue; models whose keys or files changed are\n"
    "                   loaded while the camera plays; if FILE has an error, nothing changes\n"
    "  SIGTERM, SIGINT  write everything and stop\n"
    "\n"
    "Exit status: 0 if stopped, or if all cameras are files and have ended; 1 if FILE has an\n"
    "error, an output cannot be opened, --status gets no answer, or --fleet fails; 2 if the\n"
    "command line has an error.";

static gboolean check_only, ask, json, page, password, version, fleet;
static FleetCommand fleet_command;
static double interval = 1;

static const GOptionEntry entries[] = {
  { "check", 0, 0, G_OPTION_ARG_NONE, &check_only, "Check FILE and exit", NULL },
  { "status", 0, 0, G_OPTION_ARG_NONE, &ask,
    "Show the status of the vitgate-watch that runs with FILE, and exit", NULL },
  { "json", 0, 0, G_OPTION_ARG_NONE, &json,
    "Print the status, or what --fleet prints, to standard output as JSON, one line each time",
    NULL },
  { "page", 0, 0, G_OPTION_ARG_NONE, &page,
    "Watch cameras without a key file, and show them in a browser: the arguments are URLs, files "
    "or "
    "devices",
    NULL },
  { "fleet", 0, 0, G_OPTION_ARG_NONE, &fleet,
    "Change or show the cameras and nodes of a fleet, and exit: the arguments are a command, as "
    "above",
    NULL },
  { "etcd", 0, 0, G_OPTION_ARG_STRING, &fleet_command.etcd,
    "etcd of the fleet (default: $VITGATE_ETCD)", "URL,URL" },
  { "fleet-name", 0, 0, G_OPTION_ARG_STRING, &fleet_command.fleet,
    "Name of the fleet (default: default)", "NAME" },
  { "config", 0, 0, G_OPTION_ARG_FILENAME, &fleet_command.config,
    "Key file whose group [fleet] says which fleet, with its certificates and credentials",
    "FILE" },
  { "page-password", 0, 0, G_OPTION_ARG_NONE, &password,
    "Ask for a password, print its hash for the password-file of [page], and exit", NULL },
  { "interval", 0, 0, G_OPTION_ARG_DOUBLE, &interval, "Seconds between status lines (default: 1)",
    "SECONDS" },
  { "version", 0, 0, G_OPTION_ARG_NONE, &version, "Show the version", NULL },
  G_OPTION_ENTRY_NULL,
};

static gboolean check_fleet_options(GError **error)
{
  if (fleet && !page && !check_only && !ask)
    return TRUE;
  g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_FAILED,
              fleet ? "--fleet excludes --page, --check and --status"
                    : "--etcd, --fleet-name and --config are for --fleet");
  return FALSE;
}

/* Returns: FALSE with an error */
static gboolean parse(int *argc, char ***argv, GError **error)
{
  g_autoptr(GOptionContext) context =
      g_option_context_new("FILE | --page URL... | --fleet COMMAND");
  g_option_context_set_summary(context, summary);
  g_option_context_set_description(context, description);
  g_option_context_add_main_entries(context, entries, NULL);
  g_option_context_add_group(context, gst_init_get_option_group());
  if (!g_option_context_parse(context, argc, argv, error))
    return FALSE;
  if (version || password)
    return TRUE;
  if (fleet || fleet_command.etcd || fleet_command.fleet || fleet_command.config)
    return check_fleet_options(error);
  if (page && (check_only || ask)) {
    g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_FAILED,
                "--page excludes --check and --status");
    return FALSE;
  }
  if (page && *argc < 2) {
    g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_FAILED,
                "--page: expected URLs of cameras, such as rtsp://HOST/STREAM");
    return FALSE;
  }
  if (!page && *argc != 2) {
    g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_FAILED, "expected one key file, got %d",
                *argc - 1);
    return FALSE;
  }
  if (check_only && ask) {
    g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_FAILED,
                "--check and --status exclude each other");
    return FALSE;
  }
  if (!(interval >= 0.01 && interval <= 86400)) {
    g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                "--interval: expected a number from 0.01 to 86400, got %g", interval);
    return FALSE;
  }
  return TRUE;
}

/* They are not loaded, so their labels are not checked. */
static void print_missing_model(const Config *config, const LookConfig *look, const char *group)
{
  if (look->source && !g_file_test(look->source->path, G_FILE_TEST_EXISTS))
    g_print("%s: [%s] model: sha256:%s is not in the cache yet, so labels are not checked\n",
            config->path, group, look->source->sha256);
}

static void print_missing_models(const Config *config)
{
  for (guint i = 0; i < config->cameras->len; i++) {
    const CameraConfig *camera = config->cameras->pdata[i];
    g_autofree char *group = g_strconcat("camera ", camera->name, NULL);
    if (camera->whole_frame)
      print_missing_model(config, &camera->whole, group);
    for (guint k = 0; k < camera->looks->len; k++) {
      const LookConfig *look = camera->looks->pdata[k];
      g_autofree char *name = g_strconcat("look ", look->name, NULL);
      print_missing_model(config, look, name);
    }
  }
}

static gboolean check(const char *path, GError **error)
{
  g_autoptr(Config) config = config_load(path, error);
  if (!config || !label_check(config, TRUE, error))
    return FALSE;
  watch_print_warnings(config);
  print_missing_models(config);
  g_print("%s: OK; cameras: %u\n", path, config->cameras->len);
  return TRUE;
}

/* GLib can deadlock if a thread initialises a class that needs a type while another one
 * registers that type with its interfaces. Threads that download do, and the status server. */
static void register_types(void)
{
  g_type_ensure(G_TYPE_UNIX_SOCKET_ADDRESS);
  g_type_ensure(G_TYPE_INET_SOCKET_ADDRESS);
#if defined VITGATE_HAVE_FETCH || defined VITGATE_HAVE_FLEET
  g_type_class_unref(g_type_class_ref(SOUP_TYPE_SESSION));
  g_type_class_unref(g_type_class_ref(SOUP_TYPE_MESSAGE));
#endif
}

static gboolean run(const WatchOptions *options, GError **error)
{
  register_types();
  /* An exceeded disk quota, a closed pipe or a broken connection must not kill the program. */
  signal(SIGXFSZ, SIG_IGN);
  signal(SIGPIPE, SIG_IGN);
  /* By default glibc gives many threads a heap of their own, and each camera has several threads.
   */
  mallopt(M_ARENA_MAX, 2);
  /* Pictures get memory of their own, which returns to the system. Otherwise glibc would move them
   * into the heaps after the first one is freed, and leave holes there. */
  mallopt(M_MMAP_THRESHOLD, 128 * 1024);
  mosquitto_lib_init();
  console_stamp();
  return watch_run(options, error);
}

/* Returns: (transfer full) (nullable): the path of the key file; NULL with an error */
static char *write_quick_config(char *const *sources, GError **error)
{
  if (!watch_page_is_built(error))
    return NULL;
  return quick_config_write(sources, error);
}

/* @words: the command and its arguments
 * Returns: the exit status */
static int run_fleet_command(char *const *words)
{
  g_autoptr(GError) error = NULL;
#ifdef VITGATE_HAVE_FLEET
  fleet_command.json = json;
  if (fleet_command_run(&fleet_command, words, &error))
    return 0;
#else
  g_set_error_literal(&error, G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED,
                      "--fleet: this vitgate-watch was built without the fleet (libsoup 3 is "
                      "missing)");
#endif
  const gboolean usage = error->domain == G_OPTION_ERROR;
  console_print("%s%s", error->message, usage ? " (see vitgate-watch --help)" : "");
  return usage ? 2 : 1;
}

int main(int argc, char **argv)
{
  g_autoptr(GError) error = NULL;
  setlocale(LC_CTYPE, "");
  g_set_prgname("vitgate-watch");
  if (!parse(&argc, &argv, &error)) {
    console_print("%s (see vitgate-watch --help)", error->message);
    return 2;
  }
  if (version) {
    g_print("vitgate-watch %s\n", VITGATE_VERSION);
    return 0;
  }
  if (fleet)
    return run_fleet_command(argv + 1);
  if (password && watch_page_ask_password(&error))
    return 0;
  if (password) {
    console_print("%s", error->message);
    return 1;
  }
  g_autofree char *quick = page ? write_quick_config(argv + 1, &error) : NULL;
  const WatchOptions options = { quick ? quick : argv[1], json, interval, page };
  if (error) {
    console_print("%s", error->message);
    return 1;
  }
  if (check_only ? check(argv[1], &error)
      : ask      ? watch_ask(&options, &error)
                 : run(&options, &error))
    return 0;
  console_print("%s", error->message);
  return 1;
}
