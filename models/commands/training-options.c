#include "commands/training-options.h"

#include <string.h>

#include "base/ranks.h"
#include "write/output-file.h"

static GOptionArg argument_of(RunOptionKind kind)
{
  static const GOptionArg arguments[] = {
    [RUN_OPTION_FLAG] = G_OPTION_ARG_NONE,
    [RUN_OPTION_NO_FLAG] = G_OPTION_ARG_NONE,
    [RUN_OPTION_COUNT] = G_OPTION_ARG_INT,
    [RUN_OPTION_LONG] = G_OPTION_ARG_INT64,
    [RUN_OPTION_REAL] = G_OPTION_ARG_DOUBLE,
    [RUN_OPTION_TEXT] = G_OPTION_ARG_STRING,
    [RUN_OPTION_FILE] = G_OPTION_ARG_FILENAME,
    [RUN_OPTION_TEXTS] = G_OPTION_ARG_STRING_ARRAY,
    [RUN_OPTION_FILES] = G_OPTION_ARG_FILENAME_ARRAY,
  };
  return arguments[kind];
}

/* @texts: (element-type utf8): takes ownership of the help texts */
static GOptionEntry make_entry(const RunOptions *o, const RunOption *row, GPtrArray *texts)
{
  const guint which = o->command == RUN_TRAIN;
  const char *help = row->help[which] ? row->help[which] : row->help[0];
  const char *usual = row->defaults[which];
  g_ptr_array_add(texts, usual ? g_strdup_printf("%s (default: %s)", help, usual) : g_strdup(help));
  return (GOptionEntry){ row->name,
                         row->letter,
                         row->kind == RUN_OPTION_NO_FLAG ? G_OPTION_FLAG_REVERSE : 0,
                         argument_of(row->kind),
                         run_option_at(o, row),
                         texts->pdata[texts->len - 1],
                         row->argument };
}

/* Returns the file's base name without its suffix. */
static char *name_of_file(const char *path)
{
  g_autofree char *base = g_path_get_basename(path);
  if (g_str_has_suffix(base, ".safetensors"))
    base[strlen(base) - strlen(".safetensors")] = '\0';
  return g_utf8_make_valid(base, -1);
}

gboolean training_options_parse(RunOptions *o, RunCommand command, const char *summary,
                                const char *description, int argc, char **argv, GError **error)
{
  guint n;
  const RunOption *table = run_options_table(&n);
  g_autoptr(GPtrArray) texts = g_ptr_array_new_with_free_func(g_free);
  g_autofree GOptionEntry *entries = g_new0(GOptionEntry, n + 1);
  GOptionEntry *next = entries;
  run_options_init(o, command);
  for (guint i = 0; i < n; i++)
    if (table[i].commands & command)
      *next++ = make_entry(o, &table[i], texts);
  const CommandSyntax syntax = { entries, "", summary, description };
  if (!command_parse_none(&syntax, argc, argv, error) || !run_options_check(o, error) ||
      (ranks_is_first() && !output_file_check(o->out, error)))
    return FALSE;
  if (!o->name)
    o->name = name_of_file(o->out);
  return TRUE;
}
