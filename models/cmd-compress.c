/* vitgate compress: a compressed, gated student from a dense teacher. */
#include <string.h>

#include "command.h"
#include "compressor.h"
#include "granularity.h"
#include "output-file.h"
#include "storage.h"

typedef struct {
  char *teacher, *from, *classes, *out, *name, *resume, *gates, *granularity, *sub_groups,
      *time_limit, *precision;
  char **data, **folders, **weights;
  double target, static_target, parameters_target, rate, gate_rate, gate_spread, labels, others,
      features, mixup;
  gboolean no_gates, fixed_dial, no_merging, search, static_only, no_train;
  gint64 steps, seed;
  int batch, threads, calibration_images;
} Options;

static void clear_options(Options *o)
{
  char *strings[] = { o->teacher,    o->from,       o->classes,  o->out,
                      o->name,       o->resume,     o->gates,    o->granularity,
                      o->sub_groups, o->time_limit, o->precision };
  for (guint i = 0; i < G_N_ELEMENTS(strings); i++)
    g_free(strings[i]);
  g_strfreev(o->data);
  g_strfreev(o->folders);
  g_strfreev(o->weights);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Options, clear_options)

static gboolean fail(GError **error, const char *format, ...) G_GNUC_PRINTF(2, 3);
static gboolean fail(GError **error, const char *format, ...)
{
  va_list args;
  va_start(args, format);
  g_autofree char *text = g_strdup_vprintf(format, args);
  va_end(args);
  g_set_error_literal(error, COMMAND_ERROR, COMMAND_ERROR_USAGE, text);
  return FALSE;
}

/* "90m", "2h", "30s" or seconds */
static gboolean parse_duration(const char *text, double *seconds, GError **error)
{
  char *end;
  *seconds = g_ascii_strtod(text, &end);
  const double unit = !strcmp(end, "h") ? 3600 : !strcmp(end, "m") ? 60 : 1;
  if (end == text || (*end && strcmp(end, "h") && strcmp(end, "m") && strcmp(end, "s")) ||
      !(*seconds > 0 && *seconds < 1e6))
    return fail(error, "--time-limit is \"%s\", expected such as 90m, 2h or 600s", text);
  *seconds *= unit;
  return TRUE;
}

/* The scheme of decisions in training follows from whose decision a gate takes in use. */
static gboolean parse_groups(const Options *o, CompressOptions *compress, GError **error)
{
  static const SubGroups own[] = { [VITGATE_GRANULARITY_SAMPLE] = SUB_GROUPS_SAMPLE,
                                   [VITGATE_GRANULARITY_GROUP] = SUB_GROUPS_EVEN,
                                   [VITGATE_GRANULARITY_BATCH] = SUB_GROUPS_RECURSIVE };
  VitgateSessionOptions use;
  if (!granularity_parse(o->granularity ? o->granularity : "sample", &use, error))
    return FALSE;
  compress->sub_groups = own[use.granularity];
  compress->group_size = use.group_size;
  return !o->sub_groups ||
         groups_parse(o->sub_groups, &compress->sub_groups, &compress->group_size) ||
         fail(error, "--sub-groups is \"%s\", expected sample, none, even:K, random or recursive",
              o->sub_groups);
}

static gboolean parse_gates(const Options *o, CompressOptions *compress, GError **error)
{
  static const char *const names[] = { "learned", "constant", "random", NULL };
  compress->gates = !o->no_gates && !o->static_only;
  for (guint i = 0; o->gates && names[i]; i++)
    if (!strcmp(o->gates, names[i])) {
      compress->gate_control = i;
      return TRUE;
    }
  return !o->gates ||
         fail(error, "--gates is \"%s\", expected learned, constant or random", o->gates);
}

/* FOLDER=NUMBER of each --folder-weight; the names stay the options'. */
static gboolean parse_weights(const Options *o, GArray *weights, GError **error)
{
  for (guint i = 0; o->weights && o->weights[i]; i++) {
    char *equal = strrchr(o->weights[i], '='), *end = NULL;
    FolderWeight weight = { o->weights[i], equal ? g_ascii_strtod(equal + 1, &end) : -1 };
    if (!equal || end == equal + 1 || *end || !(weight.weight >= 0 && weight.weight <= 1e6))
      return fail(error, "--folder-weight is \"%s\", expected such as imagenet20=3", o->weights[i]);
    *equal = '\0';
    g_array_append_val(weights, weight);
  }
  return TRUE;
}

static gboolean check_ratio(const char *name, double value, double least, GError **error)
{
  return (value >= least && value <= 1) ||
         fail(error, "%s is %g, expected a ratio above 0 and up to 1", name, value);
}

static gboolean check_least(const char *name, double value, gboolean fine, const char *expected,
                            GError **error)
{
  return fine || fail(error, "%s is %g, expected %s", name, value, expected);
}

static gboolean check(const Options *o, GError **error)
{
  if (!command_check_given("--teacher", o->teacher != NULL, error) ||
      !command_check_given("--output", o->out != NULL, error) ||
      !command_check_given("--data", o->data && *o->data, error))
    return FALSE;
  return check_ratio("--target", o->target, 1e-3, error) &&
         check_ratio("--static-target", o->static_target, 0, error) &&
         check_ratio("--params-target", o->parameters_target, 0, error) &&
         check_least("--steps", (double)o->steps, o->steps >= 0, "1 or more", error) &&
         check_least("--learning-rate", o->rate, o->rate > 0, "more than 0", error) &&
         check_least("--gate-rate", o->gate_rate, o->gate_rate > 0, "more than 0", error) &&
         check_least("--gate-spread", o->gate_spread, o->gate_spread >= 0, "0 or more", error) &&
         check_least("--labels", o->labels, o->labels >= 0, "0 or more", error) &&
         check_least("--other-classes", o->others, o->others >= 0, "0 or more", error) &&
         check_least("--features", o->features, o->features >= 0, "0 or more", error) &&
         check_least("--mixup", o->mixup, o->mixup >= 0 && o->mixup <= 1, "0 to 1", error) &&
         command_check_range("--batch-size", o->batch, 2, 1024, error) &&
         command_check_range("--calibration-images", o->calibration_images, 1, 1000000, error) &&
         command_check_range("--threads", o->threads, 1, 64, error);
}

/* The file's name without its suffix. */
static char *name_of_file(const char *path)
{
  g_autofree char *base = g_path_get_basename(path);
  if (g_str_has_suffix(base, ".safetensors"))
    base[strlen(base) - strlen(".safetensors")] = '\0';
  return g_utf8_make_valid(base, -1);
}

static int run(const Options *o, GError **error)
{
  g_autoptr(GArray) weights = g_array_new(FALSE, FALSE, sizeof(FolderWeight));
  CompressOptions compress_options = {
    .teacher = o->teacher,
    .from = o->from,
    .data = (const char *const *)o->data,
    .folders = (const char *const *)o->folders,
    .classes = o->classes,
    .out = o->out,
    .resume = o->resume,
    .target = o->target,
    .static_target = o->static_target,
    .parameters_target = o->parameters_target,
    .merging = !o->no_merging && !o->static_only,
    .search = o->search,
    .fixed_dial = o->fixed_dial,
    .static_only = o->static_only,
    .train = !o->no_train,
    .steps = (guint64)o->steps,
    .calibration_images = (guint)o->calibration_images,
    .batch = (guint)o->batch,
    .threads = (guint)o->threads,
    .seed = (guint64)o->seed,
    .rate = o->rate,
    .gate_rate = o->gate_rate,
    .gate_spread = o->gate_spread,
    .labels = o->labels,
    .others = o->others,
    .features = o->features,
    .mixup = o->mixup,
  };
  if (!check(o, error) ||
      !storage_parse(o->precision ? o->precision : "int8", &compress_options.precision, error) ||
      !parse_groups(o, &compress_options, error) || !parse_gates(o, &compress_options, error) ||
      (o->time_limit && !parse_duration(o->time_limit, &compress_options.time_limit, error)) ||
      !parse_weights(o, weights, error) || !output_file_check(o->out, error))
    return 1;
  if (!o->steps && !o->time_limit && !o->no_train) {
    fail(error, "--steps or --time-limit is missing (or --no-train)");
    return 1;
  }
  g_autofree char *name = o->name ? g_strdup(o->name) : name_of_file(o->out);
  compress_options.name = name;
  compress_options.folder_weights = (const FolderWeight *)(gpointer)weights->data;
  compress_options.n_folder_weights = weights->len;
  return compress(&compress_options, error) ? 0 : 1;
}

int command_compress(int argc, char **argv, GError **error)
{
  g_auto(Options) o = { .target = 0.6,
                        .rate = 3e-4,
                        .gate_rate = 2e-3,
                        .labels = 0.3,
                        .batch = 64,
                        .threads = 2,
                        .calibration_images = 1500 };
  const GOptionEntry entries[] = {
    { "teacher", 0, 0, G_OPTION_ARG_FILENAME, &o.teacher, "The dense model", "MODEL" },
    { "from", 0, 0, G_OPTION_ARG_FILENAME, &o.from,
      "Begin with this model, of an earlier run without gates, instead of the teacher", "MODEL" },
    { "data", 'd', 0, G_OPTION_ARG_FILENAME_ARRAY, &o.data,
      "Photographs: an archive or a folder; may be repeated", "TAR|DIR" },
    { "output", 'o', 0, G_OPTION_ARG_FILENAME, &o.out, "The model file to write", "OUT" },
    { "name", 0, 0, G_OPTION_ARG_STRING, &o.name,
      "Name of the model (default: OUT's, without folder and suffix)", "NAME" },
    { "target", 0, 0, G_OPTION_ARG_DOUBLE, &o.target,
      "Mean compute ratio: multiply-adds over the teacher's (default 0.6)", "R" },
    { "static-target", 0, 0, G_OPTION_ARG_DOUBLE, &o.static_target,
      "Compute ratio that the cut leaves (default: half way to the target)", "R" },
    { "params-target", 0, 0, G_OPTION_ARG_DOUBLE, &o.parameters_target,
      "Parameters at most, over the teacher's", "R" },
    { "classes", 0, 0, G_OPTION_ARG_FILENAME, &o.classes,
      "Keep only these classes: one id or label a line", "FILE" },
    { "search", 0, 0, G_OPTION_ARG_NONE, &o.search,
      "Learn the structure jointly with the gates before the cut", NULL },
    { "no-gates", 0, 0, G_OPTION_ARG_NONE, &o.no_gates, "No gates", NULL },
    { "no-merging", 0, 0, G_OPTION_ARG_NONE, &o.no_merging, "No token merging", NULL },
    { "fixed-dial", 0, 0, G_OPTION_ARG_NONE, &o.fixed_dial,
      "Train for the target alone, not for all the dial's settings", NULL },
    { "static-only", 0, 0, G_OPTION_ARG_NONE, &o.static_only, "Neither gates nor merging", NULL },
    { "no-train", 0, 0, G_OPTION_ARG_NONE, &o.no_train, "Cut and compensate only", NULL },
    { "gates", 0, 0, G_OPTION_ARG_STRING, &o.gates,
      "What gates go by: learned (default), or, as controls, constant or random", "G" },
    { "granularity", 0, 0, G_OPTION_ARG_STRING, &o.granularity,
      "Whose decision a gate takes: sample (default), group:K or batch", "G" },
    { "sub-groups", 0, 0, G_OPTION_ARG_STRING, &o.sub_groups,
      "Who decides together in training: sample, none, even:K, random or recursive", "S" },
    { "calibration-images", 0, 0, G_OPTION_ARG_INT, &o.calibration_images,
      "Photographs by which units are ranked, at most (default 1500)", "N" },
    { "steps", 0, 0, G_OPTION_ARG_INT64, &o.steps, "Steps of training", "N" },
    { "time-limit", 0, 0, G_OPTION_ARG_STRING, &o.time_limit, "As many steps as fit: 90m, 2h, 600s",
      "T" },
    { "batch-size", 'b', 0, G_OPTION_ARG_INT, &o.batch, "Images of a step (default 64)", "N" },
    { "threads", 't', 0, G_OPTION_ARG_INT, &o.threads, "Threads (default 2)", "T" },
    { "learning-rate", 0, 0, G_OPTION_ARG_DOUBLE, &o.rate, "At its peak (default 3e-4)", "R" },
    { "gate-rate", 0, 0, G_OPTION_ARG_DOUBLE, &o.gate_rate,
      "The same of gates and structure choices (default 2e-3)", "R" },
    { "gate-spread", 0, 0, G_OPTION_ARG_DOUBLE, &o.gate_spread,
      "Weight of the spread over images that gates lack (default 0)", "W" },
    { "labels", 0, 0, G_OPTION_ARG_DOUBLE, &o.labels,
      "Weight of labels beside the teacher (default 0.3)", "W" },
    { "other-classes", 0, 0, G_OPTION_ARG_DOUBLE, &o.others,
      "Weight of all of the teacher's classes beside --classes (default 0)", "W" },
    { "features", 0, 0, G_OPTION_ARG_DOUBLE, &o.features,
      "Weight of the teacher's tokens between blocks (default 0)", "W" },
    { "mixup", 0, 0, G_OPTION_ARG_DOUBLE, &o.mixup,
      "Share of images that are blended with another (default 0)", "S" },
    { "folder", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &o.folders,
      "Only photographs of this top folder; may be repeated", "FOLDER" },
    { "folder-weight", 0, 0, G_OPTION_ARG_STRING_ARRAY, &o.weights,
      "Draw photographs of a top folder more or less often; may be repeated", "FOLDER=W" },
    { "seed", 0, 0, G_OPTION_ARG_INT64, &o.seed, "Of all that is random (default 0)", "S" },
    { "precision", 0, 0, G_OPTION_ARG_STRING, &o.precision,
      "Of the weights in the file: int8 (default), bf16 or float32", "P" },
    { "resume", 0, 0, G_OPTION_ARG_FILENAME, &o.resume,
      "Folder of checkpoint and log (default OUT.training); a run found there goes on", "DIR" },
    G_OPTION_ENTRY_NULL,
  };
  const CommandSyntax syntax = {
    entries, "", "Makes a compressed, gated model of a dense one.",
    "Units are ranked and cut with closed-form compensation; gates and token merging adapt the\n"
    "rest to each image; distillation from the teacher trains what remains; the dial is\n"
    "calibrated on photographs held out from the data. Stopped by Ctrl-C, SIGTERM or worse, the\n"
    "same command with --resume goes on from the last checkpoint.\n"
  };
  g_auto(GStrv) arguments = NULL;
  if (!command_parse(&syntax, argc, argv, &arguments, error))
    return 1;
  if (*arguments) {
    fail(error, "'%s' belongs to no option (see %s --help)", *arguments, g_get_prgname());
    return 1;
  }
  return run(&o, error);
}
