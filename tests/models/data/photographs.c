#include "photographs.h"
#include "file/architecture.h"
#include "file/description-json.h"
#include "file/tensor-specs.h"

#include <stdlib.h>

#include "base/random.h"
#include "file/description.h"
#include "file/safetensors-write.h"
#include "fixtures.h"
#include "network/families/families.h"

void photographs_write(const char *root, const char *name, guint width, guint height, guint seed)
{
  g_autoptr(GdkPixbuf) pixels =
      gdk_pixbuf_new(GDK_COLORSPACE_RGB, FALSE, 8, (int)width, (int)height);
  guint8 *bytes = gdk_pixbuf_get_pixels(pixels);
  Random random = { random_key(seed, width, height) };
  for (gsize i = 0; i < gdk_pixbuf_get_byte_length(pixels); i++)
    bytes[i] = (guint8)random_below(&random, 256);
  g_autofree char *file = NULL;
  gsize n_bytes;
  ck_assert(
      gdk_pixbuf_save_to_buffer(pixels, &file, &n_bytes, "png", NULL, "compression", "1", NULL));
  fixtures_write(root, name, file, (gssize)n_bytes);
}

void photographs_write_broken(const char *root, const char *name)
{
  g_autoptr(GBytes) file = fixtures_noise("jpeg", 64, 64);
  fixtures_write(root, name, g_bytes_get_data(file, NULL), (gssize)g_bytes_get_size(file) / 2);
}

VitgateModel *photographs_model(const char *root, guint size, guint resize)
{
  char *labels[] = { "cat", "cow", "dog", "hen", NULL };
  const Description description = {
    .family = &vitgate__family_vit,
    .name = "tiny",
    .image_size = size,
    .patch_size = size / 2,
    .dim = 4,
    .head_dim = 2,
    .n_classes = 4,
    .labels = labels,
    .layer_norm_eps = 1e-6,
    .preprocessing = { .resize = resize,
                       .bicubic = TRUE,
                       .mean = { 0.485f, 0.456f, 0.406f },
                       .std = { 0.229f, 0.224f, 0.225f } },
    .dense_gmacs = 1e-6,
    .dense_parameters = 1000,
    .default_compute = 1,
  };
  g_autoptr(GArray) specs = vitgate__description_tensors(&description);
  g_autofree Tensor *tensors = g_new0(Tensor, specs->len);
  g_autofree float *zeros = g_new0(float, (gsize)3 * size * size);
  for (guint i = 0; i < specs->len; i++) {
    const TensorSpec *spec = &g_array_index(specs, TensorSpec, i);
    Tensor tensor = { .name = spec->name, .type = TENSOR_F32, .n_dims = spec->n_dims };
    tensor.data = zeros;
    tensor.n_bytes = sizeof(float);
    for (guint d = 0; d < spec->n_dims; d++) {
      tensor.shape[d] = spec->shape[d];
      tensor.n_bytes *= spec->shape[d];
    }
    tensors[i] = tensor;
  }
  g_autoptr(GHashTable) metadata = g_hash_table_new(g_str_hash, g_str_equal);
  g_autofree char *json = vitgate__description_to_json(&description);
  g_hash_table_insert(metadata, "vitgate", json);

  g_autoptr(GError) error = NULL;
  g_autofree char *path = g_strdup_printf("%s/model-%u-%u.safetensors", root, size, resize);
  gboolean written = vitgate__safetensors_write(path, tensors, specs->len, metadata, &error);
  VitgateModel *model = written ? vitgate_model_open(path, &error) : NULL;
  ck_assert_msg(model != NULL, "%s", error ? error->message : "");
  return model;
}

Collection *photographs_collection(const char *root, guint size, const CollectionOptions *options)
{
  g_autoptr(VitgateModel) model = photographs_model(root, size, size + size / 8);
  g_autofree char *data = g_build_filename(root, "data", NULL);
  const char *paths[] = { data, NULL };
  CollectionOptions all = { .memory = COLLECTION_MEMORY };
  if (options)
    all = *options;
  all.paths = paths;
  g_autoptr(GError) error = NULL;
  Collection *collection = collection_open(&all, vitgate_model_get_info(model), &error);
  ck_assert_msg(collection != NULL, "%s", error ? error->message : "");
  return collection;
}
