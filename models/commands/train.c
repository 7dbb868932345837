/* vitgate train: a dense model, by labels or by a teacher. */
#include "commands/command.h"
#include "commands/training-options.h"
#include "train/run/dense-training.h"

typedef struct {
  TrainingOptions training;
  char *variant;
  int image_size;
} Options;

static void clear_options(Options *o)
{
  training_options_clear(&o->training);
  g_free(o->variant);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Options, clear_options)

static gboolean check(const Options *o, GError **error)
{
  const TrainingOptions *t = &o->training;
  if (!o->variant == !t->from)
    return command_fail(error, "one of --variant and --from is expected (see %s --help)",
                        g_get_prgname());
  if (o->image_size && !o->variant)
    return command_fail(error, "--image-size goes with --variant: a model has its own");
  if (!training_options_check(t, error))
    return FALSE;
  if (!t->steps && !t->time_limit)
    return command_fail(error, "--steps or --time-limit is missing");
  if (!t->teacher && t->mixup > 0)
    return command_fail(error, "--mixup needs --teacher: blended images have no label");
  return command_check_value("--image-size", o->image_size, o->image_size >= 0, "1 or more", error);
}

static int run(Options *o, GError **error)
{
  g_autoptr(GArray) weights = g_array_new(FALSE, FALSE, sizeof(FolderWeight));
  /* A run without a cut, gates or merging. */
  CompressOptions options = {
    .variant = o->variant,
    .image_size = (guint)o->image_size,
    .target = 1,
    .static_only = TRUE,
    .fixed_dial = TRUE,
    .train = TRUE,
    .precision = VITGATE_PRECISION_FLOAT32,
  };
  if (!check(o, error) || !training_options_apply(&o->training, &options, weights, error))
    return 1;
  return train_dense(&options, error) ? 0 : 1;
}

int command_train(int argc, char **argv, GError **error)
{
  g_auto(Options) o = { .training = TRAINING_OPTIONS_DEFAULT };
  o.training.rate = 1e-3;
  o.training.labels = 1;
  const GOptionEntry own[] = {
    { "variant", 0, 0, G_OPTION_ARG_STRING, &o.variant,
      "Begin with fresh weights of a published network, such as t2t_vit_7", "NAME" },
    { "image-size", 0, 0, G_OPTION_ARG_INT, &o.image_size,
      "Pixels of a side that the variant sees (default 224)", "N" },
    { "from", 0, 0, G_OPTION_ARG_FILENAME, &o.training.from,
      "Begin with this model, which has no gates", "MODEL" },
    { "teacher", 0, 0, G_OPTION_ARG_FILENAME, &o.training.teacher,
      "A dense model of any architecture whose classes are learned beside the labels", "MODEL" },
    { "classes", 0, 0, G_OPTION_ARG_FILENAME, &o.training.classes,
      "The classes to learn, one a line (default: the teacher's, or those of --from)", "FILE" },
    { "learning-rate", 0, 0, G_OPTION_ARG_DOUBLE, &o.training.rate, "At its peak (default 1e-3)",
      "R" },
    { "labels", 0, 0, G_OPTION_ARG_DOUBLE, &o.training.labels,
      "Weight of labels beside the teacher (default 1)", "W" },
    G_OPTION_ENTRY_NULL,
  };
  g_autofree GOptionEntry *entries = training_options_entries(&o.training, own);
  const CommandSyntax syntax = {
    entries, "", "Trains a dense model: of fresh weights, or going on from a model.",
    "Labels, a teacher or both say what is to be learned. A line of --classes is an id, a label,\n"
    "or an id and a label with a tab between. Where it lists a class that the model of --from\n"
    "does not know, all but the head goes on from that model, and a fresh head learns the\n"
    "classes listed. The stem of a T2T-ViT stays as it begins. Stopped by Ctrl-C, SIGTERM or\n"
    "worse, the same command with --resume goes on from the last checkpoint.\n"
  };
  return command_parse_none(&syntax, argc, argv, error) ? run(&o, error) : 1;
}
