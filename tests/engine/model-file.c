#include "model-file.h"

#include <glib/gstdio.h>

#include "file/architecture.h"
#include "file/description-json.h"
#include "file/tensor-specs.h"
#include "network/families/families.h"

#include "file/safetensors-write.h"
#include "fixture.h"

struct _ModelFile {
  GArray *tensors;       /* Tensor, owning name and data */
  JsonNode *description; /* NULL if text is used instead */
  char *text;
};

static void clear_tensor(gpointer item)
{
  Tensor *tensor = item;
  g_free((char *)tensor->name);
  g_free((gpointer)tensor->data);
}

static ModelFile *new_file(const char *description)
{
  ModelFile *file = g_new0(ModelFile, 1);
  file->tensors = g_array_new(FALSE, FALSE, sizeof(Tensor));
  g_array_set_clear_func(file->tensors, clear_tensor);
  file->description = description ? json_from_string(description, NULL) : NULL;
  return file;
}

void model_file_free(ModelFile *file)
{
  g_array_unref(file->tensors);
  g_clear_pointer(&file->description, json_node_unref);
  g_free(file->text);
  g_free(file);
}

ModelFile *model_file_read(const char *name)
{
  g_autoptr(Safetensors) golden = fixture_open_golden("model", name);
  ModelFile *file = new_file(vitgate__safetensors_get_metadata(golden, "vitgate"));
  guint n;
  const Tensor *tensors = vitgate__safetensors_list(golden, &n);
  for (guint i = 0; i < n; i++) {
    Tensor copy = tensors[i];
    copy.name = g_strdup(copy.name);
    copy.data = g_memdup2(copy.data, copy.n_bytes);
    g_array_append_val(file->tensors, copy);
  }
  return file;
}

ModelFile *model_file_new(const Description *description)
{
  g_autofree char *json = vitgate__description_to_json(description);
  g_autoptr(GArray) specs = vitgate__description_tensors(description);
  ModelFile *file = new_file(json);
  guint32 random = 1;
  for (guint i = 0; i < specs->len; i++) {
    const TensorSpec *spec = &g_array_index(specs, TensorSpec, i);
    Tensor *tensor = model_file_put(file, spec->name, TENSOR_F32, spec->n_dims, spec->shape);
    for (gsize j = 0; j < vitgate__tensor_n_elements(tensor); j++)
      ((float *)tensor->data)[j] = fixture_uniform(&random, -0.25f, 0.25f);
  }
  return file;
}

ModelFile *model_file_tiny(void)
{
  Description d = {
    .family = &vitgate__family_vit,
    .name = "tiny",
    .image_size = 4,
    .patch_size = 2,
    .dim = 4,
    .head_dim = 2,
    .n_classes = 3,
    .layer_norm_eps = 1e-6,
    .preprocessing = { .resize = 5,
                       .bicubic = TRUE,
                       .mean = { 0.5f, 0.5f, 0.5f },
                       .std = { 0.5f, 0.5f, 0.5f } },
    .dense_gmacs = 1e-6,
    .dense_parameters = 1000,
  };
  return model_file_new(&d);
}

guint model_file_n_tensors(const ModelFile *file)
{
  return file->tensors->len;
}

Tensor *model_file_tensor(ModelFile *file, guint i)
{
  return &g_array_index(file->tensors, Tensor, i);
}

static int position(ModelFile *file, const char *name)
{
  for (guint i = 0; i < file->tensors->len; i++)
    if (!strcmp(model_file_tensor(file, i)->name, name))
      return (int)i;
  return -1;
}

Tensor *model_file_find(ModelFile *file, const char *name)
{
  int i = position(file, name);
  ck_assert_msg(i >= 0, "the model has no tensor '%s'", name);
  return model_file_tensor(file, (guint)i);
}

void model_file_remove(ModelFile *file, const char *name)
{
  int i = position(file, name);
  if (i >= 0)
    g_array_remove_index(file->tensors, (guint)i);
}

Tensor *model_file_put(ModelFile *file, const char *name, TensorType type, guint n_dims,
                       const guint64 *shape)
{
  Tensor tensor = { .name = g_strdup(name), .type = type, .n_dims = n_dims };
  tensor.n_bytes = vitgate__tensor_types[type].size;
  for (guint i = 0; i < n_dims; i++) {
    tensor.shape[i] = shape[i];
    tensor.n_bytes *= shape[i];
  }
  tensor.data = g_malloc0(tensor.n_bytes);
  model_file_remove(file, name);
  g_array_append_val(file->tensors, tensor);
  return &g_array_index(file->tensors, Tensor, file->tensors->len - 1);
}

void model_file_set(ModelFile *file, const char *field, const char *json)
{
  g_auto(GStrv) parts = g_strsplit(field, ".", -1);
  JsonObject *object = json_node_get_object(file->description);
  guint last = g_strv_length(parts) - 1;
  for (guint i = 0; i < last; i++)
    object = json_object_get_object_member(object, parts[i]);
  if (json) {
    JsonNode *value = json_from_string(json, NULL);
    ck_assert_msg(value != NULL, "the test's JSON is wrong: %s", json);
    json_object_set_member(object, parts[last], value);
  } else {
    json_object_remove_member(object, parts[last]);
  }
}

void model_file_describe(ModelFile *file, const char *text)
{
  g_clear_pointer(&file->description, json_node_unref);
  g_free(file->text);
  file->text = g_strdup(text);
}

char *model_file_write(ModelFile *file, const char *name)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(GHashTable) metadata = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, g_free);
  char *text = file->description ? json_to_string(file->description, FALSE) : g_strdup(file->text);
  if (text)
    g_hash_table_insert(metadata, "vitgate", text);
  char *path = fixture_path(name);
  gboolean written = vitgate__safetensors_write(path, (const Tensor *)(gpointer)file->tensors->data,
                                                file->tensors->len, metadata, &error);
  assert_success(written, error);
  return path;
}

VitgateModel *model_file_open(ModelFile *file, const char *name)
{
  g_autofree char *path = model_file_write(file, name);
  return fixture_open_model(path);
}

void model_file_refuse(ModelFile *file, VitgateError code, const char *part)
{
  g_autoptr(GError) error = NULL;
  g_autofree char *path = model_file_write(file, "bad.safetensors");
  ck_assert_ptr_null(vitgate_model_open(path, &error));
  ck_assert_msg(strstr(error->message, path) != NULL, "\"%s\" does not name the file",
                error->message);
  assert_error(error, code, part);
  ck_assert_ptr_null(vitgate_model_open(path, NULL));
  g_remove(path); /* replacing a file would wait for the disk */
}
