/* Compares position embeddings for other sizes with PyTorch's interpolation, as timm uses it. */
#include <math.h>
#include <stdlib.h>

#include "fixture.h"
#include "write/positions.h"

/* Both add the same few float32 products, in another order. */
#define TOLERANCE 2e-6f

/* "resized.SIDE.NEW" is made from "source.SIDE"; both are [side * side, dim]. */
START_TEST(positions_agree_with_pytorch)
{
  g_autoptr(Safetensors) golden = fixture_open_golden("golden", "positions");
  guint n, n_checked = 0;
  const Tensor *tensors = vitgate__safetensors_list(golden, &n);
  for (guint i = 0; i < n; i++) {
    if (!g_str_has_prefix(tensors[i].name, "resized."))
      continue;
    const guint side = (guint)atoi(tensors[i].name + strlen("resized."));
    const guint new_side = (guint)atoi(strrchr(tensors[i].name, '.') + 1);
    const guint dim = (guint)tensors[i].shape[1];
    g_autofree char *name = g_strdup_printf("source.%u", side);
    const gsize n_values = vitgate__tensor_n_elements(&tensors[i]);
    g_autofree float *found = g_new(float, n_values);
    ck_assert_uint_eq(n_values, (gsize)new_side * new_side * dim);
    ck_assert(vitgate__positions_interpolate(
        found, new_side, vitgate__safetensors_find(golden, name)->data, side, dim));
    for (gsize j = 0; j < n_values; j++) {
      const float expected = ((const float *)tensors[i].data)[j];
      assert_each(fabsf(found[j] - expected) <= TOLERANCE, "%s: value %zu: %.7g, expected %.7g",
                  tensors[i].name, j, found[j], expected);
    }
    n_checked++;
  }
  ck_assert_uint_gt(n_checked, 3);
}
END_TEST

int main(void)
{
  TCase *positions = tcase_create("positions");
  tcase_add_test(positions, positions_agree_with_pytorch);
  return fixture_run("positions", positions, NULL);
}
