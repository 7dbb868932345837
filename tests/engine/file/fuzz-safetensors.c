/* Any bytes as a safetensors file: it opens, and all that it tells is true, or it does not.
 *
 * test-safetensors calls this for a fixed row of mutations. With clang it is a libFuzzer target
 * (the kernels, written for GCC, come from a build folder):
 *
 *   clang -g -O1 -fsanitize=fuzzer,address,undefined -D_GNU_SOURCE -Iengine \
 *     tests/engine/fuzz-safetensors.c engine/safetensors.c engine/json.c engine/error.c \
 *     engine/description.c engine/architecture.c engine/weights.c build/engine/lib*.a \
 *     $(pkg-config --cflags --libs gio-2.0 json-glib-1.0) -lm -o fuzz-safetensors
 *   ./fuzz-safetensors -max_len=4096 CORPUS tests/reference/goldens */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "file/architecture.h"
#include "file/describe.h"
#include "file/description-json.h"
#include "file/description.h"
#include "file/safetensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(gboolean condition)
{
  if (!condition)
    abort();
}

/* Reads every byte of a tensor, as itself and as numbers. */
static void use_tensor(const Safetensors *file, const Tensor *tensor)
{
  require(vitgate__safetensors_find(file, tensor->name) == tensor);
  gsize n = vitgate__tensor_n_elements(tensor);
  g_autofree float *values = g_new(float, n + 1);
  require(vitgate__tensor_to_float(values, tensor, NULL));
  volatile float sum = 0;
  for (gsize i = 0; i < n; i++)
    sum = sum + values[i];
  g_autofree char *shape = vitgate__tensor_describe_shape(tensor->shape, tensor->n_dims);
  require(shape[0] == '[');
}

static void use_file(const Safetensors *file)
{
  guint n;
  const Tensor *tensors = vitgate__safetensors_list(file, &n);
  for (guint i = 0; i < n; i++)
    use_tensor(file, &tensors[i]);
  g_autoptr(GError) error = NULL;
  g_autoptr(Description) description = vitgate__describe(file, NULL, &error);
  require(!description == !!error);
  if (description)
    require(vitgate__description_gmacs(description) > 0 &&
            vitgate__description_parameters(description) > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  int memory = memfd_create("safetensors", MFD_CLOEXEC);
  require(memory >= 0 && write(memory, data, size) == (ssize_t)size);
  g_autofree char *path = g_strdup_printf("/proc/self/fd/%d", memory);
  g_autoptr(GError) error = NULL;
  g_autoptr(Safetensors) file = vitgate__safetensors_open(path, &error);
  require(!file == !!error);
  if (file)
    use_file(file);
  close(memory);
  return 0;
}
