#include "write/onnx-graph.h"

#include <math.h>

#include "file/architecture.h"
#include "write/onnx-nodes.h"
#include "write/onnx-stem.h"
#include "write/protobuf.h"

/* Field numbers, from onnx.proto. */
enum {
  MODEL_IR_VERSION = 1,
  MODEL_PRODUCER = 2,
  MODEL_GRAPH = 7,
  MODEL_OPSET = 8,
  MODEL_METADATA = 14
};
enum { OPSET_VERSION = 2, GRAPH_NAME = 2, ENTRY_KEY = 1, ENTRY_VALUE = 2 };

/* LayerNormalization needs opset 17, which IR version 8 supports. */
enum { OPSET = 17, IR_VERSION = 8 };

/* Maximum size of the weights. A protocol buffer can hold 2 GiB, and the graph takes part of it. */
#define MAX_BYTES (G_GUINT64_CONSTANT(2000) << 20)

static const char *attention(OnnxGraph *g, const char *x, guint b)
{
  const Description *d = g->d;
  g_autofree char *qkv_name = g_strdup_printf("blocks.%u.attn.qkv", b);
  g_autofree char *proj_name = g_strdup_printf("blocks.%u.attn.proj", b);
  const char *qkv = onnx_linear(g, x, qkv_name, !d->qkv_unbiased);
  const char *y = onnx_attention(g, qkv, d->blocks[b].heads, d->head_dim, 1 / sqrt(d->head_dim));
  return onnx_linear(g, y, proj_name, TRUE);
}

static const char *mlp(OnnxGraph *g, const char *x, guint b)
{
  g_autofree char *fc1 = g_strdup_printf("blocks.%u.mlp.fc1", b);
  g_autofree char *fc2 = g_strdup_printf("blocks.%u.mlp.fc2", b);
  return onnx_mlp(g, x, fc1, fc2);
}

/* Returns: [batch, patches, dim]
 * @image: [batch, 3, image_size, image_size] */
static const char *embed_patches(OnnxGraph *g, const char *image)
{
  const Description *d = g->d;
  const char *weight = onnx_weight(g, "patch_embed.proj", "weight");
  const char *bias = onnx_weight(g, "patch_embed.proj", "bias");
  const char *x = onnx_convolution(g, image, weight, bias, d->patch_size, d->patch_size, 0, 1);
  return onnx_tokens_of(g, x, d->dim);
}

/* How each family turns the image into patch tokens. Add a row for a new family. */
static const struct {
  const char *family;
  const char *(*embed)(OnnxGraph *g, const char *image);
} embeddings[] = { { "vit", embed_patches }, { "t2t", onnx_stem } };

static const char *embed_image(OnnxGraph *g)
{
  for (guint i = 0; i < G_N_ELEMENTS(embeddings); i++)
    if (g_str_equal(embeddings[i].family, g->d->family->name))
      return embeddings[i].embed(g, "image");
  g->failed = TRUE;
  g_set_error(g->error, VITGATE_ERROR, VITGATE_ERROR_UNSUPPORTED,
              "%s: models of family %s cannot be exported as ONNX",
              vitgate__safetensors_get_path(g->file), g->d->family->name);
  return "image";
}

/* Returns: [batch, tokens, dim]. The tokens before the patches are added to zeros, which repeats
 * them for each image of the batch. */
static const char *embed(OnnxGraph *g)
{
  static const gint64 first[] = { 0 };
  const Description *d = g->d;
  const char *x = embed_image(g);
  const char *one = onnx_gather(g, x, onnx_ints(g, first, 1), 1);
  const char *zeros = onnx_binary(g, "Mul", one, onnx_scalar(g, 0));
  const char *cls = onnx_binary(g, "Add", zeros, onnx_weight(g, "cls_token", NULL));
  const char *dist =
      d->distilled ? onnx_binary(g, "Add", zeros, onnx_weight(g, "dist_token", NULL)) : NULL;
  const OnnxAttribute axis = { "axis", ONNX_INT, .ints = { 1 } };
  const char *const tokens[] = { cls, dist ? dist : x, dist ? x : NULL, NULL };
  x = onnx_node(g, "Concat", tokens, &axis, 1);
  return onnx_binary(g, "Add", x, onnx_weight(g, "pos_embed", NULL));
}

static const char *head(OnnxGraph *g, const char *x, gint64 token, const char *name)
{
  return onnx_linear(g, onnx_gather(g, x, onnx_int(g, token), 1), name, TRUE);
}

static const char *classify(OnnxGraph *g, const char *x)
{
  const Description *d = g->d;
  if (d->mean_pooling) {
    const gint64 first = 1, last = G_MAXINT64, axis = 1;
    const char *from = onnx_ints(g, &first, 1), *to = onnx_ints(g, &last, 1);
    const char *slice[] = { x, from, to, onnx_ints(g, &axis, 1), NULL };
    x = onnx_node(g, "Slice", slice, NULL, 0);
    x = onnx_reduce(g, "ReduceMean", x, 1, FALSE);
    return onnx_linear(g, onnx_norm(g, x, "fc_norm"), "head", TRUE);
  }
  x = onnx_norm(g, x, "norm");
  const char *logits = head(g, x, 0, "head");
  if (vitgate__description_n_class_heads(d) == 1)
    return logits;
  logits = onnx_binary(g, "Add", logits, head(g, x, 1, "head_dist"));
  return onnx_binary(g, "Mul", logits, onnx_scalar(g, 0.5));
}

/* Returns: the logits */
static const char *add_network(OnnxGraph *g)
{
  const Description *d = g->d;
  const char *x = embed(g);
  for (guint b = 0; b < d->depth; b++) {
    g_autofree char *norm1 = g_strdup_printf("blocks.%u.norm1", b);
    g_autofree char *norm2 = g_strdup_printf("blocks.%u.norm2", b);
    if (d->blocks[b].heads)
      x = onnx_binary(g, "Add", x, attention(g, onnx_norm(g, x, norm1), b));
    if (d->blocks[b].neurons)
      x = onnx_binary(g, "Add", x, mlp(g, onnx_norm(g, x, norm2), b));
  }
  return classify(g, x);
}

static GBytes *make_model(const Description *d, GByteArray *graph)
{
  GByteArray *model = g_byte_array_new(), *opset = g_byte_array_new();
  protobuf_add_int(opset, OPSET_VERSION, OPSET);
  protobuf_add_int(model, MODEL_IR_VERSION, IR_VERSION);
  protobuf_add_string(model, MODEL_PRODUCER, "vitgate " VITGATE_VERSION);
  protobuf_add_message(model, MODEL_OPSET, opset);
  protobuf_add_message(model, MODEL_GRAPH, graph);
  if (d->activation != VITGATE_ACTIVATION_SOFTMAX) {
    GByteArray *entry = g_byte_array_new();
    protobuf_add_string(entry, ENTRY_KEY, "activation");
    protobuf_add_string(entry, ENTRY_VALUE, vitgate_activation_name(d->activation));
    protobuf_add_message(model, MODEL_METADATA, entry);
  }
  return g_byte_array_free_to_bytes(model);
}

GBytes *onnx_graph_build(const Safetensors *file, const Description *d, GError **error)
{
  if (vitgate__description_parameters(d) * sizeof(float) > MAX_BYTES) {
    g_set_error(error, VITGATE_ERROR, VITGATE_ERROR_UNSUPPORTED,
                "%s: has %" G_GUINT64_FORMAT " parameters, more than an ONNX file can hold",
                vitgate__safetensors_get_path(file), vitgate__description_parameters(d));
    return NULL;
  }
  const guint64 image[] = { 0, 3, d->image_size, d->image_size }, logits[] = { 0, d->n_classes };
  g_autoptr(GStringChunk) names = g_string_chunk_new(4096);
  OnnxGraph g = { file, d, g_byte_array_new(), names, .error = error };
  protobuf_add_string(g.message, GRAPH_NAME, "vitgate");
  onnx_add_input(&g, "image", image, G_N_ELEMENTS(image));
  onnx_add_output(&g, "logits", add_network(&g), logits, G_N_ELEMENTS(logits));
  if (!g.failed)
    return make_model(d, g.message);
  g_byte_array_unref(g.message);
  return NULL;
}
