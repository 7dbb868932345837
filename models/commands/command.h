/* Shared by the sub-commands: how they are called, parse options and report errors.
 *
 * A sub-command writes its result to stdout, and a note on anything it skips to stderr. If it
 * fails, it sets a GError; main() prints that as one line, "vitgate NAME: message", and exits with
 * status 1. */
#pragma once

#include "base/command-error.h"
#include "vitgate.h"

#define COMMAND_PRECISION_HELP      "Compute matrix products in float32, bf16 or int8 (default: auto)"
#define COMMAND_NO_ORIENTATION_HELP "Ignore the orientation tags of photographs"

#define COMMAND_FIT_HELP                                                                           \
  "Make images of another shape square by crop, squash or letterbox (default: as the model says)"

/* From this score on, a picture shows none of the classes of a model that can tell. */
#define COMMAND_UNKNOWN_THRESHOLD 0.95
#define COMMAND_UNKNOWN_THRESHOLD_HELP                                                             \
  "Score from which an image shows none of the classes of a taught model (default: 0.95; 0: off)"

typedef struct {
  const char *name;
  const char *summary; /* one line for the list in --help */
  gboolean ranks;      /* it divides its work among the processes that mpirun starts */
  /* @argv: (array length=argc): argv[0] is the sub-command's name
   * Returns: the exit status. If it is not 0, @error is set, unless the sub-command has printed a
   * note for each failure. */
  int (*run)(int argc, char **argv, GError **error);
} Command;

int command_import(int argc, char **argv, GError **error);
int command_inspect(int argc, char **argv, GError **error);
int command_classify(int argc, char **argv, GError **error);
int command_eval(int argc, char **argv, GError **error);
int command_export(int argc, char **argv, GError **error);
int command_train(int argc, char **argv, GError **error);
int command_compress(int argc, char **argv, GError **error);
int command_teach(int argc, char **argv, GError **error);
int command_bench(int argc, char **argv, GError **error);

/* The options and help of a sub-command. */
typedef struct {
  const GOptionEntry *entries;
  const char *arguments;   /* "MODEL", shown after the options in the usage line */
  const char *summary;     /* shown above the options */
  const char *description; /* (nullable): shown below them */
} CommandSyntax;

/* Parses the options; --help prints the help and exits.
 * @arguments: (out) (transfer full) (array zero-terminated): the arguments that are not options, in
 * order
 * Returns: FALSE with COMMAND_ERROR_USAGE */
gboolean command_parse(const CommandSyntax *syntax, int argc, char **argv, char ***arguments,
                       GError **error);

/* Like command_parse() for a sub-command that takes only options. */
gboolean command_parse_none(const CommandSyntax *syntax, int argc, char **argv, GError **error);

/* Like command_parse() for a sub-command that takes exactly one argument.
 * @what: its name in errors, such as "model file"
 * Returns: (transfer full): the argument, or NULL with COMMAND_ERROR_USAGE */
char *command_parse_one(const CommandSyntax *syntax, int argc, char **argv, const char *what,
                        GError **error);

/* Checks that a required option is given.
 * Returns: FALSE with COMMAND_ERROR_USAGE if not */
gboolean command_check_given(const char *option, gboolean given, GError **error);

/* Returns: FALSE with COMMAND_ERROR_USAGE if --unknown-threshold is not from 0 to 1 */
gboolean command_check_unknown_threshold(double threshold, GError **error);

/* Returns: whether an image shows none of the classes */
gboolean command_is_unknown(const VitgateResult *result, double threshold);

/* Checks that @low <= @value <= @high.
 * Returns: FALSE with COMMAND_ERROR_USAGE if not */
gboolean command_check_range(const char *option, int value, int low, int high, GError **error);
