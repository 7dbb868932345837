/* Invalid token gates in model files: the error names the field or tensor at fault. */
#include <math.h>

#include "fixture.h"
#include "model-file.h"
#include "network/families/families.h"

enum { DIM = 8 };

static BlockShape blocks[] = {
  { 2, 8, .attention_tokens = { TRUE, 3 }, .mlp_tokens = { TRUE, 0 } },
  { 1, 5, .attention_tokens = { TRUE, DIM }, .mlp_gate = TRUE },
  { 1, 5 },
};
static const Description description = {
  .family = &vitgate__family_vit,
  .name = "token-gated",
  .image_size = 8,
  .patch_size = 2,
  .dim = DIM,
  .head_dim = 4,
  .depth = G_N_ELEMENTS(blocks),
  .blocks = blocks,
  .n_classes = 3,
  .layer_norm_eps = 1e-6,
  .preprocessing = { .resize = 9, .mean = { .5f, .5f, .5f }, .std = { .5f, .5f, .5f } },
  .dense_gmacs = 1e-6,
  .dense_parameters = 1000,
};

START_TEST(a_valid_file_can_be_opened)
{
  g_autoptr(ModelFile) file = model_file_new(&description);
  g_autoptr(VitgateModel) model = model_file_open(file, "good.safetensors");
  const VitgateBlockInfo *found = vitgate_model_get_info(model)->blocks;
  ck_assert(found[0].attention_token_gate && found[0].mlp_token_gate);
  ck_assert(found[1].attention_token_gate && !found[1].mlp_token_gate);
  ck_assert(!found[2].attention_token_gate && !found[2].mlp_token_gate);
}
END_TEST

/* The first block, as JSON, and the message. */
static const struct {
  const char *json, *part;
} fields[] = {
  { "'mlp_token_gate': {'rank': 9}", "'rank' is 9, expected a whole number from 0 to 8" },
  { "'mlp_token_gate': {'rank': -1}", "'rank' is -1" },
  { "'mlp_token_gate': {'rank': 1.5}", "'rank' is 1.5" },
  { "'attention_token_gate': {}", "'rank' is absent" },
  { "'attention_token_gate': true", "'attention_token_gate' is true, expected an object" },
  { "'mlp_token_gate': null", "'mlp_token_gate' is null, expected an object" },
  { "'mlp_token_gate': [1]", "'mlp_token_gate' is [1], expected an object" },
  { "'mlp_gate': true, 'mlp_token_gate': {'rank': 1}",
    "'mlp_token_gate' is {\"rank\":1}, expected none for a module with a gate for images" },
  { "'attention_gate': true, 'attention_token_gate': {'rank': 1}",
    "expected none for a module with a gate for images" },
};

START_TEST(a_wrong_field_is_named)
{
  g_autoptr(ModelFile) file = model_file_new(&description);
  g_autofree char *text =
      g_strdup_printf("[{'heads': 2, 'neurons': 8, %s}, {'heads': 1, 'neurons': 5},"
                      "{'heads': 1, 'neurons': 5}]",
                      fields[_i].json);
  g_strdelimit(text, "'", '"');
  model_file_set(file, "blocks", text);
  model_file_refuse(file, VITGATE_ERROR_METADATA, fields[_i].part);
}
END_TEST

START_TEST(a_gate_of_a_module_that_does_not_exist_is_refused)
{
  static const char *const texts[] = {
    "[{\"heads\": 2, \"neurons\": 0, \"mlp_token_gate\": {\"rank\": 1}}, "
    "{\"heads\": 1, \"neurons\": 5}, {\"heads\": 1, \"neurons\": 5}]",
    "[{\"heads\": 0, \"neurons\": 8, \"attention_token_gate\": {\"rank\": 1}}, "
    "{\"heads\": 1, \"neurons\": 5}, {\"heads\": 1, \"neurons\": 5}]",
  };
  g_autoptr(ModelFile) file = model_file_new(&description);
  model_file_set(file, "blocks", texts[_i]);
  model_file_refuse(file, VITGATE_ERROR_METADATA, "expected none for a module that does not exist");
}
END_TEST

static gboolean is_of_gate(const char *name)
{
  return strstr(name, "_token_gate.") || strstr(name, "_substitute.");
}

/* A file of another width has other shapes; a file of another rank has other tensors. */
START_TEST(a_missing_or_misshapen_tensor_is_named)
{
  g_autoptr(ModelFile) whole = model_file_new(&description);
  guint n = 0;
  for (guint t = 0; t < model_file_n_tensors(whole); t++) {
    const Tensor right = *model_file_tensor(whole, t);
    if (!is_of_gate(right.name))
      continue;
    g_autoptr(ModelFile) file = model_file_new(&description);
    g_autofree char *missing = g_strdup_printf("tensor '%s' is missing", right.name);
    g_autofree char *misshapen = g_strdup_printf("tensor '%s' is [", right.name);
    model_file_remove(file, right.name);
    model_file_refuse(file, VITGATE_ERROR_TENSOR, missing);
    guint64 shape[] = { right.shape[0], right.n_dims > 1 ? right.shape[1] : 0 };
    shape[right.n_dims - 1]++;
    model_file_put(file, right.name, TENSOR_F32, right.n_dims, shape);
    model_file_refuse(file, VITGATE_ERROR_TENSOR, misshapen);
    n++;
  }
  ck_assert_uint_eq(n, 5 + 3 + 4);
}
END_TEST

START_TEST(numbers_that_are_not_finite_are_refused)
{
  g_autoptr(ModelFile) whole = model_file_new(&description);
  for (guint t = 0; t < model_file_n_tensors(whole); t++) {
    const char *name = model_file_tensor(whole, t)->name;
    if (!is_of_gate(name))
      continue;
    g_autoptr(ModelFile) file = model_file_new(&description);
    g_autofree char *part = g_strdup_printf("tensor '%s' holds nan at element 0", name);
    *(float *)model_file_find(file, name)->data = NAN;
    model_file_refuse(file, VITGATE_ERROR_TENSOR, part);
  }
}
END_TEST

START_TEST(a_tensor_without_its_field_is_refused)
{
  g_autoptr(ModelFile) file = model_file_new(&description);
  model_file_set(file, "blocks",
                 "[{\"heads\": 2, \"neurons\": 8, \"attention_token_gate\": {\"rank\": 3}},"
                 "{\"heads\": 1, \"neurons\": 5, \"attention_token_gate\": {\"rank\": 8}, "
                 "\"mlp_gate\": true}, {\"heads\": 1, \"neurons\": 5}]");
  model_file_refuse(file, VITGATE_ERROR_UNSUPPORTED, "'blocks.0.mlp_token_gate.weight'");
}
END_TEST

int main(void)
{
  TCase *bad = tcase_create("token-gates-bad");
  tcase_add_test(bad, a_valid_file_can_be_opened);
  tcase_add_loop_test(bad, a_wrong_field_is_named, 0, G_N_ELEMENTS(fields));
  tcase_add_loop_test(bad, a_gate_of_a_module_that_does_not_exist_is_refused, 0, 2);
  tcase_add_test(bad, a_missing_or_misshapen_tensor_is_named);
  tcase_add_test(bad, numbers_that_are_not_finite_are_refused);
  tcase_add_test(bad, a_tensor_without_its_field_is_refused);
  return fixture_run("token-gates-bad", bad, NULL);
}
