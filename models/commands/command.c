#include "commands/command.h"

gboolean command_parse(const CommandSyntax *syntax, int argc, char **argv, char ***arguments,
                       GError **error)
{
  g_auto(GStrv) rest = NULL;
  const GOptionEntry remaining[] = {
    { G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &rest, NULL, syntax->arguments },
    G_OPTION_ENTRY_NULL,
  };
  g_autoptr(GOptionContext) context = g_option_context_new(NULL);
  g_option_context_set_summary(context, syntax->summary);
  g_option_context_set_description(context, syntax->description);
  g_option_context_add_main_entries(context, syntax->entries, NULL);
  g_option_context_add_main_entries(context, remaining, NULL);

  g_autoptr(GError) wrong = NULL;
  if (!g_option_context_parse(context, &argc, &argv, &wrong)) {
    g_set_error(error, COMMAND_ERROR, COMMAND_ERROR_USAGE, "%s (see %s --help)", wrong->message,
                g_get_prgname());
    return FALSE;
  }
  *arguments = rest ? g_steal_pointer(&rest) : g_new0(char *, 1);
  return TRUE;
}

gboolean command_parse_none(const CommandSyntax *syntax, int argc, char **argv, GError **error)
{
  g_auto(GStrv) arguments = NULL;
  return command_parse(syntax, argc, argv, &arguments, error) &&
         (!*arguments || command_fail(error, "unexpected argument '%s' (see %s --help)", *arguments,
                                      g_get_prgname()));
}

char *command_parse_one(const CommandSyntax *syntax, int argc, char **argv, const char *what,
                        GError **error)
{
  g_auto(GStrv) arguments = NULL;
  if (!command_parse(syntax, argc, argv, &arguments, error))
    return NULL;
  guint n = g_strv_length(arguments);
  if (n != 1) {
    g_set_error(error, COMMAND_ERROR, COMMAND_ERROR_USAGE,
                "expected one %s, got %u (see %s --help)", what, n, g_get_prgname());
    return NULL;
  }
  return g_strdup(arguments[0]);
}

gboolean command_check_given(const char *option, gboolean given, GError **error)
{
  if (!given)
    g_set_error(error, COMMAND_ERROR, COMMAND_ERROR_USAGE, "%s is missing (see %s --help)", option,
                g_get_prgname());
  return given;
}

gboolean command_check_range(const char *option, int value, int low, int high, GError **error)
{
  if (value >= low && value <= high)
    return TRUE;
  g_set_error(error, COMMAND_ERROR, COMMAND_ERROR_USAGE, "%s must be from %d to %d, not %d", option,
              low, high, value);
  return FALSE;
}

gboolean command_check_unknown_threshold(double threshold, GError **error)
{
  return (threshold >= 0 && threshold <= 1) || /* false for a NaN */
         command_fail(error, "--unknown-threshold must be from 0 to 1, not %g", threshold);
}

gboolean command_is_unknown(const VitgateResult *result, double threshold)
{
  return threshold > 0 && result->unknown >= (float)threshold;
}
