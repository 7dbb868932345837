/* vitgate train: a dense model, by labels or by a teacher. */
#include "commands/command.h"
#include "commands/training-options.h"
#include "train/run/dense-training.h"

static gboolean check(const RunOptions *o, GError **error)
{
  if (!o->variant == !o->from)
    return command_fail(error, "one of --variant and --from is expected (see %s --help)",
                        g_get_prgname());
  if (o->image_size && !o->variant)
    return command_fail(error, "--image-size goes with --variant: a model has its own");
  if (!o->steps && !o->time_limit)
    return command_fail(error, "--steps or --time-limit is missing");
  if (!o->teacher && o->mixup > 0)
    return command_fail(error, "--mixup needs --teacher: blended images have no label");
  return TRUE;
}

int command_train(int argc, char **argv, GError **error)
{
  g_auto(RunOptions) o = { 0 };
  const gboolean fine = training_options_parse(
      &o, RUN_TRAIN, "Trains a dense model: of fresh weights, or going on from a model.",
      "Labels, a teacher or both say what is to be learned. A line of --classes is an id, a "
      "label,\n"
      "or an id and a label with a tab between. Where it lists a class that the model of --from\n"
      "does not know, all but the head goes on from that model, and a fresh head learns the\n"
      "classes listed. The stem of a T2T-ViT stays as it begins. If the run is interrupted, run\n"
      "the command again with --resume; it finishes with the same result.\n",
      argc, argv, error);
  return fine && check(&o, error) && train_dense(&o, error) ? 0 : 1;
}
