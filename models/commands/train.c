/* vitgate train: trains a dense model with labels, a teacher or both. */
#include "commands/command.h"
#include "commands/training-options.h"
#include "train/run/dense-training.h"

static gboolean check(const RunOptions *o, GError **error)
{
  if (!o->variant == !o->from)
    return command_fail(error, "expected either --variant or --from (see %s --help)",
                        g_get_prgname());
  if (o->image_size && !o->variant)
    return command_fail(error, "--image-size needs --variant: a model has its own image size");
  if (!o->steps && !o->time_limit)
    return command_fail(error, "--steps or --time-limit is required");
  if (!o->teacher && o->mixup > 0)
    return command_fail(error, "--mixup needs --teacher, because blended images have no label");
  return TRUE;
}

int command_train(int argc, char **argv, GError **error)
{
  g_auto(RunOptions) o = { 0 };
  const gboolean fine = training_options_parse(
      &o, RUN_TRAIN, "Trains a dense model, from fresh weights or from an existing model.",
      "The model learns from labels, a teacher or both. Each line of --classes is an\n"
      "id, a label, or an id and a label separated by a tab. If a class is unknown to\n"
      "the model of --from, the head is replaced by a fresh one for the listed\n"
      "classes, and everything else starts from that model. The stem of a T2T-ViT is\n"
      "not trained.\n"
      "\n"
      "--time-limit covers everything, also reading and measuring. The number of steps\n"
      "is chosen once, from the speed of the first steps; a resumed run keeps it. At the\n"
      "end, train prints the figures of the model and the next command;\n"
      "OUT.training/log.jsonl has them as JSON.\n"
      "\n"
      "If the run is interrupted, run the command again with --resume; it finishes\n"
      "with the same result.\n"
      "\n"
      "Under mpirun, all processes train one model together: each takes its part of\n"
      "every batch, and the result is that of one process. models/many-machines.md\n"
      "describes how.\n",
      argc, argv, error);
  return fine && check(&o, error) && train_dense(&o, error) ? 0 : 1;
}
