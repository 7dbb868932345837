#include "teach/taught-file.h"

#include <string.h>

#include "file/architecture.h"
#include "file/description-json.h"
#include "file/safetensors-write.h"
#include "teach/stored-examples.h"
#include "teach/tail.h"
#include "write/encoded-tensors.h"

#define GROWTH 0.05 /* by which the file may be larger than its base */
#define MARGIN 4096 /* bytes for the tensors' names in the header */

/* Bytes that features may take in any case: 5 % of a very small model is nothing. */
#define MIN_STORED 65536

/* @precision: as in a description */
static VitgatePrecision precision_of(const char *precision)
{
  return precision && !strcmp(precision, "int8")       ? VITGATE_PRECISION_INT8
         : precision && !strcmp(precision, "bfloat16") ? VITGATE_PRECISION_BF16
                                                       : VITGATE_PRECISION_FLOAT32;
}

/* Adds a head for the values from @first on.
 * @factor: 2 for each of two heads, whose mean counts */
static void add_head(EncodedTensors *storage, const char *name, const Taught *taught, guint first,
                     guint n, float factor)
{
  const guint n_classes = taught->examples->labels->len, f = taught->examples->n_features;
  const guint64 shape[] = { n_classes, n };
  g_autofree float *weights = g_new(float, (gsize)n_classes *n);
  char *weight_name = g_strconcat(name, ".weight", NULL);
  char *bias_name = g_strconcat(name, ".bias", NULL);
  g_ptr_array_add(storage->owned, weight_name);
  g_ptr_array_add(storage->owned, bias_name);
  for (guint c = 0; c < n_classes; c++)
    for (guint k = 0; k < n; k++)
      weights[(gsize)c * n + k] = factor * taught->weights[(gsize)c * f + first + k];
  encoded_tensors_add(storage, weight_name, shape, 2, weights);
  encoded_tensors_add(storage, bias_name, shape, 1, taught->bias);
}

static void add_distance(EncodedTensors *storage, const OwnDistance *distance)
{
  const guint f = distance->n_features;
  const guint64 square[] = { f, f }, points[] = { distance->n_classes, f };
  g_autofree float *values = g_new(float, (gsize)MAX(f, distance->n_classes) * f);
  for (gsize i = 0; i < (gsize)f * f; i++)
    values[i] = (float)distance->whitening[i];
  encoded_tensors_add(storage, "unknown.whitening", square, 2, values);
  for (gsize i = 0; i < (gsize)distance->n_classes * f; i++)
    values[i] = (float)distance->points[i];
  encoded_tensors_add(storage, "unknown.means", points, 2, values);
}

static gboolean is_replaced(const char *name)
{
  return g_str_has_prefix(name, "head.") || g_str_has_prefix(name, "head_dist.") ||
         g_str_has_prefix(name, "unknown.") || g_str_has_prefix(name, "teach.");
}

static gint64 count_bytes(const Tensor *tensors, guint n)
{
  gint64 sum = 0;
  for (guint i = 0; i < n; i++)
    sum += (gint64)tensors[i].n_bytes;
  return sum;
}

static gint64 count_json(const Description *description)
{
  g_autofree char *text = vitgate__description_to_json(description);
  return (gint64)strlen(text);
}

/* Returns: the size of the file that was taught first, without which --add could make it larger and
 * larger */
static gint64 find_base_bytes(const Source *source, const Description *d)
{
  guint n;
  const Tensor *tensors = vitgate__safetensors_list(source->file, &n);
  const gint64 now = count_bytes(tensors, n) + count_json(d);
  const gint64 first =
      d->teach ? json_object_get_int_member_with_default(d->teach, "base_bytes", now) : now;
  return first > 0 ? MIN(first, now) : now;
}

/* Replaces what the base says of its classes. */
static void describe(Description *d, const Taught *taught)
{
  const guint n = taught->examples->labels->len;
  g_strfreev(d->labels);
  g_clear_pointer(&d->label_ids, g_strfreev);
  d->labels = g_new0(char *, n + 1);
  for (guint c = 0; c < n; c++)
    d->labels[c] = g_strdup(taught->examples->labels->pdata[c]);
  if (taught->ids)
    d->label_ids = g_strdupv(d->labels);
  d->n_classes = n;
  d->activation = taught->sigmoid ? VITGATE_ACTIVATION_SIGMOID : VITGATE_ACTIVATION_SOFTMAX;
  g_free(d->name);
  d->name = g_strdup(taught->name);
  vitgate__description_clear_taught(d);
  g_clear_pointer(&d->thresholds, g_free);
  if (taught->thresholds)
    d->thresholds = g_memdup2(taught->thresholds, n * sizeof(double));
  if (taught->distance)
    d->unknown = (UnknownScale){ TRUE, taught->distance->median, taught->distance->limit };
  g_clear_pointer(&d->provenance, json_object_unref);
  d->provenance = json_object_ref(taught->provenance);
}

static EncodedTensors *make_head(const Description *d, const Taught *taught)
{
  EncodedTensors *storage = encoded_tensors_new(precision_of(d->precision));
  const guint f = taught->examples->n_features;
  if (f > d->dim) {
    add_head(storage, "head", taught, 0, d->dim, 2);
    add_head(storage, "head_dist", taught, d->dim, d->dim, 2);
  } else {
    add_head(storage, "head", taught, 0, f, 1);
  }
  if (taught->distance)
    add_distance(storage, taught->distance);
  return storage;
}

static gboolean write_tensors(const char *path, const Description *d, const GArray *tensors,
                              GError **error)
{
  g_autofree char *text = vitgate__description_to_json(d);
  g_autoptr(GHashTable) metadata = g_hash_table_new(g_str_hash, g_str_equal);
  g_hash_table_insert(metadata, "vitgate", text);
  g_hash_table_insert(metadata, "format", "pt"); /* required by Python's loaders */
  return vitgate__safetensors_write(path, (const Tensor *)(gpointer)tensors->data, tensors->len,
                                    metadata, error);
}

/* Adds a tensor of a network's last blocks, by its name in the whole network. */
static void add_tail_tensor(EncodedTensors *storage, const Network *network, const Parameter *p,
                            guint first)
{
  char *name = tail_whole_name(p->name, first);
  g_ptr_array_add(storage->owned, name);
  encoded_tensors_add(storage, name, p->shape, p->n_dims, network->values + p->offset);
}

/* LayerScale is part of the weights that were trained. */
static void add_scales_of_one(EncodedTensors *storage, const Description *tail, guint first)
{
  g_autofree float *ones = g_new(float, tail->dim);
  const guint64 shape[] = { tail->dim };
  for (guint k = 0; k < tail->dim; k++)
    ones[k] = 1;
  for (guint i = 0; tail->layer_scale && i < 2 * tail->depth; i++) {
    const BlockShape *shape_of = &tail->blocks[i / 2];
    char *name = g_strdup_printf("blocks.%u.ls%u.gamma", first + i / 2, i % 2 + 1);
    g_ptr_array_add(storage->owned, name);
    if (i % 2 ? shape_of->neurons : shape_of->heads)
      encoded_tensors_add(storage, name, shape, 1, ones);
  }
}

gboolean taught_file_write_tail(const char *path, const Source *source, const Description *d,
                                const Network *network, guint first, GError **error)
{
  guint n;
  const Tensor *base = vitgate__safetensors_list(source->file, &n);
  g_autoptr(GArray) tensors = g_array_new(FALSE, FALSE, sizeof(Tensor));
  g_autoptr(EncodedTensors) tail = encoded_tensors_new(precision_of(d->precision));
  g_autoptr(GHashTable) replaced = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
  for (guint i = 0; i < network->parameters->len; i++) {
    const Parameter *p = &g_array_index(network->parameters, Parameter, i);
    if (!p->fixed && !is_replaced(p->name))
      add_tail_tensor(tail, network, p, first);
  }
  add_scales_of_one(tail, network->description, first);
  for (guint i = 0; i < tail->tensors->len; i++) {
    const char *name = g_array_index(tail->tensors, Tensor, i).name;
    g_hash_table_add(replaced, g_strdup(name));
    g_hash_table_add(replaced, g_strconcat(name, "_scale", NULL));
  }
  for (guint i = 0; i < n; i++)
    if (!g_hash_table_contains(replaced, base[i].name))
      g_array_append_val(tensors, base[i]);
  g_array_append_vals(tensors, tail->tensors->data, tail->tensors->len);
  return write_tensors(path, d, tensors, error);
}

gboolean taught_file_write(const char *path, const Source *source, Description *d, Taught *taught,
                           GError **error)
{
  guint n;
  const Tensor *base = vitgate__safetensors_list(source->file, &n);
  g_autoptr(GArray) tensors = g_array_new(FALSE, FALSE, sizeof(Tensor));
  g_autoptr(EncodedTensors) head = make_head(d, taught), stored = NULL;
  const gint64 base_bytes = find_base_bytes(source, d);
  const gint64 allowed = (gint64)((1 + GROWTH) * (double)base_bytes);
  for (guint i = 0; i < n; i++)
    if (!is_replaced(base[i].name))
      g_array_append_val(tensors, base[i]);
  g_array_append_vals(tensors, head->tensors->data, head->tensors->len);
  describe(d, taught);
  const Tensor *list = (const Tensor *)(gpointer)tensors->data;
  const gint64 left = allowed - count_bytes(list, tensors->len) - count_json(d) - MARGIN;
  if (!taught->forget)
    d->teach = stored_examples_write(taught->examples, taught->sigmoid, MAX(left, MIN_STORED),
                                     &stored, &taught->n_stored);
  if (stored) {
    json_object_set_int_member(d->teach, "base_bytes", base_bytes);
    const Tensor *rows = (const Tensor *)(gpointer)stored->tensors->data;
    g_array_append_vals(tensors, rows, stored->tensors->len);
    d->n_views = (guint)rows->shape[0];
    if (taught->tuned)
      json_object_set_boolean_member(d->teach, "tuned", TRUE);
  }
  return write_tensors(path, d, tensors, error);
}
