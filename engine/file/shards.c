#include "file/shards.h"

#include <string.h>

#include "base/error.h"
#include "file/json.h"

#define MAX_SHARDS 256

/* Shards are in the folder of their index. A name that contains a path could lead anywhere. */
static gboolean is_plain_name(const char *name)
{
  return *name && !strchr(name, '/') && strcmp(name, ".") && strcmp(name, "..");
}

/* Opens the shard @name the first time.
 * Returns: (transfer none): the shard, which @shards owns */
static Safetensors *find_shard(const char *index, GHashTable *by_name, GPtrArray *shards,
                               const char *name, GError **error)
{
  Safetensors *shard = g_hash_table_lookup(by_name, name);
  if (shard)
    return shard;
  if (!is_plain_name(name) || shards->len == MAX_SHARDS) {
    vitgate__set_error(error, VITGATE_ERROR_FORMAT,
                       "%s: refers to the shard '%s', expected at most %d files in the same folder",
                       index, name, MAX_SHARDS);
    return NULL;
  }
  g_autofree char *folder = g_path_get_dirname(index);
  g_autofree char *path = g_build_filename(folder, name, NULL);
  if (!g_file_test(path, G_FILE_TEST_EXISTS)) {
    vitgate__set_error(
        error, VITGATE_ERROR_NOT_FOUND,
        "%s: the shard '%s' is missing; all shards must be in the folder of their index", index,
        name);
    return NULL;
  }
  shard = vitgate__safetensors_open(path, error);
  if (shard) {
    g_ptr_array_add(shards, shard);
    g_hash_table_insert(by_name, (char *)name, shard);
  }
  return shard;
}

static gboolean gather(const char *path, JsonObject *places, GPtrArray *shards, GArray *tensors,
                       GError **error)
{
  g_autoptr(GHashTable) by_name = g_hash_table_new(g_str_hash, g_str_equal);
  JsonObjectIter iter;
  const char *name;
  JsonNode *node;
  json_object_iter_init(&iter, places);
  while (json_object_iter_next(&iter, &name, &node)) {
    const char *shard_name = vitgate__json_get_string(places, name);
    Safetensors *shard = find_shard(path, by_name, shards, shard_name ? shard_name : "", error);
    const Tensor *tensor = shard ? vitgate__safetensors_find(shard, name) : NULL;
    if (shard && !tensor)
      vitgate__set_error(error, VITGATE_ERROR_FORMAT,
                         "%s: tensor '%s' is not in the shard '%s' that the index names", path,
                         name, shard_name);
    if (!tensor)
      return FALSE;
    g_array_append_val(tensors, *tensor);
  }
  return TRUE;
}

static void close_shard(gpointer shard)
{
  Safetensors *file = shard;
  vitgate__safetensors_close(&file);
}

Safetensors *vitgate__shards_open(const char *path, GError **error)
{
  const FileStamp stamp = vitgate__stamp_of_path(path);
  g_autoptr(JsonNode) index = vitgate__json_read_object(path, VITGATE_ERROR_FORMAT, error);
  if (!index)
    return NULL;
  JsonObject *places = vitgate__json_get_object(json_node_get_object(index), "weight_map");
  if (!places || !json_object_get_size(places)) {
    vitgate__set_error(error, VITGATE_ERROR_FORMAT,
                       "%s: has no 'weight_map' that says which shard holds each tensor", path);
    return NULL;
  }
  g_autoptr(GPtrArray) shards = g_ptr_array_new_with_free_func(close_shard);
  g_autoptr(GArray) tensors = g_array_new(FALSE, FALSE, sizeof(Tensor));
  if (!gather(path, places, shards, tensors, error))
    return NULL;
  return vitgate__safetensors_join(path, stamp, g_steal_pointer(&shards), tensors, error);
}
