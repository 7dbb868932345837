/* What the sub-commands share: how they are called, how they read options, how they report.
 *
 * A sub-command writes its result to stdout and notes about skipped things to stderr. What ends it
 * is a GError, which main() prints as one line, "vitgate NAME: message", and turns into exit
 * status 1. */
#pragma once

#include "base/command-error.h"

#define COMMAND_PRECISION_HELP "Products in float32, bf16 or int8 (default: auto)"

typedef struct {
  const char *name;
  const char *summary; /* one line for the list in --help */
  /* @argv: (array length=argc): argv[0] is the sub-command's name
   * Returns: the exit status; @error is set where it is not 0, unless the sub-command has
   * printed a note for each thing that failed */
  int (*run)(int argc, char **argv, GError **error);
} Command;

int command_import(int argc, char **argv, GError **error);
int command_inspect(int argc, char **argv, GError **error);
int command_classify(int argc, char **argv, GError **error);
int command_eval(int argc, char **argv, GError **error);
int command_export(int argc, char **argv, GError **error);
int command_train(int argc, char **argv, GError **error);
int command_compress(int argc, char **argv, GError **error);
int command_bench(int argc, char **argv, GError **error);

/* The options and the help of one sub-command. */
typedef struct {
  const GOptionEntry *entries;
  const char *arguments;   /* "MODEL", shown after the options in the usage line */
  const char *summary;     /* shown above the options */
  const char *description; /* (nullable): shown below them */
} CommandSyntax;

/* Parses options; --help prints and exits.
 * @arguments: (out) (transfer full) (array zero-terminated): what is no option, in its order
 * Returns: FALSE with COMMAND_ERROR_USAGE */
gboolean command_parse(const CommandSyntax *syntax, int argc, char **argv, char ***arguments,
                       GError **error);

/* Like command_parse() for a sub-command that takes options alone. */
gboolean command_parse_none(const CommandSyntax *syntax, int argc, char **argv, GError **error);

/* Like command_parse() for a sub-command that takes exactly one argument.
 * @what: names it in errors: "model file"
 * Returns: (transfer full): the argument, or NULL with COMMAND_ERROR_USAGE */
char *command_parse_one(const CommandSyntax *syntax, int argc, char **argv, const char *what,
                        GError **error);

/* Returns: FALSE with COMMAND_ERROR_USAGE unless the @option that must be there is */
gboolean command_check_given(const char *option, gboolean given, GError **error);

/* Returns: FALSE with COMMAND_ERROR_USAGE unless @low <= @value <= @high */
gboolean command_check_range(const char *option, int value, int low, int high, GError **error);

/* Returns: FALSE with COMMAND_ERROR_USAGE unless @fine, which is for @value to be @expected */
gboolean command_check_value(const char *option, double value, gboolean fine, const char *expected,
                             GError **error);
