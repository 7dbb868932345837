/* vitgate compress: makes a compressed, gated student from a dense teacher. */
#include "commands/command.h"
#include "commands/training-options.h"
#include "train/run/compressor.h"

int command_compress(int argc, char **argv, GError **error)
{
  static const char description[] =
      "compress ranks heads and neurons, cuts the least important ones and compensates\n"
      "for them in closed form. Gates and token merging adapt the rest to each image.\n"
      "Distillation from the teacher trains the result, and the dial is calibrated on\n"
      "photographs held out from the data.\n\n"
      "--time-limit covers everything. The number of steps is chosen once, from the\n"
      "speed of the first steps and the time left for them: less what the phases before\n"
      "them took, and less an estimate for calibrating and measuring after them. A\n"
      "resumed run keeps its number of steps. At the end, compress prints the figures of\n"
      "the model and the next command; OUT.training/log.jsonl has them as JSON.\n\n"
      "If the run is interrupted, run the command again with --resume; it finishes\n"
      "with the same result.\n\n"
      "Under mpirun, all processes train one model together: each takes its part of\n"
      "every batch, and the result is that of one process. models/many-machines.md\n"
      "describes how.\n";
  g_auto(RunOptions) o = { 0 };
  if (!training_options_parse(&o, RUN_COMPRESS, "Makes a compressed, gated model from a dense one.",
                              description, argc, argv, error))
    return 1;
  if (!o.steps && !o.time_limit && o.train) {
    command_fail(error, "--steps or --time-limit is required (or --no-train)");
    return 1;
  }
  return compress(&o, error) ? 0 : 1;
}
