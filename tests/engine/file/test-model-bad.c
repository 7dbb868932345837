/* Invalid model files: each gives an error that names what is at fault, and never a crash. */
#include <glib/gstdio.h>
#include <math.h>

#include "file/description-json.h"
#include "fixture.h"
#include "model-file.h"
#include "network/address-space.h"
#include "network/families/families.h"

#define N_MUTATIONS 1000

/* ---- Tensors ---- */

START_TEST(a_missing_tensor_is_named)
{
  g_autoptr(ModelFile) whole = model_file_read("small");
  for (guint i = 0; i < model_file_n_tensors(whole); i++) {
    g_autoptr(ModelFile) file = model_file_read("small");
    g_autofree char *name = g_strdup(model_file_tensor(file, i)->name);
    const Tensor *tensor = model_file_tensor(file, i);
    g_autofree char *shape = vitgate__tensor_describe_shape(tensor->shape, tensor->n_dims);
    g_autofree char *part = g_strdup_printf("tensor '%s' is missing, expected %s", name, shape);
    model_file_remove(file, name);
    model_file_refuse(file, VITGATE_ERROR_TENSOR, part);
  }
}
END_TEST

START_TEST(a_misshapen_tensor_is_named_with_both_shapes)
{
  g_autoptr(ModelFile) whole = model_file_read("small");
  for (guint i = 0; i < model_file_n_tensors(whole); i++) {
    g_autoptr(ModelFile) file = model_file_read("small");
    Tensor right = *model_file_tensor(whole, i), wrong = right;
    if (i % 2)
      wrong.shape[wrong.n_dims - 1]++;
    else
      wrong.shape[wrong.n_dims++] = 1;
    model_file_put(file, right.name, TENSOR_F32, wrong.n_dims, wrong.shape);
    g_autofree char *found = vitgate__tensor_describe_shape(wrong.shape, wrong.n_dims);
    g_autofree char *expected = vitgate__tensor_describe_shape(right.shape, right.n_dims);
    g_autofree char *part =
        g_strdup_printf("tensor '%s' is %s, expected %s", right.name, found, expected);
    model_file_refuse(file, VITGATE_ERROR_TENSOR, part);
  }
}
END_TEST

START_TEST(an_unknown_tensor_is_refused)
{
  static const char *const names[] = { "extra",      "blocks.0.ls1.gamma", "blocks.3.norm1.weight",
                                       "dist_token", "head.weight2",       "" };
  for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
    g_autoptr(ModelFile) file = model_file_read("small");
    g_autofree char *part = g_strdup_printf("tensor '%s' is not part", names[i]);
    model_file_put(file, names[i], TENSOR_F32, 1, (const guint64[]){ 4 });
    model_file_refuse(file, VITGATE_ERROR_UNSUPPORTED, part);
  }
}
END_TEST

START_TEST(unsigned_weights_are_not_supported)
{
  g_autoptr(ModelFile) file = model_file_read("small");
  model_file_put(file, "head.weight", TENSOR_U8, 2, (const guint64[]){ 10, 48 });
  model_file_refuse(file, VITGATE_ERROR_UNSUPPORTED, "tensor 'head.weight' is of type U8");
}
END_TEST

START_TEST(integer_vectors_are_not_supported)
{
  g_autoptr(ModelFile) file = model_file_read("small");
  model_file_put(file, "head.bias", TENSOR_I8, 1, (const guint64[]){ 10 });
  model_file_refuse(file, VITGATE_ERROR_UNSUPPORTED, "tensor 'head.bias' is of type I8");
}
END_TEST

START_TEST(integer_matrices_need_scales)
{
  g_autoptr(ModelFile) file = model_file_read("small");
  model_file_put(file, "head.weight", TENSOR_I8, 2, (const guint64[]){ 10, 48 });
  model_file_refuse(file, VITGATE_ERROR_TENSOR,
                    "tensor 'head.weight_scale' is missing, expected [10]");
  model_file_put(file, "head.weight_scale", TENSOR_F32, 1, (const guint64[]){ 10 });
  model_file_refuse(file, VITGATE_ERROR_TENSOR, "tensor 'head.weight_scale' holds 0");
}
END_TEST

START_TEST(integers_and_scales_that_overflow_are_refused)
{
  g_autoptr(ModelFile) file = model_file_read("small");
  Tensor *weight = model_file_put(file, "head.weight", TENSOR_I8, 2, (const guint64[]){ 10, 48 });
  ((gint8 *)weight->data)[48 + 5] = -127;
  Tensor *scale = model_file_put(file, "head.weight_scale", TENSOR_F32, 1, (const guint64[]){ 10 });
  for (guint i = 0; i < 10; i++)
    ((float *)scale->data)[i] = 3e38f;
  model_file_refuse(file, VITGATE_ERROR_TENSOR, "tensor 'head.weight' holds -inf at element 53");
}
END_TEST

START_TEST(weights_that_are_not_finite_are_refused)
{
  static const float values[] = { NAN, INFINITY, -INFINITY };
  static const char *const texts[] = { "nan", "inf", "-inf" };
  g_autoptr(ModelFile) file = model_file_read("small");
  for (guint i = 0; i < model_file_n_tensors(file); i++) {
    const Tensor *tensor = model_file_tensor(file, i);
    const gsize at = i % 3 ? vitgate__tensor_n_elements(tensor) - 1 : 0;
    float *weight = (float *)tensor->data + at, before = *weight;
    *weight = values[i % 3];
    g_autofree char *part = g_strdup_printf("tensor '%s' holds %s at element %" G_GSIZE_FORMAT,
                                            tensor->name, texts[i % 3], at);
    model_file_refuse(file, VITGATE_ERROR_TENSOR, part);
    *weight = before;
  }
}
END_TEST

START_TEST(half_precision_weights_that_are_not_finite_are_refused)
{
  static const struct {
    const char *model;
    guint16 bits;
    const char *text;
  } cases[] = { { "f16", 0x7c00, "inf" },  { "f16", 0xfc00, "-inf" },  { "f16", 0x7e00, "nan" },
                { "bf16", 0x7f80, "inf" }, { "bf16", 0xff80, "-inf" }, { "bf16", 0x7fc0, "nan" } };
  for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_autoptr(ModelFile) file = model_file_read(cases[i].model);
    ((guint16 *)model_file_find(file, "norm.bias")->data)[7] = cases[i].bits;
    g_autofree char *part =
        g_strdup_printf("tensor 'norm.bias' holds %s at element 7", cases[i].text);
    model_file_refuse(file, VITGATE_ERROR_TENSOR, part);
  }
}
END_TEST

/* ---- The description ---- */

#define M VITGATE_ERROR_METADATA
#define U VITGATE_ERROR_UNSUPPORTED
#define L VITGATE_ERROR_LABELS
#define T VITGATE_ERROR_TENSOR

/* Each case has one wrong field: absent (NULL), of another type, out of range, unknown, or right
 * for another network. */
static const struct {
  const char *field, *json;
  VitgateError code;
  const char *part;
} fields[] = {
  { "version", NULL, M, "'version' is absent, expected" },
  { "version", "0", M, "'version' is 0, expected" },
  { "version", "\"1\"", M, "'version' is \"1\", expected" },
  { "version", "2", U, "'version' is 2, expected" },
  { "name", NULL, M, "'name' is absent" },
  { "name", "5", M, "'name' is 5" },
  { "family", NULL, M, "'family' is absent, expected t2t or vit" },
  { "family", "5", M, "'family' is 5, expected t2t or vit" },
  { "family", "\"resnet\"", U, "'family' is \"resnet\", expected t2t or vit" },
  { "pooling", NULL, M, "'pooling' is absent" },
  { "pooling", "\"map\"", U, "'pooling' is \"map\", expected class-token or mean" },
  { "precision", NULL, M, "'precision' is absent" },
  { "precision", "\"float8\"", U, "'precision' is \"float8\", expected float32" },
  { "precision_agreement", "1", M, "'precision_agreement' is 1, expected an object" },
  { "precision_agreement", "{\"int8\": 1.5}", M, "expected shares from 0 to 1" },
  { "precision_agreement", "{\"bf16\": \"all\"}", M, "expected shares from 0 to 1" },
  { "image_size", NULL, M, "'image_size' is absent" },
  { "image_size", "0", M, "'image_size' is 0, expected a whole number from 1 to 4096" },
  { "image_size", "-32", M, "'image_size' is -32" },
  { "image_size", "4097", M, "'image_size' is 4097" },
  { "image_size", "32.0", M, "'image_size' is 32.0" },
  { "image_size", "\"32\"", M, "'image_size' is \"32\"" },
  { "image_size", "[32]", M, "'image_size' is [32]" },
  { "image_size", "4294967328", M, "'image_size' is 4294967328" },
  { "patch_size", NULL, M, "'patch_size' is absent" },
  { "patch_size", "0", M, "'patch_size' is 0" },
  { "patch_size", "33", M, "'patch_size' is 33, expected a whole number from 1 to 32" },
  { "patch_size", "5", M, "'patch_size' is 5, expected a divisor of image_size" },
  { "dim", NULL, M, "'dim' is absent" },
  { "dim", "0", M, "'dim' is 0" },
  { "dim", "16385", M, "'dim' is 16385" },
  { "head_dim", NULL, M, "'head_dim' is absent" },
  { "head_dim", "0", M, "'head_dim' is 0" },
  { "depth", NULL, M, "'depth' is absent" },
  { "depth", "-1", M, "'depth' is -1" },
  { "depth", "129", M, "'depth' is 129" },
  { "depth", "2", M, "'blocks' is [{" },
  { "n_classes", NULL, M, "'n_classes' is absent" },
  { "n_classes", "0", M, "'n_classes' is 0" },
  { "n_classes", "1000001", M, "'n_classes' is 1000001" },
  { "activation", "1", M, "'activation' is 1, expected softmax or sigmoid" },
  { "activation", "\"tanh\"", U, "'activation' is \"tanh\", expected softmax or sigmoid" },
  { "distilled", NULL, M, "'distilled' is absent, expected true or false" },
  { "distilled", "0", M, "'distilled' is 0, expected true or false" },
  { "distilled", "null", M, "'distilled' is null, expected true or false" },
  { "distillation_head", "1", M, "'distillation_head' is 1, expected true or false" },
  { "distillation_head", "false", M, "'distillation_head' is false, expected true for a model" },
  { "layer_norm_eps", NULL, M, "'layer_norm_eps' is absent" },
  { "layer_norm_eps", "0", M, "'layer_norm_eps' is 0" },
  { "layer_norm_eps", "-0.5", M, "'layer_norm_eps' is -" },
  { "layer_norm_eps", "2", M, "'layer_norm_eps' is 2" },
  { "layer_norm_eps", "\"1e-6\"", M, "'layer_norm_eps' is \"1e-6\"" },
  { "blocks", NULL, M, "'blocks' is absent" },
  { "blocks", "3", M, "'blocks' is 3" },
  { "blocks", "[]", M, "'blocks' is []" },
  { "blocks", "[1, 2, 3]", M, "'blocks' is [1,2,3], expected an array of objects" },
  { "blocks", "[{\"heads\": 3}, {}, {}]", M, "'neurons' is absent" },
  { "blocks", "[{\"neurons\": 64}, {}, {}]", M, "'heads' is absent" },
  { "blocks", "[{\"heads\": 1025, \"neurons\": 64}, {}, {}]", M, "'heads' is 1025" },
  { "blocks", "[{\"heads\": -1, \"neurons\": 64}, {}, {}]", M, "'heads' is -1" },
  { "blocks", "[{\"heads\": 3, \"neurons\": 32769}, {}, {}]", M, "'neurons' is 32769" },
  { "preprocessing", NULL, M, "'preprocessing' is absent" },
  { "preprocessing", "[]", M, "'preprocessing' is []" },
  { "preprocessing.resize", NULL, M, "'resize' is absent" },
  { "preprocessing.resize", "31", M, "'resize' is 31, expected a whole number from 32" },
  { "preprocessing.resize", "16385", M, "'resize' is 16385" },
  { "preprocessing.fit", "2", M, "'fit' is 2, expected crop or squash or letterbox" },
  { "preprocessing.fit", "\"model\"", U, "'fit' is \"model\", expected crop or" },
  { "preprocessing.interpolation", NULL, M, "'interpolation' is absent" },
  { "preprocessing.interpolation", "1", M, "'interpolation' is 1" },
  { "preprocessing.interpolation", "\"nearest\"", U, "'interpolation' is \"nearest\"" },
  { "preprocessing.mean", NULL, M, "'mean' is absent" },
  { "preprocessing.mean", "0.5", M, "'mean' is 0.5" },
  { "preprocessing.mean", "[0.5, 0.5]", M, "'mean' is [0.5,0.5]" },
  { "preprocessing.mean", "[0, 0, 0, 0]", M, "'mean' is [0,0,0,0]" },
  { "preprocessing.mean", "[0, 0, \"0\"]", M, "'mean' is [0,0,\"0\"]" },
  { "preprocessing.mean", "[0, 0, -1]", M, "'mean' is [0,0,-1]" },
  { "preprocessing.mean", "[0, 0, 1e4]", M, "'mean' is [0,0,10000" },
  { "preprocessing.std", NULL, M, "'std' is absent" },
  { "preprocessing.std", "[1, 0, 1]", M, "'std' is [1,0,1]" },
  { "preprocessing.std", "[1, null, 1]", M, "'std' is [1,null,1]" },
  { "dense", NULL, M, "'dense' is absent" },
  { "dense", "1", M, "'dense' is 1" },
  { "dense.gmacs", NULL, M, "'gmacs' is absent" },
  { "dense.gmacs", "0", M, "'gmacs' is 0" },
  { "dense.gmacs", "\"1\"", M, "'gmacs' is \"1\"" },
  { "dense.parameters", NULL, M, "'parameters' is absent" },
  { "dense.parameters", "-5", M, "'parameters' is -5" },
  { "labels", "[\"cat\", \"dog\"]", L, "'labels' is 2, expected 10, one string for each class" },
  { "labels", "[]", L, "'labels' is 0, expected 10" },
  { "labels", "5", L, "'labels' is 5, expected an array of strings" },
  { "labels", "\"äöüäöüäöüäöüäöüäöüäöüäöüäöüäöüäöüäöüäöüäöüäöüäöüäöüäöüäöüäöüäöü\"", L,
    "äöüäöüäöüäöüäöüäöüäöüäöüäöüäöüäöüäöüäöüäöüäöüäöüäöüäöüäöüäö, expected" },
  { "labels", "[1,2,3,4,5,6,7,8,9,10]", M, "'labels' is [1,2,3,4,5,6,7,8,9,10]" },
  { "label_ids", "[\"n1\"]", L, "'label_ids' is 1, expected 10" },
  { "label_ids", "[1,2,3,4,5,6,7,8,9,[]]", M, "'label_ids' is [1," },
  { "dim", "40", T, "tensor 'cls_token' is [1, 1, 48], expected [1, 1, 40]" },
  { "head_dim", "8", T, "'blocks.0.attn.qkv.weight' is [144, 48], expected [72, 48]" },
  { "image_size", "24", T, "tensor 'pos_embed' is [1, 17, 48], expected [1, 10, 48]" },
  { "patch_size", "16", T, "tensor 'pos_embed' is [1, 17, 48], expected [1, 5, 48]" },
  { "distilled", "true", T, "tensor 'dist_token' is missing" },
  { "blocks",
    "[{\"heads\": 3, \"neurons\": 64}, {\"heads\": 2, \"neurons\": 64}, {\"heads\": 3, "
    "\"neurons\": 64}]",
    T, "tensor 'blocks.1.attn.qkv.weight' is [144, 48], expected [96, 48]" },
  { "blocks",
    "[{\"heads\": 3, \"neurons\": 64}, {\"heads\": 0, \"neurons\": 64}, {\"heads\": 3, "
    "\"neurons\": 64}]",
    U, "'blocks.1." },
};

START_TEST(a_wrong_field_is_named)
{
  g_autoptr(ModelFile) file = model_file_read("small");
  model_file_set(file, fields[_i].field, fields[_i].json);
  model_file_refuse(file, fields[_i].code, fields[_i].part);
}
END_TEST

START_TEST(labels_must_fit_the_classes)
{
  g_autoptr(ModelFile) file = model_file_read("small");
  model_file_put(file, "head.weight", TENSOR_F32, 2, (const guint64[]){ 11, 48 });
  model_file_put(file, "head.bias", TENSOR_F32, 1, (const guint64[]){ 11 });
  model_file_set(file, "n_classes", "11");
  model_file_refuse(file, VITGATE_ERROR_LABELS, "'labels' is 10, expected 11");
}
END_TEST

START_TEST(a_description_that_is_not_json_is_refused)
{
  static const char *const texts[] = {
    "",           "vit",         "5",
    "[]",         "\"vit\"",     "{",
    "{}}",        "{\"name\":}", "{\"name\":\"a\",\"name\":\"b\"}",
    "{/* vit */}"
  };
  for (guint i = 0; i < G_N_ELEMENTS(texts); i++) {
    g_autoptr(ModelFile) file = model_file_read("small");
    model_file_describe(file, texts[i]);
    model_file_refuse(file, VITGATE_ERROR_METADATA, "metadata 'vitgate'");
  }
}
END_TEST

START_TEST(a_deep_description_is_refused)
{
  static const char *const starts[] = { "{\"name\":", "{/*\"*/\"name\":" };
  for (guint s = 0; s < G_N_ELEMENTS(starts); s++) {
    g_autoptr(GString) text = g_string_new(starts[s]);
    for (guint i = 0; i < 100000; i++)
      g_string_append(text, "[");
    g_autoptr(ModelFile) file = model_file_read("small");
    model_file_describe(file, text->str);
    model_file_refuse(file, VITGATE_ERROR_METADATA, "metadata 'vitgate'");
  }
}
END_TEST

/* ---- Files without a description ---- */

START_TEST(an_unknown_number_of_heads_is_refused)
{
  g_autoptr(ModelFile) file = model_file_read("small");
  model_file_describe(file, NULL);
  model_file_refuse(file, VITGATE_ERROR_UNSUPPORTED,
                    "48 dimensions do not divide into heads of 64");
}
END_TEST

START_TEST(a_file_that_is_not_a_vit_is_refused)
{
  g_autoptr(GError) error = NULL;
  g_autofree char *path = fixture_golden("golden", "preprocessing");
  ck_assert_ptr_null(vitgate_model_open(path, &error));
  assert_error(error, VITGATE_ERROR_UNSUPPORTED, "not a ViT, DeiT or T2T-ViT");

  static const char empty[] = "\x08\0\0\0\0\0\0\0{}      ";
  g_autofree char *nothing = fixture_write("nothing", empty, sizeof empty - 1);
  ck_assert_ptr_null(vitgate_model_open(nothing, &error));
  assert_error(error, VITGATE_ERROR_UNSUPPORTED, "found 0 tensors");
}
END_TEST

/* Shapes that dimensions are derived from, and shapes that allow none. */
START_TEST(shapes_that_fit_no_network_are_refused)
{
  static const struct {
    const char *name;
    guint n_dims;
    guint64 shape[4];
    VitgateError code;
    const char *part;
  } cases[] = {
    { "pos_embed", 3, { 1, 8, 64 }, U, "pos_embed [1, 8, 64] imply no square image" },
    { "pos_embed", 3, { 1, 1, 64 }, U, "imply no square image" },
    { "pos_embed", 3, { 1, 0, 64 }, U, "imply no square image" },
    { "pos_embed", 2, { 10, 64 }, T, "'pos_embed' is [10, 64], expected 3 dimensions" },
    { "pos_embed", 3, { 1, 10, 32 }, T, "'pos_embed' is [1, 10, 32], expected [1, 10, 64]" },
    { "patch_embed.proj.weight", 4, { 64, 3, 8, 0 }, U, "imply no square image" },
    { "patch_embed.proj.weight", 4, { 0, 3, 8, 8 }, U, "imply no square image" },
    { "patch_embed.proj.weight", 4, { 1, 1, 1, 4096 }, U, "imply no square image" },
    { "patch_embed.proj.weight", 4, { 64, 1, 8, 8 }, T, "expected [64, 3, 8, 8]" },
    { "patch_embed.proj.weight", 4, { 64, 3, 4, 8 }, T, "expected [64, 3, 8, 8]" },
    { "patch_embed.proj.weight", 2, { 64, 192 }, T, "expected 4 dimensions" },
    { "head.weight", 2, { 0, 64 }, U, "is for 0 classes" },
    { "head.weight", 1, { 64 }, T, "'head.weight' is [64], expected 2 dimensions" },
    { "blocks.0.attn.qkv.weight", 2, { 100, 64 }, U, "'blocks.0." },
    { "blocks.0.attn.qkv.weight", 2, { 384, 64 }, T, "'blocks.0.attn.qkv.bias'" },
    { "blocks.0.attn.qkv.weight", 0, { 0 }, U, "'blocks.0." },
    { "blocks.1.mlp.fc1.weight", 2, { 0, 64 }, U, "'blocks.1." },
    { "blocks.1.mlp.fc1.weight", 2, { 70000, 1 }, T, "'blocks.1.mlp.fc1.weight' is [70000, 1]" },
    { "blocks.3.norm1.bias", 1, { 64 }, U, "tensor 'blocks.3.norm1.bias' is not part" },
  };
  for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_autoptr(ModelFile) file = model_file_read("timm");
    model_file_describe(file, NULL);
    model_file_put(file, cases[i].name, TENSOR_F32, cases[i].n_dims, cases[i].shape);
    model_file_refuse(file, cases[i].code, cases[i].part);
  }
}
END_TEST

START_TEST(a_corrected_file_can_be_opened)
{
  g_autoptr(ModelFile) file = model_file_read("small");
  g_autoptr(GError) error = NULL;
  model_file_set(file, "dim", "0");
  model_file_refuse(file, VITGATE_ERROR_METADATA, "'dim' is 0");
  model_file_set(file, "dim", "48");
  g_autofree char *path = model_file_write(file, "bad.safetensors");
  g_autoptr(VitgateModel) model = vitgate_model_open(path, &error);
  assert_success(model, error);
}
END_TEST

/* ---- Random numbers ---- */

/* Returns: (transfer full): the JSON text with one number replaced by another */
static char *mutate(const char *json, guint32 *random)
{
  static const char *const numbers[] = { "0",     "1",   "2",  "3",     "4",
                                         "5",     "8",   "16", "255",   "4096",
                                         "1e-30", "0.5", "-1", "65536", "4294967296" };
  gsize length = strlen(json), at = fixture_random(random) % length, end;
  while (!g_ascii_isdigit(json[at]))
    at = (at + 1) % length;
  for (end = at; g_ascii_isdigit(json[end]);)
    end++;
  return g_strdup_printf("%.*s%s%s", (int)at, json,
                         numbers[fixture_random(random) % G_N_ELEMENTS(numbers)], json + end);
}

/* Opens the file. If it opens, the model must work.
 * Returns: whether it opened */
static gboolean try_model(ModelFile *file)
{
  g_autoptr(GError) error = NULL;
  g_autofree char *path = model_file_write(file, "mutation");
  g_autoptr(VitgateModel) model = vitgate_model_open(path, &error);
  g_remove(path);
  assert_each(!model == !!error, "%s", error ? error->message : "no model and no error");
  if (!model)
    return FALSE;
  g_autoptr(VitgateSession) session = vitgate_session_new(model, NULL, &error);
  static const guint8 pixels[3 * 5 * 7];
  VitgateImage image = { .width = 5, .height = 7, .planes = { pixels }, .strides = { 15 } };
  const VitgateResult *result = vitgate_session_classify(session, &image, 1, &error);
  assert_each(result && !error, "%s", error ? error->message : "no result");
  return TRUE;
}

START_TEST(mutations_of_a_description_do_no_harm)
{
  BlockShape blocks[2] = { { 2, 8, .attention_tokens = { TRUE, 3 }, .mlp_tokens = { TRUE, 0 } },
                           { 1, 5, .mlp_tokens = { TRUE, 4 } } };
  const Description d = {
    .family = &vitgate__family_vit,
    .name = "mutation",
    .image_size = 8,
    .patch_size = 2,
    .dim = 8,
    .head_dim = 4,
    .depth = 2,
    .blocks = blocks,
    .n_classes = 3,
    .layer_norm_eps = 1e-6,
    .preprocessing = { .resize = 9,
                       .bicubic = TRUE,
                       .mean = { 0.5f, 0.5f, 0.5f },
                       .std = { 0.5f, 0.5f, 0.5f } },
    .dense_gmacs = 1e-6,
    .dense_parameters = 1000,
  };
  g_autoptr(ModelFile) file = model_file_new(&d);
  g_autofree char *json = vitgate__description_to_json(&d);
  guint32 random = 77;
  guint n_opened = try_model(file);
  for (guint i = 0; i < N_MUTATIONS; i++) {
    g_autofree char *once = mutate(json, &random), *twice = mutate(once, &random);
    model_file_describe(file, i % 2 ? once : twice);
    n_opened += try_model(file);
  }
  ck_assert_uint_gt(n_opened, 1);
}
END_TEST

/* ---- Sizes ---- */

/* Sizes that would overflow 32 bits. */
START_TEST(sizes_that_cannot_be_addressed_are_detected)
{
  static BlockShape blocks[] = { { 3, 768 } };
  Description d = {
    .family = &vitgate__family_vit,
    .image_size = 224,
    .patch_size = 16,
    .dim = 192,
    .head_dim = 64,
    .depth = 1,
    .blocks = blocks,
    .n_classes = 1000,
  };
  const gsize small = G_MAXUINT32;
  ck_assert(vitgate__addressable(&d, small));
  d.image_size = 4096; /* 65,537 tokens: a square of 17 GB */
  ck_assert(!vitgate__addressable(&d, small));
  ck_assert(sizeof(gsize) < 8 || vitgate__addressable(&d, G_MAXSIZE));
  d.patch_size = 1; /* the largest that a description may claim */
  d.dim = DESCRIPTION_MAX_DIM;
  blocks[0] = (BlockShape){ 256, DESCRIPTION_MAX_NEURONS };
  ck_assert(!vitgate__addressable(&d, small));
  ck_assert(sizeof(gsize) < 8 || vitgate__addressable(&d, G_MAXSIZE));
  d = (Description){ .family = &vitgate__family_vit,
                     .image_size = 32,
                     .patch_size = 16,
                     .dim = 16384,
                     .head_dim = 64,
                     .n_classes = DESCRIPTION_MAX_CLASSES };
  ck_assert(!vitgate__addressable(&d, small)); /* a head of 66 GB */
}
END_TEST

int main(void)
{
  TCase *tensors = tcase_create("tensors"), *description = tcase_create("description"),
        *undescribed = tcase_create("undescribed");
  tcase_add_test(tensors, a_missing_tensor_is_named);
  tcase_add_test(tensors, a_misshapen_tensor_is_named_with_both_shapes);
  tcase_add_test(tensors, an_unknown_tensor_is_refused);
  tcase_add_test(tensors, unsigned_weights_are_not_supported);
  tcase_add_test(tensors, integer_vectors_are_not_supported);
  tcase_add_test(tensors, integer_matrices_need_scales);
  tcase_add_test(tensors, integers_and_scales_that_overflow_are_refused);
  tcase_add_test(tensors, weights_that_are_not_finite_are_refused);
  tcase_add_test(tensors, half_precision_weights_that_are_not_finite_are_refused);
  tcase_add_loop_test(description, a_wrong_field_is_named, 0, G_N_ELEMENTS(fields));
  tcase_add_test(description, labels_must_fit_the_classes);
  tcase_add_test(description, a_description_that_is_not_json_is_refused);
  tcase_add_test(description, a_deep_description_is_refused);
  tcase_add_test(description, a_corrected_file_can_be_opened);
  tcase_add_test(description, sizes_that_cannot_be_addressed_are_detected);
  tcase_add_test(description, mutations_of_a_description_do_no_harm);
  tcase_add_test(undescribed, an_unknown_number_of_heads_is_refused);
  tcase_add_test(undescribed, a_file_that_is_not_a_vit_is_refused);
  tcase_add_test(undescribed, shapes_that_fit_no_network_are_refused);
  return fixture_run("model-bad", tensors, description, undescribed, NULL);
}
