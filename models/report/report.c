#include "report/report.h"

#include <math.h>
#include <stdio.h>

#include "base/json-write.h"

void report_string(JsonBuilder *builder, const char *name, const char *value)
{
  g_autofree char *valid = value ? g_utf8_make_valid(value, -1) : NULL;
  json_builder_set_member_name(builder, name);
  if (valid)
    json_builder_add_string_value(builder, valid);
  else
    json_builder_add_null_value(builder);
}

void report_count(JsonBuilder *builder, const char *name, guint64 value)
{
  json_builder_set_member_name(builder, name);
  json_builder_add_int_value(builder, (gint64)value);
}

void report_boolean(JsonBuilder *builder, const char *name, gboolean value)
{
  json_builder_set_member_name(builder, name);
  json_builder_add_boolean_value(builder, value);
}

void report_null(JsonBuilder *builder, const char *name)
{
  json_builder_set_member_name(builder, name);
  json_builder_add_null_value(builder);
}

static void add_number(JsonBuilder *builder, double value)
{
  if (isfinite(value))
    json_builder_add_double_value(builder, value);
  else
    json_builder_add_null_value(builder);
}

void report_number(JsonBuilder *builder, const char *name, double value)
{
  json_builder_set_member_name(builder, name);
  add_number(builder, value);
}

void report_numbers(JsonBuilder *builder, const char *name, const double *values, guint n)
{
  json_builder_set_member_name(builder, name);
  json_builder_begin_array(builder);
  for (guint i = 0; i < n; i++)
    add_number(builder, values[i]);
  json_builder_end_array(builder);
}

void report_begin(JsonBuilder *builder, const char *name)
{
  json_builder_set_member_name(builder, name);
  json_builder_begin_object(builder);
}

void report_print(JsonBuilder *builder)
{
  g_autoptr(JsonNode) root = json_builder_get_root(builder);
  g_autofree char *text = vitgate__json_write(root, TRUE);
  /* Not g_print(), which converts to the locale: JSON is always UTF-8. */
  puts(text);
}

void report_setting(JsonBuilder *builder, const VitgateModelInfo *model, const char *path,
                    guint threads, guint batch_size)
{
  report_string(builder, "model", model->name);
  report_string(builder, "file", path);
  report_string(builder, "precision", vitgate_precision_name(model->precision));
  report_count(builder, "threads", threads);
  report_count(builder, "batch_size", batch_size);
}

char *report_geometry(VitgateFit fit, guint resize, gboolean bicubic, guint image_size)
{
  const char *sides = fit == VITGATE_FIT_SQUASH      ? "both sides"
                      : fit == VITGATE_FIT_LETTERBOX ? "longer side"
                                                     : "shorter side";
  g_autofree char *crop = resize == image_size && fit > VITGATE_FIT_CROP
                              ? NULL
                              : g_strdup_printf(", cropped to %u", image_size);
  return g_strdup_printf(
      "%s resized to %u (%s)%s%s", sides, resize, bicubic ? "bicubic" : "bilinear",
      fit == VITGATE_FIT_LETTERBOX ? ", the rest filled with the mean colour" : "",
      crop ? crop : "");
}

static int compare_doubles(gconstpointer a, gconstpointer b)
{
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

double report_quantile(GArray *values, double fraction)
{
  g_array_sort(values, compare_doubles);
  return g_array_index(values, double, (guint)(fraction * (values->len - 1) + 0.5));
}
