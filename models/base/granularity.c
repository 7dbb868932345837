#include "base/granularity.h"

#include <string.h>

#include "base/command-error.h"

gboolean granularity_parse(const char *text, VitgateSessionOptions *options, GError **error)
{
  const char *size = g_str_has_prefix(text, "group:") ? text + strlen("group:") : NULL;
  guint64 group_size = 0;
  if (!strcmp(text, "sample")) {
    options->granularity = VITGATE_GRANULARITY_SAMPLE;
  } else if (!strcmp(text, "batch")) {
    options->granularity = VITGATE_GRANULARITY_BATCH;
  } else if (size &&
             g_ascii_string_to_unsigned(size, 10, 1, VITGATE_MAX_BATCH, &group_size, NULL)) {
    options->granularity = VITGATE_GRANULARITY_GROUP;
  } else {
    g_set_error(error, COMMAND_ERROR, COMMAND_ERROR_USAGE,
                "--granularity is \"%s\", expected sample, group:K with K from 1 to %d, or batch",
                text, VITGATE_MAX_BATCH);
    return FALSE;
  }
  options->group_size = (guint)group_size;
  return TRUE;
}

char *granularity_to_text(const VitgateSessionOptions *options)
{
  switch (options->granularity) {
  case VITGATE_GRANULARITY_GROUP:
    return g_strdup_printf("group:%u", MAX(options->group_size, 1));
  case VITGATE_GRANULARITY_BATCH:
    return g_strdup("batch");
  case VITGATE_GRANULARITY_SAMPLE:
    break;
  }
  return g_strdup("sample");
}
