/* vitgate-watch: watches cameras with the GStreamer element vitgate, and tells what it sees by JSON
 * lines and MQTT. */
#include <locale.h>
#include <signal.h>
#include <stdio.h>

#include <gst/gst.h>
#include <mosquitto.h>

#include "base/note.h"
#include "config/config.h"
#include "watch.h"

static const char summary[] =
    "Watches any number of cameras with the GStreamer element vitgate. FILE is a key file that\n"
    "lists them and says where results go: into a log of JSON lines, to an MQTT broker, or both.\n"
    "vitgate-watch.conf beside this program's documentation explains every key.";

static const char description[] =
    "Cameras are connected to again and again, for ever, each by itself. On a terminal the last\n"
    "line tells how each is; what happens is told on standard error.\n"
    "\n"
    "Lines: those of vitgatejson, one a frame, and events: {\"event\": \"appeared\" or\n"
    "\"vanished\", \"label\": ...} for labels of interest, \"connected\", \"lost\" or \"ended\" "
    "for\n"
    "cameras. Topics: TOPIC/CAMERA/event, TOPIC/CAMERA/frame; QoS 1.\n"
    "\n"
    "Signals:\n"
    "  SIGHUP           reads FILE again: cameras that are new start, those that are gone stop,\n"
    "                   changed ones start anew, all others go on; where FILE is wrong, nothing\n"
    "                   changes\n"
    "  SIGTERM, SIGINT  stop; everything is written\n"
    "\n"
    "Exit status: 0 when stopped, or when all cameras are files and are over; 1 where FILE is\n"
    "wrong or an output cannot be opened; 2 where the command line is wrong.";

static gboolean check_only, json, version;
static double interval = 1;

static const GOptionEntry entries[] = {
  { "check", 0, 0, G_OPTION_ARG_NONE, &check_only, "Say whether FILE is right, and end", NULL },
  { "json", 0, 0, G_OPTION_ARG_NONE, &json, "Tell the status as JSON, a line each time, on stdout",
    NULL },
  { "interval", 0, 0, G_OPTION_ARG_DOUBLE, &interval, "Seconds between two status lines (1)",
    "SECONDS" },
  { "version", 0, 0, G_OPTION_ARG_NONE, &version, "Show the version", NULL },
  G_OPTION_ENTRY_NULL,
};

/* Returns: FALSE with an error */
static gboolean parse(int *argc, char ***argv, GError **error)
{
  g_autoptr(GOptionContext) context = g_option_context_new("FILE");
  g_option_context_set_summary(context, summary);
  g_option_context_set_description(context, description);
  g_option_context_add_main_entries(context, entries, NULL);
  g_option_context_add_group(context, gst_init_get_option_group());
  if (!g_option_context_parse(context, argc, argv, error))
    return FALSE;
  if (version)
    return TRUE;
  if (*argc != 2) {
    g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_FAILED,
                "one key file is expected, %d were given", *argc - 1);
    return FALSE;
  }
  if (!(interval >= 0.01 && interval <= 86400)) {
    g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                "--interval must be from 0.01 to 86400, not %g", interval);
    return FALSE;
  }
  return TRUE;
}

static gboolean check(const char *path, GError **error)
{
  g_autoptr(Config) config = config_load(path, error);
  if (config)
    g_print("%s: right; cameras: %u\n", path, config->cameras->len);
  return config != NULL;
}

static gboolean run(const char *path, GError **error)
{
  const WatchOptions options = { .path = path, .json = json, .interval = interval };
  /* A disk quota, a closed pipe and a broken connection are errors, not ends. */
  signal(SIGXFSZ, SIG_IGN);
  signal(SIGPIPE, SIG_IGN);
  mosquitto_lib_init();
  return watch_run(&options, error);
}

int main(int argc, char **argv)
{
  g_autoptr(GError) error = NULL;
  setlocale(LC_CTYPE, "");
  g_set_prgname("vitgate-watch");
  if (!parse(&argc, &argv, &error)) {
    note("%s (see vitgate-watch --help)", error->message);
    return 2;
  }
  if (version) {
    g_print("vitgate-watch %s\n", VITGATE_VERSION);
    return 0;
  }
  if (check_only ? check(argv[1], &error) : run(argv[1], &error))
    return 0;
  note("%s", error->message);
  return 1;
}
