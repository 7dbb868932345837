/* Writes the text format of Prometheus, version 0.0.4. */
#pragma once

#include <glib.h>

/* Writes # HELP and # TYPE.
 * @type: counter, gauge or histogram */
void metrics_head(GString *text, const char *name, const char *type, const char *help);

/* @...: names and values, ending with NULL
 * Returns: (transfer full): "name=\"value\",..." */
char *metrics_labels(const char *name, ...) G_GNUC_NULL_TERMINATED;

/* @labels: of metrics_labels(), or "" */
void metrics_sample(GString *text, const char *name, const char *labels, double value);

/* @limits: [n] upper limits of the buckets
 * @counts: [n + 1] of each bucket; the last one has no limit
 * @sum: of all values */
void metrics_histogram(GString *text, const char *name, const char *labels, const double *limits,
                       const guint64 *counts, guint n, double sum);
