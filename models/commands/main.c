/* The command "vitgate", which makes, measures and tests model files. Each sub-command has its own
 * file, NAME.c. */
#include <locale.h>
#include <stdio.h>
#include <string.h>

#include "base/blas.h"
#include "base/ranks.h"
#include "commands/command.h"
#include "commands/external.h"

static const Command commands[] = {
  { "import", "make a complete model file from published weights", TRUE, command_import },
  { "inspect", "show what a model file contains", FALSE, command_inspect },
  { "classify", "classify images", FALSE, command_classify },
  { "eval", "measure accuracy and compute on photographs", TRUE, command_eval },
  { "train", "train a dense model, from fresh weights or from an existing model", TRUE,
    command_train },
  { "teach", "give a model classes of your own, from a few pictures of each", TRUE, command_teach },
  { "compress", "make a compressed, gated model from a dense one", TRUE, command_compress },
  { "export", "write a model for other programs (timm's tensor names or ONNX)", FALSE,
    command_export },
  { "bench", "measure speed on this machine", FALSE, command_bench },
};

static void print_help(void)
{
  g_print("Usage:\n  vitgate SUB-COMMAND [OPTION…] …\n\n"
          "Makes, measures and tests model files for the GStreamer element vitgate.\n\n"
          "Sub-commands:\n");
  for (guint i = 0; i < G_N_ELEMENTS(commands); i++)
    g_print("  %-10s %s\n", commands[i].name, commands[i].summary);
  external_print();
  g_print("\nRun \"vitgate help SUB-COMMAND\" for the options of a sub-command,\n"
          "\"vitgate --version\" for the version.\n");
}

static const Command *find_command(const char *name)
{
  for (guint i = 0; i < G_N_ELEMENTS(commands); i++)
    if (!strcmp(commands[i].name, name))
      return &commands[i];
  return NULL;
}

/* Rewrites "help NAME" as "NAME --help", and "help" as "--help". */
static void rewrite_help(int argc, char **argv)
{
  static char help[] = "--help";
  if (argc < 2 || argc > 3 || strcmp(argv[1], "help"))
    return;
  argv[1] = argc == 3 ? argv[2] : help;
  if (argc == 3)
    argv[2] = help;
}

/* Without this, ranks could go on with different options, or do all of the work once each. */
static gboolean check_ranks(const Command *command, char **argv, GError **error)
{
  if (ranks_count() == 1)
    return TRUE;
  if (!command->ranks)
    return command_fail(error, "works in one process, and mpirun started %u; start it alone",
                        ranks_count());
  g_autofree char *arguments = g_strjoinv("\n", argv + 1);
  g_autofree char *call = g_strconcat(VITGATE_VERSION "\n", arguments, NULL);
  return ranks_check_same("arguments or another version", call, error);
}

static gboolean asks_for_help(char **argv)
{
  return g_strv_contains((const char *const *)argv, "--help") ||
         g_strv_contains((const char *const *)argv, "-h");
}

static int run_command(const Command *command, int argc, char **argv)
{
  g_autofree char *program = g_strconcat("vitgate ", command->name, NULL);
  g_set_prgname(program);
  g_autoptr(GError) error = NULL;
  int status = 1;
  if (asks_for_help(argv)) /* GLib prints it, and ends the process */
    return command->run(argc, argv, &error);
  if (ranks_start(&error) && check_ranks(command, argv, &error))
    status = command->run(argc, argv, &error);
  ranks_end(error ? error->message : NULL);
  return error ? 1 : status;
}

/* gdk-pixbuf and its loaders warn about files that they cannot read. We report those ourselves, in
 * one line. */
static void ignore_warning(const char *domain, GLogLevelFlags level, const char *message,
                           gpointer user_data)
{
}

int main(int argc, char **argv)
{
  /* File names use the locale's encoding. Numbers and messages are the same in every locale. */
  setlocale(LC_CTYPE, "");
  g_set_prgname("vitgate");
  blas_prepare_environment();
  g_log_set_handler("GdkPixbuf", G_LOG_LEVEL_WARNING, ignore_warning, NULL);
  g_log_set_handler(NULL, G_LOG_LEVEL_WARNING, ignore_warning, NULL); /* the HEIF loader's */

  rewrite_help(argc, argv);
  const char *name = argc > 1 ? argv[1] : NULL;
  const Command *command = name ? find_command(name) : NULL;
  int status = 0;
  if (!name) {
    command_note("no sub-command given (see vitgate --help)");
    status = 1;
  } else if (!strcmp(name, "--help") || !strcmp(name, "-h")) {
    print_help();
  } else if (!strcmp(name, "--version")) {
    g_print("vitgate %s\n", VITGATE_VERSION);
  } else if (external_is_known(name)) {
    status = external_run(argc - 1, argv + 1);
  } else if (!command) {
    command_note("unknown sub-command or option \"%s\" (see vitgate --help)", name);
    status = 1;
  } else {
    status = run_command(command, argc - 1, argv + 1);
  }

  /* If stdout goes to a file on a full disk, only this call reports it. */
  if ((fflush(stdout) || ferror(stdout)) && status == 0) {
    command_note("cannot write the result to standard output");
    status = 1;
  }
  return status;
}
