/* Reads any text as the config.json of weights and, after a byte 0, as their
 * preprocessor_config.json. Text that is accepted gives a description that a model file can hold.
 */
#include "file/config.h"

#include <glib/gstdio.h>
#include <string.h>

#include "fuzz.h"
#include "network/families/families.h"

/* Writes the file, or deletes it if @data is NULL. */
static void write_file(const char *name, const guint8 *data, gsize size)
{
  g_autofree char *path = g_build_filename(fuzz_folder(), name, NULL);
  if (!data) {
    g_unlink(path);
    return;
  }
  FILE *file = g_fopen(path, "wb");
  require(file && fwrite(data, 1, size, file) == size && fclose(file) == 0);
}

static void write_files(const guint8 *data, gsize size)
{
  const guint8 *end = size ? memchr(data, 0, size) : NULL;
  const gsize n = end ? (gsize)(end - data) : size;
  write_file("config.json", n ? data : NULL, n);
  write_file("preprocessor_config.json", end ? end + 1 : NULL, end ? size - n - 1 : 0);
}

/* Returns: (transfer full): a description of the weights that the corpus fits: 3 classes, images of
 * 32 pixels */
static Description *describe_weights(void)
{
  Description *description = g_new(Description, 1);
  *description = (Description){
    .family = &vitgate__family_vit,
    .name = g_strdup("weights"),
    .image_size = 32,
    .patch_size = 8,
    .dim = 64,
    .head_dim = 16,
    .depth = 1,
    .blocks = g_new0(BlockShape, 1),
    .n_classes = 3,
    .layer_norm_eps = 1e-6,
    .precision = "float32",
    .preprocessing = { 36, TRUE, { 0.5f, 0.5f, 0.5f }, { 0.5f, 0.5f, 0.5f } },
  };
  description->blocks[0] = (BlockShape){ .heads = 4, .neurons = 32 };
  return description;
}

static void check_description(const Description *description)
{
  const Preprocessing *p = &description->preprocessing;
  require(p->resize >= description->image_size && p->resize <= 4 * DESCRIPTION_MAX_IMAGE);
  for (guint c = 0; c < 3; c++)
    require(p->mean[c] >= 0 && p->mean[c] <= 1 && p->std[c] > 0 && p->std[c] <= 1);
  require(!description->labels || g_strv_length(description->labels) == description->n_classes);
  require(!description->label_ids ||
          g_strv_length(description->label_ids) == description->n_classes);
  require(description->layer_norm_eps > 0 && description->layer_norm_eps <= 1);
}

static void use_config(const Config *config)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(Description) description = describe_weights();
  Hints hints = { 0 };
  gboolean class_token;
  gboolean good = vitgate__config_pools(config, &class_token, &error) &&
                  vitgate__config_hint(config, &hints, &error);
  if (!fuzz_succeeded(good, error))
    return;
  if (hints.layer_norm_eps > 0)
    description->layer_norm_eps = hints.layer_norm_eps;
  good = vitgate__config_apply(config, description, &error);
  if (fuzz_succeeded(good, error))
    check_description(description);
}

int LLVMFuzzerTestOneInput(const guint8 *data, gsize size)
{
  write_files(data, size);
  g_autofree char *weights = g_build_filename(fuzz_folder(), "model.safetensors", NULL);
  g_autoptr(GError) error = NULL;
  Config config;
  const gboolean good = vitgate__config_read(&config, weights, &error);
  if (fuzz_succeeded(good, error))
    use_config(&config);
  vitgate__config_clear(&config);
  return 0;
}
