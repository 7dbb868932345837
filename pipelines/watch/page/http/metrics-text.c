#include "page/http/metrics-text.h"

#include <stdarg.h>

void metrics_head(GString *text, const char *name, const char *type, const char *help)
{
  g_string_append_printf(text, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void append_escaped(GString *text, const char *value)
{
  for (; *value; value++) {
    if (*value == '\n')
      g_string_append(text, "\\n");
    else if (*value == '"' || *value == '\\')
      g_string_append_printf(text, "\\%c", *value);
    else
      g_string_append_c(text, *value);
  }
}

char *metrics_labels(const char *name, ...)
{
  GString *labels = g_string_new(NULL);
  va_list args;
  va_start(args, name);
  for (; name; name = va_arg(args, const char *)) {
    g_string_append_printf(labels, "%s%s=\"", labels->len ? "," : "", name);
    append_escaped(labels, va_arg(args, const char *));
    g_string_append_c(labels, '"');
  }
  va_end(args);
  return g_string_free(labels, FALSE);
}

static const char *format_number(char *buffer, double value)
{
  return g_ascii_formatd(buffer, G_ASCII_DTOSTR_BUF_SIZE, "%.15g", value);
}

void metrics_sample(GString *text, const char *name, const char *labels, double value)
{
  char number[G_ASCII_DTOSTR_BUF_SIZE];
  format_number(number, value);
  if (*labels)
    g_string_append_printf(text, "%s{%s} %s\n", name, labels, number);
  else
    g_string_append_printf(text, "%s %s\n", name, number);
}

void metrics_histogram(GString *text, const char *name, const char *labels, const double *limits,
                       const guint64 *counts, guint n, double sum)
{
  g_autofree char *bucket = g_strconcat(name, "_bucket", NULL);
  g_autofree char *sum_name = g_strconcat(name, "_sum", NULL);
  g_autofree char *count_name = g_strconcat(name, "_count", NULL);
  guint64 total = 0;
  for (guint i = 0; i <= n; i++) {
    char limit[G_ASCII_DTOSTR_BUF_SIZE] = "+Inf";
    total += counts[i];
    if (i < n)
      format_number(limit, limits[i]);
    g_autofree char *all = g_strdup_printf("%s,le=\"%s\"", labels, limit);
    metrics_sample(text, bucket, all, (double)total);
  }
  metrics_sample(text, sum_name, labels, sum);
  metrics_sample(text, count_name, labels, (double)total);
}
