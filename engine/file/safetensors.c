#include "file/safetensors.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/regular-file.h"
#include "file/json.h"
#include "file/other-formats.h"

/* Maximum size of a header. A thousand layers need a few megabytes. */
#define MAX_HEADER (4u << 20)

/* Number of bytes of a tensor that are read and converted at a time. */
#define PIECE 65536

const TensorTypeInfo vitgate__tensor_types[] = {
  [TENSOR_F32] = { "F32", 4 }, [TENSOR_F16] = { "F16", 2 }, [TENSOR_BF16] = { "BF16", 2 },
  [TENSOR_I8] = { "I8", 1 },   [TENSOR_U8] = { "U8", 1 },
};

struct _Safetensors {
  char *path;
  int fd; /* -1: the file is a join of parts */
  FileStamp stamp;
  GPtrArray *parts;
  JsonNode *header;  /* owns the tensors' names */
  GArray *tensors;   /* Tensor, in the order of their data */
  GHashTable *index; /* name → position in tensors, plus one */
  GStringChunk *names;
  GPtrArray *memory;
};

static gboolean read_type(const Safetensors *file, JsonObject *entry, Tensor *tensor,
                          GError **error)
{
  const char *name = vitgate__json_get_string(entry, "dtype");
  for (guint i = 0; name && i < G_N_ELEMENTS(vitgate__tensor_types); i++)
    if (!strcmp(name, vitgate__tensor_types[i].name)) {
      tensor->type = i;
      return TRUE;
    }
  vitgate__set_error(error, VITGATE_ERROR_UNSUPPORTED,
                     "%s: tensor '%s' is of type %s, expected F32, F16, BF16, I8 or U8", file->path,
                     tensor->name, name ? name : "(none)");
  return FALSE;
}

/* Returns: FALSE if the shape is invalid, or if the size in elements or bytes would overflow */
static gboolean read_shape(const Safetensors *file, JsonObject *entry, Tensor *tensor,
                           GError **error)
{
  JsonArray *shape = vitgate__json_get_array(entry, "shape");
  tensor->n_dims = shape ? json_array_get_length(shape) : 0;
  gboolean valid = shape && tensor->n_dims <= TENSOR_MAX_DIMS;
  gsize n = 1;
  for (guint i = 0; valid && i < tensor->n_dims; i++)
    valid = vitgate__json_get_count(json_array_get_element(shape, i), &tensor->shape[i]) &&
            g_size_checked_mul(&n, n, tensor->shape[i]);
  valid =
      valid && g_size_checked_mul(&tensor->n_bytes, n, vitgate__tensor_types[tensor->type].size);
  if (!valid)
    vitgate__set_error(error, VITGATE_ERROR_FORMAT,
                       "%s: tensor '%s' has no valid shape, expected up to %d dimensions",
                       file->path, tensor->name, TENSOR_MAX_DIMS);
  return valid;
}

/* @data: byte of the file at which the tensors' data begin */
static gboolean read_tensor(const Safetensors *file, const char *name, JsonNode *node, guint64 data,
                            guint64 data_size, Tensor *tensor, GError **error)
{
  tensor->name = name;
  tensor->file = file;
  JsonObject *entry = JSON_NODE_HOLDS_OBJECT(node) ? json_node_get_object(node) : NULL;
  JsonArray *offsets = entry ? vitgate__json_get_array(entry, "data_offsets") : NULL;
  guint64 begin, end;
  if (!offsets || json_array_get_length(offsets) != 2 ||
      !vitgate__json_get_count(json_array_get_element(offsets, 0), &begin) ||
      !vitgate__json_get_count(json_array_get_element(offsets, 1), &end)) {
    vitgate__set_error(error, VITGATE_ERROR_FORMAT, "%s: tensor '%s' has no valid data_offsets",
                       file->path, name);
    return FALSE;
  }
  if (!read_type(file, entry, tensor, error) || !read_shape(file, entry, tensor, error))
    return FALSE;
  if (begin > end || end > data_size) {
    vitgate__set_error(error, VITGATE_ERROR_FORMAT,
                       "%s: tensor '%s' lies at bytes %" G_GUINT64_FORMAT " to %" G_GUINT64_FORMAT
                       " of %" G_GUINT64_FORMAT " bytes of data",
                       file->path, name, begin, end, data_size);
    return FALSE;
  }
  if (end - begin != tensor->n_bytes) {
    g_autofree char *shape = vitgate__tensor_describe_shape(tensor->shape, tensor->n_dims);
    vitgate__set_error(error, VITGATE_ERROR_FORMAT,
                       "%s: tensor '%s' has %" G_GUINT64_FORMAT " bytes, expected %" G_GSIZE_FORMAT
                       " for %s %s",
                       file->path, name, end - begin, tensor->n_bytes,
                       vitgate__tensor_types[tensor->type].name, shape);
    return FALSE;
  }
  if (begin % vitgate__tensor_types[tensor->type].size) {
    vitgate__set_error(error, VITGATE_ERROR_FORMAT,
                       "%s: tensor '%s' starts at byte %" G_GUINT64_FORMAT
                       ", which is not aligned to its type %s",
                       file->path, name, begin, vitgate__tensor_types[tensor->type].name);
    return FALSE;
  }
  tensor->place = data + begin;
  return TRUE;
}

static int compare_place(gconstpointer a, gconstpointer b)
{
  const Tensor *x = a, *y = b;
  if (x->place != y->place)
    return x->place < y->place ? -1 : 1;
  return x->n_bytes < y->n_bytes ? -1 : x->n_bytes > y->n_bytes;
}

/* As the format requires, the tensors must cover the data without gaps or overlaps. */
static gboolean check_layout(const Safetensors *file, guint64 data, guint64 data_size,
                             GError **error)
{
  guint64 next = data;
  for (guint i = 0; i < file->tensors->len; i++) {
    const Tensor *tensor = &g_array_index(file->tensors, Tensor, i);
    if (tensor->place != next) {
      vitgate__set_error(
          error, VITGATE_ERROR_FORMAT, "%s: the data of tensor '%s' %s", file->path, tensor->name,
          tensor->place < next ? "overlaps that of another tensor" : "follows a gap");
      return FALSE;
    }
    next += tensor->n_bytes;
  }
  if (next != data + data_size) {
    vitgate__set_error(error, VITGATE_ERROR_FORMAT,
                       "%s: %" G_GUINT64_FORMAT " bytes at the end belong to no tensor", file->path,
                       data + data_size - next);
    return FALSE;
  }
  return TRUE;
}

static gboolean check_metadata(const Safetensors *file, JsonNode *node, GError **error)
{
  gboolean valid = JSON_NODE_HOLDS_OBJECT(node);
  JsonObjectIter iter;
  JsonNode *value;
  if (valid)
    json_object_iter_init(&iter, json_node_get_object(node));
  while (valid && json_object_iter_next(&iter, NULL, &value))
    valid = JSON_NODE_HOLDS_VALUE(value) && json_node_get_value_type(value) == G_TYPE_STRING;
  if (!valid)
    vitgate__set_error(error, VITGATE_ERROR_FORMAT,
                       "%s: __metadata__ is not an object that contains only strings", file->path);
  return valid;
}

static gboolean read_tensors(Safetensors *file, guint64 data, guint64 data_size, GError **error)
{
  JsonObjectIter iter;
  const char *name;
  JsonNode *node;
  json_object_iter_init(&iter, json_node_get_object(file->header));
  while (json_object_iter_next(&iter, &name, &node)) {
    Tensor tensor = { 0 };
    if (!strcmp(name, "__metadata__")) {
      if (!check_metadata(file, node, error))
        return FALSE;
    } else if (!read_tensor(file, name, node, data, data_size, &tensor, error)) {
      return FALSE;
    } else {
      g_array_append_val(file->tensors, tensor);
    }
  }
  g_array_sort(file->tensors, compare_place);
  for (guint i = 0; i < file->tensors->len; i++)
    g_hash_table_insert(file->index, (char *)g_array_index(file->tensors, Tensor, i).name,
                        GUINT_TO_POINTER(i + 1));
  return check_layout(file, data, data_size, error);
}

static gboolean open_file(Safetensors *file, GError **error)
{
  struct stat status;
  file->fd = vitgate__regular_file_open(file->path, &status);
  if (file->fd >= 0) {
    file->stamp = vitgate__stamp_of(&status);
    return TRUE;
  }
  const gboolean absent = errno == ENOENT;
  if (errno == EISDIR || errno == ENOTSUP)
    vitgate__set_error(error, VITGATE_ERROR_IO, "%s: is %s, expected a safetensors file",
                       file->path, errno == EISDIR ? "a directory" : "not a regular file");
  else
    vitgate__set_error(error, absent ? VITGATE_ERROR_NOT_FOUND : VITGATE_ERROR_IO,
                       absent ? "%s: no such file" : "%s: cannot be read: %s", file->path,
                       g_strerror(errno));
  return FALSE;
}

/* @what: name of the part that is read, for the error */
static gboolean read_at(const Safetensors *file, const char *what, guint64 place, gpointer bytes,
                        gsize n_bytes, GError **error)
{
  for (gsize done = 0; done < n_bytes;) {
    const gssize n = pread(file->fd, (guint8 *)bytes + done, n_bytes - done, (off_t)(place + done));
    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0) {
      vitgate__set_error(error, VITGATE_ERROR_IO, "%s: %s cannot be read: %s", file->path, what,
                         n ? g_strerror(errno) : "the file became shorter while it was being read");
      return FALSE;
    }
    done += (gsize)n;
  }
  return TRUE;
}

static Safetensors *new_file(const char *path)
{
  Safetensors *file = g_new0(Safetensors, 1);
  file->path = g_strdup(path);
  file->fd = -1;
  file->tensors = g_array_new(FALSE, FALSE, sizeof(Tensor));
  file->index = g_hash_table_new(g_str_hash, g_str_equal);
  file->names = g_string_chunk_new(4096);
  file->memory = g_ptr_array_new_with_free_func(g_free);
  return file;
}

/* Reads the length of the header. Returns: 0 with @error set if it cannot be right */
static guint64 read_header_size(const Safetensors *file, guint64 size, GError **error)
{
  char start[64] = { 0 };
  guint64 header_size = 0;
  const gsize known = MIN(size, sizeof start);
  if (!read_at(file, "the header", 0, start, known, error))
    return 0;
  memcpy(&header_size, start, 8);
  header_size = GUINT64_FROM_LE(header_size);
  if (size < 10 || header_size < 2 || start[8] != '{') {
    const char *foreign = size ? vitgate__other_format_describe(start, known) : NULL;
    vitgate__set_error(error, VITGATE_ERROR_FORMAT, "%s: %s", file->path,
                       foreign ? foreign
                       : size  ? "is not a safetensors file"
                               : "is empty");
    return 0;
  }
  if (header_size > MAX_HEADER || header_size > size - 8) {
    vitgate__set_error(error, VITGATE_ERROR_FORMAT,
                       "%s: the header claims %" G_GUINT64_FORMAT " bytes, but %" G_GUINT64_FORMAT
                       " follow and at most %u are allowed",
                       file->path, header_size, size - 8, MAX_HEADER);
    return 0;
  }
  if (header_size % 4) {
    vitgate__set_error(error, VITGATE_ERROR_FORMAT,
                       "%s: the header's length %" G_GUINT64_FORMAT " leaves the data unaligned",
                       file->path, header_size);
    return 0;
  }
  return header_size;
}

Safetensors *vitgate__safetensors_open(const char *path, GError **error)
{
  g_autoptr(Safetensors) file = new_file(path);
  if (!open_file(file, error))
    return NULL;
  const guint64 size = (guint64)file->stamp.size;
  const guint64 header_size = read_header_size(file, size, error);
  g_autofree char *header = header_size ? g_malloc(header_size) : NULL;
  if (!header || !read_at(file, "the header", 8, header, header_size, error))
    return NULL;
  file->header = vitgate__json_parse_object(header, header_size, path, VITGATE_ERROR_FORMAT, error);
  if (!file->header || !read_tensors(file, 8 + header_size, size - 8 - header_size, error))
    return NULL;
  return g_steal_pointer(&file);
}

Safetensors *vitgate__safetensors_join(const char *path, FileStamp stamp, GPtrArray *parts,
                                       const GArray *tensors, GError **error)
{
  g_autoptr(Safetensors) file = new_file(path);
  file->stamp = stamp;
  file->parts = parts;
  return vitgate__safetensors_replace(file, tensors, error) ? g_steal_pointer(&file) : NULL;
}

void vitgate__safetensors_close(Safetensors **file)
{
  Safetensors *f = g_steal_pointer(file);
  if (!f)
    return;
  g_ptr_array_unref(f->memory);
  g_string_chunk_free(f->names);
  g_hash_table_unref(f->index);
  g_array_unref(f->tensors);
  g_clear_pointer(&f->header, json_node_unref);
  if (f->fd >= 0)
    close(f->fd);
  g_clear_pointer(&f->parts, g_ptr_array_unref);
  g_free(f->path);
  g_free(f);
}

const char *vitgate__safetensors_get_path(const Safetensors *file)
{
  return file->path;
}

void vitgate__safetensors_identify(const Safetensors *file, Identity *identity)
{
  vitgate__identity_add(identity, file->path, file->stamp);
  for (guint i = 0; file->parts && i < file->parts->len; i++)
    vitgate__safetensors_identify(g_ptr_array_index(file->parts, i), identity);
}

const Tensor *vitgate__safetensors_find(const Safetensors *file, const char *name)
{
  guint position = GPOINTER_TO_UINT(g_hash_table_lookup(file->index, name));
  return position ? &g_array_index(file->tensors, Tensor, position - 1) : NULL;
}

const Tensor *vitgate__safetensors_list(const Safetensors *file, guint *n_tensors)
{
  *n_tensors = file->tensors->len;
  return (const Tensor *)(gpointer)file->tensors->data;
}

gpointer vitgate__safetensors_allocate(Safetensors *file, const char *name, gsize n_bytes,
                                       GError **error)
{
  gpointer memory = g_try_malloc(MAX(n_bytes, 1));
  if (memory)
    g_ptr_array_add(file->memory, memory);
  else
    vitgate__set_error(error, VITGATE_ERROR_MEMORY, "%s: not enough memory for tensor '%s'",
                       file->path, name);
  return memory;
}

const char *vitgate__safetensors_intern(Safetensors *file, const char *name)
{
  return g_string_chunk_insert_const(file->names, name);
}

Tensor *vitgate__tensors_find(const GArray *tensors, const char *name)
{
  for (guint i = 0; i < tensors->len; i++)
    if (!strcmp(g_array_index(tensors, Tensor, i).name, name))
      return &g_array_index(tensors, Tensor, i);
  return NULL;
}

gboolean vitgate__safetensors_replace(Safetensors *file, const GArray *tensors, GError **error)
{
  g_hash_table_remove_all(file->index);
  g_array_set_size(file->tensors, 0);
  g_array_append_vals(file->tensors, tensors->data, tensors->len);
  for (guint i = 0; i < tensors->len; i++) {
    const char *name = g_array_index(tensors, Tensor, i).name;
    if (!g_hash_table_insert(file->index, (char *)name, GUINT_TO_POINTER(i + 1))) {
      vitgate__set_error(error, VITGATE_ERROR_FORMAT, "%s: two tensors map to the name '%s'",
                         file->path, name);
      return FALSE;
    }
  }
  return TRUE;
}

const char *vitgate__safetensors_get_metadata(const Safetensors *file, const char *key)
{
  JsonObject *metadata =
      file->header ? vitgate__json_get_object(json_node_get_object(file->header), "__metadata__")
                   : NULL;
  return metadata ? vitgate__json_get_string(metadata, key) : NULL;
}

gboolean vitgate__safetensors_check_unchanged(const Safetensors *file, GError **error)
{
  for (guint i = 0; file->parts && i < file->parts->len; i++)
    if (!vitgate__safetensors_check_unchanged(g_ptr_array_index(file->parts, i), error))
      return FALSE;
  struct stat status;
  if (file->fd < 0 || (!fstat(file->fd, &status) &&
                       vitgate__stamp_same_contents(vitgate__stamp_of(&status), file->stamp)))
    return TRUE;
  vitgate__set_error(error, VITGATE_ERROR_IO, "%s: the file was changed while it was being read",
                     file->path);
  return FALSE;
}

gsize vitgate__tensor_n_elements(const Tensor *tensor)
{
  return tensor->n_bytes / vitgate__tensor_types[tensor->type].size;
}

/* Converts IEEE 754 binary16 to binary32. The multiplication also scales subnormal numbers. */
static float half_to_float(guint16 half)
{
  guint32 sign = (guint32)(half & 0x8000) << 16, rest = half & 0x7fff;
  union {
    guint32 bits;
    float value;
  } u;
  if (rest >= 0x7c00) {
    u.bits = sign | 0x7f800000 | (rest & 0x3ff) << 13;
    return u.value;
  }
  u.bits = rest << 13;
  u.value *= 0x1p112f;
  u.bits |= sign;
  return u.value;
}

static void convert(float *values, TensorType type, gconstpointer elements, gsize n)
{
  const guint16 *halves = elements;
  const gint8 *bytes = elements;
  switch (type) {
  case TENSOR_F32:
    memcpy(values, elements, n * sizeof *values);
    break;
  case TENSOR_F16:
    for (gsize i = 0; i < n; i++)
      values[i] = half_to_float(halves[i]);
    break;
  case TENSOR_BF16:
    for (gsize i = 0; i < n; i++) {
      guint32 bits = (guint32)halves[i] << 16;
      memcpy(&values[i], &bits, 4);
    }
    break;
  case TENSOR_I8:
    for (gsize i = 0; i < n; i++)
      values[i] = bytes[i];
    break;
  case TENSOR_U8:
    for (gsize i = 0; i < n; i++)
      values[i] = (guint8)bytes[i];
    break;
  }
}

/* Reads bytes of a tensor that is not in memory. */
static gboolean read_part(const Tensor *tensor, gsize from, gpointer bytes, gsize n_bytes,
                          GError **error)
{
  g_autofree char *what = g_strdup_printf("tensor '%s'", tensor->name);
  return read_at(tensor->file, what, tensor->place + from, bytes, n_bytes, error);
}

gboolean vitgate__tensor_copy(gpointer bytes, const Tensor *tensor, GError **error)
{
  if (!tensor->data)
    return !tensor->n_bytes || read_part(tensor, 0, bytes, tensor->n_bytes, error);
  memcpy(bytes, tensor->data, tensor->n_bytes);
  return TRUE;
}

gboolean vitgate__tensor_to_float(float *values, const Tensor *tensor, GError **error)
{
  guint32 piece[PIECE / sizeof(guint32)];
  const gsize size = vitgate__tensor_types[tensor->type].size;
  if (tensor->type == TENSOR_F32)
    return vitgate__tensor_copy(values, tensor, error);
  if (tensor->data) {
    convert(values, tensor->type, tensor->data, tensor->n_bytes / size);
    return TRUE;
  }
  for (gsize from = 0, n; from < tensor->n_bytes; from += n) {
    n = MIN(PIECE, tensor->n_bytes - from);
    if (!read_part(tensor, from, piece, n, error))
      return FALSE;
    convert(values + from / size, tensor->type, piece, n / size);
  }
  return TRUE;
}

char *vitgate__tensor_describe_shape(const guint64 *shape, guint n_dims)
{
  GString *text = g_string_new("[");
  for (guint i = 0; i < n_dims; i++)
    g_string_append_printf(text, "%s%" G_GUINT64_FORMAT, i ? ", " : "", shape[i]);
  return g_string_free(g_string_append_c(text, ']'), FALSE);
}
