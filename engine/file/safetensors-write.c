#include "file/safetensors-write.h"

#include <gio/gio.h>
#include <json-glib/json-glib.h>
#include <string.h>

#include "base/error.h"

static void add_entry(JsonBuilder *builder, const Tensor *tensor, gsize offset)
{
  json_builder_set_member_name(builder, tensor->name);
  json_builder_begin_object(builder);
  json_builder_set_member_name(builder, "dtype");
  json_builder_add_string_value(builder, vitgate__tensor_types[tensor->type].name);
  json_builder_set_member_name(builder, "shape");
  json_builder_begin_array(builder);
  for (guint i = 0; i < tensor->n_dims; i++)
    json_builder_add_int_value(builder, (gint64)tensor->shape[i]);
  json_builder_end_array(builder);
  json_builder_set_member_name(builder, "data_offsets");
  json_builder_begin_array(builder);
  json_builder_add_int_value(builder, (gint64)offset);
  json_builder_add_int_value(builder, (gint64)(offset + tensor->n_bytes));
  json_builder_end_array(builder);
  json_builder_end_object(builder);
}

/* Returns: (transfer full): the text of the header, padded with spaces to a multiple of 8 bytes */
static GString *build_header(const Tensor *const *tensors, guint n_tensors, GHashTable *metadata)
{
  g_autoptr(JsonBuilder) builder = json_builder_new();
  json_builder_begin_object(builder);
  if (metadata && g_hash_table_size(metadata)) {
    json_builder_set_member_name(builder, "__metadata__");
    json_builder_begin_object(builder);
    g_autoptr(GList) keys = g_list_sort(g_hash_table_get_keys(metadata), (GCompareFunc)strcmp);
    for (GList *key = keys; key; key = key->next) {
      json_builder_set_member_name(builder, key->data);
      json_builder_add_string_value(builder, g_hash_table_lookup(metadata, key->data));
    }
    json_builder_end_object(builder);
  }
  gsize offset = 0;
  for (guint i = 0; i < n_tensors; i++) {
    add_entry(builder, tensors[i], offset);
    offset += tensors[i]->n_bytes;
  }
  json_builder_end_object(builder);
  g_autoptr(JsonNode) root = json_builder_get_root(builder);
  g_autofree char *text = json_to_string(root, FALSE);
  GString *header = g_string_new(text);
  while (header->len % 8)
    g_string_append_c(header, ' ');
  return header;
}

static int compare_type(gconstpointer a, gconstpointer b)
{
  const Tensor *x = *(const Tensor *const *)a, *y = *(const Tensor *const *)b;
  gsize size_x = vitgate__tensor_types[x->type].size, size_y = vitgate__tensor_types[y->type].size;
  return size_x == size_y ? (x < y ? -1 : x > y) : size_x > size_y ? -1 : 1;
}

static gboolean write_tensor(GOutputStream *out, const Tensor *tensor, GError **error)
{
  if (tensor->data || !tensor->n_bytes)
    return g_output_stream_write_all(out, tensor->data, tensor->n_bytes, NULL, NULL, error);
  g_autofree gpointer bytes = g_try_malloc(tensor->n_bytes);
  if (!bytes) {
    vitgate__set_error(error, VITGATE_ERROR_MEMORY, "not enough memory for tensor '%s'",
                       tensor->name);
    return FALSE;
  }
  return vitgate__tensor_copy(bytes, tensor, error) &&
         g_output_stream_write_all(out, bytes, tensor->n_bytes, NULL, NULL, error);
}

gboolean vitgate__safetensors_write(const char *path, const Tensor *tensors, guint n_tensors,
                                    GHashTable *metadata, GError **error)
{
  /* Wider types come first, so that every tensor is aligned to its type without gaps. */
  g_autofree const Tensor **order = g_new(const Tensor *, n_tensors + 1);
  for (guint i = 0; i < n_tensors; i++)
    order[i] = &tensors[i];
  qsort(order, n_tensors, sizeof *order, compare_type);

  g_autoptr(GFile) destination = g_file_new_for_path(path);
  g_autoptr(GError) io_error = NULL;
  g_autoptr(GFileOutputStream) stream =
      g_file_replace(destination, NULL, FALSE, G_FILE_CREATE_REPLACE_DESTINATION, NULL, &io_error);
  GString *header = build_header(order, n_tensors, metadata);
  guint64 length = GUINT64_TO_LE(header->len);
  GOutputStream *out = G_OUTPUT_STREAM(stream);
  gboolean written =
      out && g_output_stream_write_all(out, &length, 8, NULL, NULL, &io_error) &&
      g_output_stream_write_all(out, header->str, header->len, NULL, NULL, &io_error);
  g_string_free(header, TRUE);
  for (guint i = 0; written && i < n_tensors; i++)
    written = write_tensor(out, order[i], &io_error);
  if (written) {
    written = g_output_stream_close(out, NULL, &io_error);
  } else if (out) {
    /* A cancelled close deletes the temporary file and leaves the destination unchanged. */
    g_autoptr(GCancellable) cancelled = g_cancellable_new();
    g_cancellable_cancel(cancelled);
    g_output_stream_close(out, cancelled, NULL);
  }
  if (!written)
    vitgate__set_error(error, io_error->domain == VITGATE_ERROR ? io_error->code : VITGATE_ERROR_IO,
                       "%s: cannot be written: %s", path, io_error->message);
  return written;
}
