/* Helpers around json-glib's builder, to print results as JSON to stdout. */
#pragma once

#include <json-glib/json-glib.h>

#include "vitgate.h"

/* Adds a member to the open object. Numbers that are not finite and NULL strings become null.
 * Strings are made valid UTF-8. */
void report_string(JsonBuilder *builder, const char *name, const char *value);
void report_count(JsonBuilder *builder, const char *name, guint64 value);
void report_number(JsonBuilder *builder, const char *name, double value);
void report_boolean(JsonBuilder *builder, const char *name, gboolean value);

void report_null(JsonBuilder *builder, const char *name);

/* @values: [n] */
void report_numbers(JsonBuilder *builder, const char *name, const double *values, guint n);

/* Sorts @values, which must not be empty, and returns a quantile.
 * @values: (element-type double)
 * @fraction: 0 for the minimum, 0.5 for the median, 1 for the maximum
 * Returns: the value at that position */
double report_quantile(GArray *values, double fraction);

/* Opens an object as the member @name of the open object. */
void report_begin(JsonBuilder *builder, const char *name);

/* Prints the result, indented, and a newline. */
void report_print(JsonBuilder *builder);

/* Returns: (transfer full): how an image becomes the network's input, such as "shorter side resized
 * to 256 (bicubic), cropped to 224"
 * @fit: MODEL: the same as CROP */
char *report_geometry(VitgateFit fit, guint resize, gboolean bicubic, guint image_size);

/* Adds the members with which eval, bench and classify start: "model", "file", "precision" (of
 * products), "threads", "batch_size". */
void report_setting(JsonBuilder *builder, const VitgateModelInfo *model, const char *path,
                    guint threads, guint batch_size);
