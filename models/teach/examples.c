#include "teach/examples.h"

static void free_example(gpointer data)
{
  Example *example = data;
  g_free(example->path);
  g_free(example->shown);
  g_free(example->features);
  g_free(example);
}

static gpointer copy_label(gconstpointer label, gpointer data)
{
  return g_strdup(label);
}

Examples *examples_new(const GPtrArray *labels, guint n_features, guint n_views)
{
  Examples *examples = g_new0(Examples, 1);
  examples->labels = g_ptr_array_copy((GPtrArray *)labels, copy_label, NULL);
  g_ptr_array_set_free_func(examples->labels, g_free);
  examples->n_features = n_features;
  examples->n_views = n_views;
  examples->list = g_ptr_array_new_with_free_func(free_example);
  return examples;
}

void examples_free(Examples **examples)
{
  Examples *freeing = g_steal_pointer(examples);
  if (!freeing)
    return;
  g_ptr_array_unref(freeing->labels);
  g_ptr_array_unref(freeing->list);
  g_free(freeing);
}

Example *examples_add(Examples *examples, guint64 hash, guint group, const char *path)
{
  Example *example = g_new0(Example, 1);
  *example = (Example){ .hash = hash, .group = group, .path = g_strdup(path) };
  example->shown = g_new0(guint8, examples->labels->len);
  example->features = g_new0(float, (gsize)examples->n_views * examples->n_features);
  g_ptr_array_add(examples->list, example);
  return example;
}

guint examples_count(const Examples *examples, guint class)
{
  guint n = 0;
  for (guint i = 0; i < examples->list->len; i++)
    n += examples_get(examples, i)->shown[class];
  return n;
}

int examples_class(const Examples *examples, guint index)
{
  const Example *example = examples_get(examples, index);
  for (guint c = 0; c < examples->labels->len; c++)
    if (example->shown[c])
      return (int)c;
  return -1;
}

void examples_average(const Examples *examples, guint index, guint n_views, double *mean)
{
  const guint n = examples->n_features;
  const float *features = examples_get(examples, index)->features;
  for (guint k = 0; k < n; k++) {
    mean[k] = 0;
    for (guint v = 0; v < n_views; v++)
      mean[k] += (double)features[(gsize)v * n + k] / n_views;
  }
}

static int compare_hashes(gconstpointer a, gconstpointer b)
{
  const Example *first = *(Example *const *)a, *second = *(Example *const *)b;
  return (first->hash > second->hash) - (first->hash < second->hash);
}

void examples_sort(Examples *examples)
{
  g_autoptr(GHashTable) numbers = g_hash_table_new(NULL, NULL);
  g_ptr_array_sort(examples->list, compare_hashes);
  for (guint i = 0; i < examples->list->len; i++) {
    Example *example = examples_get(examples, i);
    gpointer key = GUINT_TO_POINTER(example->group), number;
    if (!g_hash_table_lookup_extended(numbers, key, NULL, &number)) {
      number = GUINT_TO_POINTER(g_hash_table_size(numbers));
      g_hash_table_insert(numbers, key, number);
    }
    example->group = GPOINTER_TO_UINT(number);
  }
  examples->n_groups = g_hash_table_size(numbers);
}
