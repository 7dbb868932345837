#include "base/time-option.h"

#include <string.h>

#include "base/command-error.h"

gboolean time_option_parse(const char *option, const char *text, double *seconds, GError **error)
{
  char *end;
  const double value = g_ascii_strtod(text, &end);
  const double unit = !strcmp(end, "h") ? 3600 : !strcmp(end, "m") ? 60 : 1;
  if (end == text || (*end && strcmp(end, "h") && strcmp(end, "m") && strcmp(end, "s")) ||
      !(value > 0 && value < 1e6))
    return command_fail(error, "%s is \"%s\", expected a time such as 90m, 2h or 600s", option,
                        text);
  *seconds = unit * value;
  return TRUE;
}
