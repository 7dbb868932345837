/* top-labels.c: collects the best labels of a frame, to find out whether they changed. */
#include "json/top-labels.h"

#include "common/results.h"

static gint compare_strings(gconstpointer a, gconstpointer b)
{
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Returns: (transfer full): all labels of a result, sorted, since their order has no meaning if
 * each class has a probability of its own. */
static char *join_labels(const GstStructure *s)
{
  const GValue *array = gst_vitgate_results_get_array(s, "labels");
  g_autoptr(GPtrArray) labels = g_ptr_array_new();

  for (guint i = 0; array && i < gst_value_array_get_size(array); i++) {
    const GValue *label = gst_value_array_get_value(array, i);

    if (G_VALUE_HOLDS_STRING(label) && g_value_get_string(label))
      g_ptr_array_add(labels, (gpointer)g_value_get_string(label));
  }
  g_ptr_array_sort(labels, compare_strings);
  g_ptr_array_add(labels, NULL);
  return g_strjoinv("\n", (char **)labels->pdata);
}

/* @prefix: whose label it is; it cannot be confused with any part of a label */
static char *describe(const char *prefix, const GstStructure *s)
{
  const char *label = gst_structure_get_string(s, "label");

  if (gst_structure_has_field(s, "activation")) {
    g_autofree char *labels = join_labels(s);

    return g_strconcat(prefix, "=", labels, NULL);
  }
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
