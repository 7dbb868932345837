/* vitgate compress: a compressed, gated student from a dense teacher. */
#include "commands/command.h"
#include "commands/training-options.h"
#include "train/run/compressor.h"

int command_compress(int argc, char **argv, GError **error)
{
  g_auto(RunOptions) o = { 0 };
  if (!training_options_parse(
          &o, RUN_COMPRESS, "Makes a compressed, gated model of a dense one.",
          "Units are ranked and cut with closed-form compensation; gates and token merging adapt "
          "the\nrest to each image; distillation from the teacher trains what remains; the dial "
          "is\ncalibrated on photographs held out from the data. If the run is interrupted, run "
          "the\ncommand again with --resume; it finishes with the same result.\n",
          argc, argv, error))
    return 1;
  if (!o.steps && !o.time_limit && o.train) {
    command_fail(error, "--steps or --time-limit is missing (or --no-train)");
    return 1;
  }
  return compress(&o, error) ? 0 : 1;
}
