/* Opens any bytes as a weights file. The file is refused, or all of its content can be read. */
#include <string.h>

#include "file/architecture.h"
#include "file/source.h"
#include "fuzz.h"

size_t LLVMFuzzerMutate(guint8 *data, gsize size, gsize max_size);
size_t LLVMFuzzerCustomMutator(guint8 *data, gsize size, gsize max_size, guint seed);

/* Reads all values of a tensor. */
static void use_tensor(const Safetensors *file, const Tensor *tensor)
{
  require(vitgate__safetensors_find(file, tensor->name) == tensor);
  const gsize n = vitgate__tensor_n_elements(tensor);
  g_autofree float *values = g_new(float, n + 1);
  require(vitgate__tensor_to_float(values, tensor, NULL));
  volatile float sum = 0;
  for (gsize i = 0; i < n; i++)
    sum = sum + values[i];
  g_autofree char *shape = vitgate__tensor_describe_shape(tensor->shape, tensor->n_dims);
  require(shape[0] == '[');
}

static void use_tensors(const Safetensors *file)
{
  guint n;
  const Tensor *tensors = vitgate__safetensors_list(file, &n);
  for (guint i = 0; i < n; i++)
    use_tensor(file, &tensors[i]);
}

static void use_container(const char *path)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(Safetensors) file = vitgate__safetensors_open(path, &error);
  if (fuzz_succeeded(file != NULL, error))
    use_tensors(file);
}

/* Opens the file with its names translated to timm's. */
static void use_source(const char *path)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(Source) source = vitgate__source_open(path, &error);
  if (!fuzz_succeeded(source != NULL, error))
    return;
  use_tensors(source->file);
  g_autoptr(Description) description = vitgate__source_describe(source, 0, &error);
  if (fuzz_succeeded(description != NULL, error))
    require(vitgate__description_gmacs(description) > 0 &&
            vitgate__description_parameters(description) > 0);
}

static void use_model(const char *path)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(VitgateModel) model = vitgate_model_open_with(path, VITGATE_PRECISION_FLOAT32, &error);
  if (fuzz_succeeded(model != NULL, error))
    require(vitgate_model_get_info(model)->gmacs > 0);
}

int LLVMFuzzerTestOneInput(const guint8 *data, gsize size)
{
  const char *path = fuzz_file(data, size);
  use_container(path);
  use_source(path);
  use_model(path);
  return 0;
}

/* Corrects the length of the header in half of the mutations, so that more pass the first check. */
size_t LLVMFuzzerCustomMutator(guint8 *data, gsize size, gsize max_size, guint seed)
{
  guint64 length = 0;
  if (size >= sizeof length)
    memcpy(&length, data, sizeof length);
  length = GUINT64_FROM_LE(length);
  const gboolean whole = size >= 8 && length <= size - 8;
  const gsize n_data = whole ? size - 8 - length : 0;
  size = LLVMFuzzerMutate(data, size, max_size);
  if (whole && seed % 2 && size >= 8 + n_data) {
    length = GUINT64_TO_LE(size - 8 - n_data);
    memcpy(data, &length, sizeof length);
  }
  return size;
}
