/* vitgate compress: a compressed, gated student from a dense teacher. */
#include <string.h>

#include "base/granularity.h"
#include "commands/command.h"
#include "commands/training-options.h"
#include "write/encoded-tensors.h"

typedef struct {
  TrainingOptions training;
  char *gates, *granularity, *sub_groups, *precision;
  double target, static_target, parameters_target, gate_rate, gate_spread, others, features;
  gboolean no_gates, fixed_dial, no_merging, search, static_only, no_train;
  int calibration_images;
} Options;

static void clear_options(Options *o)
{
  training_options_clear(&o->training);
  g_free(o->gates);
  g_free(o->granularity);
  g_free(o->sub_groups);
  g_free(o->precision);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Options, clear_options)

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
         sub_groups_parse(o->sub_groups, &compress->sub_groups, &compress->group_size) ||
         command_fail(error,
                      "--sub-groups is \"%s\", expected sample, none, even:K, random or recursive",
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
         command_fail(error, "--gates is \"%s\", expected learned, constant or random", o->gates);
}

static gboolean check_ratio(const char *name, double value, double least, GError **error)
{
  return (value >= least && value <= 1) ||
         command_fail(error, "%s is %g, expected a ratio above 0 and up to 1", name, value);
}

static gboolean check(const Options *o, GError **error)
{
  if (!command_check_given("--teacher", o->training.teacher != NULL, error) ||
      !training_options_check(&o->training, error))
    return FALSE;
  return check_ratio("--target", o->target, 1e-3, error) &&
         check_ratio("--static-target", o->static_target, 0, error) &&
         check_ratio("--params-target", o->parameters_target, 0, error) &&
         command_check_value("--gate-rate", o->gate_rate, o->gate_rate > 0, "more than 0", error) &&
         command_check_value("--gate-spread", o->gate_spread, o->gate_spread >= 0, "0 or more",
                             error) &&
         command_check_value("--other-classes", o->others, o->others >= 0, "0 or more", error) &&
         command_check_value("--features", o->features, o->features >= 0, "0 or more", error) &&
         command_check_range("--calibration-images", o->calibration_images, 1, 1000000, error);
}

static int run(Options *o, GError **error)
{
  g_autoptr(GArray) weights = g_array_new(FALSE, FALSE, sizeof(FolderWeight));
  CompressOptions compress_options = {
    .target = o->target,
    .static_target = o->static_target,
    .parameters_target = o->parameters_target,
    .merging = !o->no_merging && !o->static_only,
    .search = o->search,
    .fixed_dial = o->fixed_dial,
    .static_only = o->static_only,
    .train = !o->no_train,
    .calibration_images = (guint)o->calibration_images,
    .gate_rate = o->gate_rate,
    .gate_spread = o->gate_spread,
    .others = o->others,
    .features = o->features,
  };
  if (!check(o, error) ||
      !encoded_tensors_parse(o->precision ? o->precision : "int8", &compress_options.precision,
                             error) ||
      !parse_groups(o, &compress_options, error) || !parse_gates(o, &compress_options, error) ||
      !training_options_apply(&o->training, &compress_options, weights, error))
    return 1;
  if (!o->training.steps && !o->training.time_limit && !o->no_train) {
    command_fail(error, "--steps or --time-limit is missing (or --no-train)");
    return 1;
  }
  return compress(&compress_options, error) ? 0 : 1;
}

int command_compress(int argc, char **argv, GError **error)
{
  g_auto(Options) o = { .training = TRAINING_OPTIONS_DEFAULT,
                        .target = 0.6,
                        .gate_rate = 2e-3,
                        .calibration_images = 1500 };
  o.training.rate = 3e-4;
  o.training.labels = 0.3;
  const GOptionEntry own[] = {
    { "teacher", 0, 0, G_OPTION_ARG_FILENAME, &o.training.teacher, "The dense model", "MODEL" },
    { "from", 0, 0, G_OPTION_ARG_FILENAME, &o.training.from,
      "Begin with this model, of an earlier run without gates, instead of the teacher", "MODEL" },
    { "target", 0, 0, G_OPTION_ARG_DOUBLE, &o.target,
      "Mean compute ratio: multiply-adds over the teacher's (default 0.6)", "R" },
    { "static-target", 0, 0, G_OPTION_ARG_DOUBLE, &o.static_target,
      "Compute ratio that the cut leaves (default: half way to the target)", "R" },
    { "params-target", 0, 0, G_OPTION_ARG_DOUBLE, &o.parameters_target,
      "Parameters at most, over the teacher's; those of gates come on top", "R" },
    { "classes", 0, 0, G_OPTION_ARG_FILENAME, &o.training.classes,
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
    { "learning-rate", 0, 0, G_OPTION_ARG_DOUBLE, &o.training.rate, "At its peak (default 3e-4)",
      "R" },
    { "gate-rate", 0, 0, G_OPTION_ARG_DOUBLE, &o.gate_rate,
      "The same of gates and structure choices (default 2e-3)", "R" },
    { "gate-spread", 0, 0, G_OPTION_ARG_DOUBLE, &o.gate_spread,
      "Weight of the spread over images that gates lack (default 0)", "W" },
    { "labels", 0, 0, G_OPTION_ARG_DOUBLE, &o.training.labels,
      "Weight of labels beside the teacher (default 0.3)", "W" },
    { "other-classes", 0, 0, G_OPTION_ARG_DOUBLE, &o.others,
      "Weight of all of the teacher's classes beside --classes (default 0)", "W" },
    { "features", 0, 0, G_OPTION_ARG_DOUBLE, &o.features,
      "Weight of the teacher's tokens between blocks (default 0)", "W" },
    { "precision", 0, 0, G_OPTION_ARG_STRING, &o.precision,
      "Of the weights in the file: int8 (default), bf16 or float32", "P" },
    G_OPTION_ENTRY_NULL,
  };
  g_autofree GOptionEntry *entries = training_options_entries(&o.training, own);
  const CommandSyntax syntax = {
    entries, "", "Makes a compressed, gated model of a dense one.",
    "Units are ranked and cut with closed-form compensation; gates and token merging adapt the\n"
    "rest to each image; distillation from the teacher trains what remains; the dial is\n"
    "calibrated on photographs held out from the data. Stopped by Ctrl-C, SIGTERM or worse, the\n"
    "same command with --resume goes on from the last checkpoint.\n"
  };
  return command_parse_none(&syntax, argc, argv, error) ? run(&o, error) : 1;
}
