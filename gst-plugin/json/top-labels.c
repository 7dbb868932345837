/* top-labels.c: collects the best labels of a frame, to find out whether they changed. */
#include "json/top-labels.h"

#include "common/results.h"

/* @prefix: whose label it is; it cannot be confused with any part of a label */
static char *describe(const char *prefix, const GstStructure *s)
{
  const char *label = gst_structure_get_string(s, "label");

  return label ? g_strconcat(prefix, "=", label, NULL) : g_strdup(prefix);
}

static void add_regions(GPtrArray *labels, guint result, const GstStructure *s)
{
  const GstStructure *region;
  guint i = 0;

  while ((region = gst_vitgate_results_next_region(s, &i))) {
    char prefix[32];
    gint id = -1;

    gst_structure_get_int(region, "id", &id);
    g_snprintf(prefix, sizeof prefix, "%u.%d", result, id);
    g_ptr_array_add(labels, describe(prefix, region));
  }
}

static gint compare_strings(gconstpointer a, gconstpointer b)
{
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

GStrv gst_vitgate_top_labels(GstBuffer *buffer)
{
  GPtrArray *labels = g_ptr_array_new();
  const GstStructure *s;
  gpointer state = NULL;

  for (guint result = 0; (s = gst_vitgate_results_next(buffer, &state)); result++) {
    char prefix[16];

    g_snprintf(prefix, sizeof prefix, "%u", result);
    g_ptr_array_add(labels, describe(prefix, s));
    add_regions(labels, result, s);
  }
  g_ptr_array_sort(labels, compare_strings);
  g_ptr_array_add(labels, NULL);
  return (GStrv)g_ptr_array_free(labels, FALSE);
}
