/* vitgate-collect: collects different pictures of a camera, clip or device into a folder. The
 * command vitgate runs it for "vitgate collect". */
#include <locale.h>
#include <math.h>
#include <signal.h>

#include <gst/gst.h>

#include "base/clean-text.h"
#include "base/secrets.h"
#include "collector.h"
#include "config/credentials.h"
#include "pick/picker.h"

#define DEFAULT_THRESHOLD 0.5
#define DEFAULT_EVERY     "2s"

/* How often --changes looks. */
#define CHANGES_EVERY (200 * GST_MSECOND)

static const char summary[] =
    "Collects pictures of SOURCE into DIR, to teach a model from: SOURCE is the URL of a camera\n"
    "(rtsp://, rtsps://, http://), a clip or its URL, or a device (/dev/video0). Of pictures\n"
    "that the network finds the same, only the first is kept.";

static const char description[] =
    "Pictures are JPEG files, named by the time of day, or by the clip and the time in it.\n"
    "DIR/.vitgate-collect holds the features of all of them, so that a later run into DIR\n"
    "keeps only what is new, also if pictures were moved or deleted. Delete that file to\n"
    "start anew. Clips are read as fast as possible; a camera or device, until --max or\n"
    "--duration is reached, or until Ctrl-C.\n"
    "\n"
    "With --sort, each picture goes into the folder DIR/LABEL of its label, or into\n"
    "DIR/doubtful if the score is below --threshold or the label is \"unknown\". Drag the\n"
    "wrong ones elsewhere, and run \"vitgate teach --data DIR\".\n"
    "\n"
    "Credentials: in the URL, or better as USER:PASSWORD in a file that only you can read\n"
    "(--credentials-file) or in an environment variable (--credentials-env).\n"
    "\n"
    "Exit status: 0 if it ended or was stopped; 1 if there was an error. What was written\n"
    "before stays.";

static char *folder, *every, *region, *sort, *model, *duration, *file, *variable;
static gboolean changes, version;
static gint max;
static double similar = PICKER_SIMILAR, threshold = DEFAULT_THRESHOLD;

static const GOptionEntry entries[] = {
  { "out", 'o', 0, G_OPTION_ARG_FILENAME, &folder, "Folder to collect pictures in", "DIR" },
  { "every", 0, 0, G_OPTION_ARG_STRING, &every,
    "Time from one picture to the next, such as 2s, 500ms or 5m (default: 2s)", "TIME" },
  { "changes", 0, 0, G_OPTION_ARG_NONE, &changes,
    "Look when the scene changes, up to five times a second, instead", NULL },
  { "region", 0, 0, G_OPTION_ARG_STRING, &region,
    "Part of the frame to look at and to store, in pixels or, with %-signs, in shares", "X,Y,W,H" },
  { "sort", 0, 0, G_OPTION_ARG_FILENAME, &sort, "Sort by the labels of this model", "MODEL" },
  { "model", 0, 0, G_OPTION_ARG_FILENAME, &model,
    "Model that compares pictures (default: the one of --sort, or the shipped one)", "MODEL" },
  { "similar", 0, 0, G_OPTION_ARG_DOUBLE, &similar,
    "Cosine of features from which two pictures are the same, from 0 to 1 (default: 0.93)", "T" },
  { "threshold", 0, 0, G_OPTION_ARG_DOUBLE, &threshold,
    "Score below which a label is doubtful (default: 0.5)", "SCORE" },
  { "max", 0, 0, G_OPTION_ARG_INT, &max, "Stop after this many pictures", "N" },
  { "duration", 0, 0, G_OPTION_ARG_STRING, &duration, "Stop after this time, such as 1h", "TIME" },
  { "credentials-file", 0, 0, G_OPTION_ARG_FILENAME, &file, "File with USER:PASSWORD", "FILE" },
  { "credentials-env", 0, 0, G_OPTION_ARG_STRING, &variable,
    "Environment variable with USER:PASSWORD", "NAME" },
  { "version", 0, 0, G_OPTION_ARG_NONE, &version, "Show the version", NULL },
  G_OPTION_ENTRY_NULL,
};

static volatile gint stop;

static void on_signal(int number)
{
  g_atomic_int_set(&stop, TRUE);
}

static gboolean fail(GError **error, const char *format, ...) G_GNUC_PRINTF(2, 3);

static gboolean fail(GError **error, const char *format, ...)
{
  va_list args;
  va_start(args, format);
  g_autofree char *text = g_strdup_vprintf(format, args);
  va_end(args);
  g_set_error_literal(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, text);
  return FALSE;
}

/* Reads a time such as "2", "2s", "500ms", "5m" or "1h".
 * Returns: FALSE with an error that names @option */
static gboolean parse_time(const char *option, const char *text, double *seconds, GError **error)
{
  static const struct {
    const char *unit;
    double seconds;
  } units[] = { { "", 1 }, { "s", 1 }, { "ms", 0.001 }, { "m", 60 }, { "h", 3600 } };
  char *end = NULL;
  const double number = g_ascii_strtod(text, &end);
  for (guint i = 0; end != text && i < G_N_ELEMENTS(units); i++)
    if (g_str_equal(end, units[i].unit)) {
      *seconds = number * units[i].seconds;
      if (isfinite(*seconds) && *seconds > 0 && *seconds <= 366 * 86400.0)
        return TRUE;
    }
  return fail(error, "%s is \"%s\", expected a time such as 2s, 500ms, 5m or 1h", option, text);
}

static gboolean parse_numbers(CollectorOptions *options, GError **error)
{
  double seconds = 0;
  if (every && changes)
    return fail(error, "--every and --changes exclude each other");
  if (!parse_time("--every", every ? every : DEFAULT_EVERY, &seconds, error))
    return FALSE;
  options->input.every = changes ? CHANGES_EVERY : (GstClockTime)(seconds * (double)GST_SECOND);
  if (duration && !parse_time("--duration", duration, &options->duration, error))
    return FALSE;
  if (!(similar > 0 && similar <= 1))
    return fail(error, "--similar is %g, expected a number above 0, at most 1", similar);
  if (!(threshold >= 0 && threshold <= 1))
    return fail(error, "--threshold is %g, expected a number from 0 to 1", threshold);
  if (max < 0)
    return fail(error, "--max is %d, expected a number of pictures", max);
  return TRUE;
}

/* Returns: FALSE with an error */
static gboolean parse(int *argc, char ***argv, CollectorOptions *options, GError **error)
{
  g_autoptr(GOptionContext) context = g_option_context_new("SOURCE -o DIR");
  g_option_context_set_summary(context, summary);
  g_option_context_set_description(context, description);
  g_option_context_add_main_entries(context, entries, NULL);
  if (!g_option_context_parse(context, argc, argv, error))
    return FALSE;
  if (version)
    return TRUE;
  if (*argc != 2)
    return fail(error, "expected one SOURCE, got %d", *argc - 1);
  if (!folder)
    return fail(error, "-o DIR is missing");
  *options = (CollectorOptions){
    .input = { .source = (*argv)[1],
               .model = model ? model : sort,
               .sort = model ? sort : NULL,
               .region = region,
               .changes = changes },
    .folder = folder,
    .sorted = sort != NULL,
    .threshold = threshold,
    .similar = similar,
    .max = (guint)MAX(max, 0),
  };
  return parse_numbers(options, error);
}

static gboolean run(CollectorOptions *options, GError **error)
{
  g_autofree char *user = NULL, *password = NULL;
  if (file && variable)
    return fail(error, "--credentials-file and --credentials-env exclude each other");
  if (!credentials_read(file, variable, &user, &password, error))
    return FALSE;
  options->input.user = user;
  options->input.password = password;
  signal(SIGINT, on_signal);
  signal(SIGTERM, on_signal);
  /* A file that grows beyond a quota must not kill the program. */
  signal(SIGXFSZ, SIG_IGN);
  gst_init(NULL, NULL);
  return collector_run(options, &stop, error);
}

int main(int argc, char **argv)
{
  g_autoptr(GError) error = NULL;
  CollectorOptions options = { 0 };
  setlocale(LC_CTYPE, "");
  g_set_prgname("vitgate collect");
  if (!parse(&argc, &argv, &options, &error)) {
    g_autofree char *safe = secrets_hide(error->message);
    g_printerr("vitgate collect: %s (see vitgate collect --help)\n", safe);
    return 1;
  }
  if (version) {
    g_print("vitgate-collect %s\n", VITGATE_VERSION);
    return 0;
  }
  if (run(&options, &error))
    return 0;
  g_autofree char *clean = vitgate__clean_text(error->message);
  g_printerr("vitgate collect: %s\n", clean);
  return 1;
}
