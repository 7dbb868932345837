#include "onnx-graph.h"

#include <math.h>
#include <string.h>

#include "protobuf.h"
#include "weights.h"

/* Numbers of fields and of types, from onnx.proto. */
enum { MODEL_IR_VERSION = 1, MODEL_PRODUCER = 2, MODEL_GRAPH = 7, MODEL_OPSET = 8 };
enum { OPSET_VERSION = 2 };
enum { GRAPH_NODE = 1, GRAPH_NAME = 2, GRAPH_CONSTANT = 5, GRAPH_INPUT = 11, GRAPH_OUTPUT = 12 };
enum { NODE_INPUT = 1, NODE_OUTPUT = 2, NODE_KIND = 4, NODE_ATTRIBUTE = 5 };
enum {
  ATTRIBUTE_NAME = 1,
  ATTRIBUTE_FLOAT = 2,
  ATTRIBUTE_INT = 3,
  ATTRIBUTE_INTS = 8,
  ATTRIBUTE_TYPE = 20
};
enum { TYPE_FLOAT = 1, TYPE_INT = 2, TYPE_INTS = 7 };
enum { TENSOR_DIMS = 1, TENSOR_DATA_TYPE = 2, TENSOR_NAME = 8, TENSOR_RAW = 9 };
enum { FLOAT32 = 1, INT64 = 7 };
enum {
  VALUE_NAME = 1,
  VALUE_TYPE = 2,
  TYPE_TENSOR = 1,
  TENSOR_ELEMENT = 1,
  TENSOR_SHAPE = 2,
  SHAPE_DIM = 1,
  DIM_VALUE = 1,
  DIM_NAME = 2
};

/* LayerNormalization came with opset 17, which readers of version 8 know. */
enum { OPSET = 17, IR_VERSION = 8 };

#define MAX_INTS 8

/* Of the weights; protocol buffers end at 2 GiB, and the graph takes some of it. */
#define MAX_BYTES (G_GUINT64_CONSTANT(2000) << 20)

typedef struct {
  const Safetensors *file;
  const Description *d;
  GByteArray *message; /* the graph */
  GStringChunk *names;
  guint n_nodes, n_constants;
  GError **error;
  gboolean failed;
} Graph;

/* ---- Constants ---- */

static const char *add_constant(Graph *g, const char *name, guint type, const guint64 *shape,
                                guint n_dims, gconstpointer data, gsize n_bytes)
{
  GByteArray *tensor = g_byte_array_new();
  for (guint i = 0; i < n_dims; i++)
    protobuf_add_int(tensor, TENSOR_DIMS, shape[i]);
  protobuf_add_int(tensor, TENSOR_DATA_TYPE, type);
  protobuf_add_string(tensor, TENSOR_NAME, name);
  protobuf_add_bytes(tensor, TENSOR_RAW, data, n_bytes);
  protobuf_add_message(g->message, GRAPH_CONSTANT, tensor);
  return g_string_chunk_insert(g->names, name);
}

/* Turns [rows][columns] around. */
static float *transpose(const float *values, gsize rows, gsize columns)
{
  float *turned = g_new(float, rows *columns);
  for (gsize r = 0; r < rows; r++)
    for (gsize c = 0; c < columns; c++)
      turned[c * rows + r] = values[r * columns + c];
  return turned;
}

/* The tensor "@prefix.@part" (or "@prefix"); a matrix as MatMul wants it. */
static const char *add_weight(Graph *g, const char *prefix, const char *part, gboolean turned)
{
  g_autofree char *name = part ? g_strconcat(prefix, ".", part, NULL) : g_strdup(prefix);
  const Tensor *tensor = vitgate__safetensors_find(g->file, name);
  const gsize n = vitgate__tensor_n_elements(tensor);
  g_autofree float *values = g_new(float, n);
  if (g->failed || !vitgate__weights_read(g->file, name, values, g->error)) {
    g->failed = TRUE;
    return "";
  }
  if (!turned)
    return add_constant(g, name, FLOAT32, tensor->shape, tensor->n_dims, values,
                        n * sizeof *values);
  const guint64 shape[] = { tensor->shape[1], tensor->shape[0] };
  g_autofree float *matrix = transpose(values, tensor->shape[0], tensor->shape[1]);
  return add_constant(g, name, FLOAT32, shape, 2, matrix, n * sizeof *matrix);
}

static const char *add_scalar(Graph *g, double value)
{
  const float number = (float)value;
  g_autofree char *name = g_strdup_printf("scalar_%u", g->n_constants++);
  return add_constant(g, name, FLOAT32, NULL, 0, &number, sizeof number);
}

/* A list of whole numbers, or one alone. */
static const char *add_ints(Graph *g, const gint64 *values, guint n, gboolean alone)
{
  const guint64 shape[] = { n };
  g_autofree char *name = g_strdup_printf("ints_%u", g->n_constants++);
  return add_constant(g, name, INT64, shape, alone ? 0 : 1, values, n * sizeof *values);
}

/* ---- Nodes ---- */

typedef struct {
  const char *name;
  guint type; /* TYPE_… */
  gint64 ints[MAX_INTS];
  guint n;
  float number;
} Attribute;

static void add_attribute(GByteArray *node, const Attribute *a)
{
  GByteArray *attribute = g_byte_array_new();
  protobuf_add_string(attribute, ATTRIBUTE_NAME, a->name);
  if (a->type == TYPE_FLOAT)
    protobuf_add_float(attribute, ATTRIBUTE_FLOAT, a->number);
  else if (a->type == TYPE_INT)
    protobuf_add_int(attribute, ATTRIBUTE_INT, (guint64)a->ints[0]);
  for (guint i = 0; a->type == TYPE_INTS && i < a->n; i++)
    protobuf_add_int(attribute, ATTRIBUTE_INTS, (guint64)a->ints[i]);
  protobuf_add_int(attribute, ATTRIBUTE_TYPE, a->type);
  protobuf_add_message(node, NODE_ATTRIBUTE, attribute);
}

/* @inputs: NULL terminated
 * @attributes: (array length=n)
 * Returns: the name of its output */
static const char *add_node(Graph *g, const char *kind, const char *const *inputs,
                            const Attribute *attributes, guint n)
{
  GByteArray *node = g_byte_array_new();
  g_autofree char *output = g_strdup_printf("%s_%u", kind, g->n_nodes++);
  for (; *inputs; inputs++)
    protobuf_add_string(node, NODE_INPUT, *inputs);
  protobuf_add_string(node, NODE_OUTPUT, output);
  protobuf_add_string(node, NODE_KIND, kind);
  for (guint i = 0; i < n; i++)
    add_attribute(node, &attributes[i]);
  protobuf_add_message(g->message, GRAPH_NODE, node);
  return g_string_chunk_insert(g->names, output);
}

static const char *binary(Graph *g, const char *kind, const char *a, const char *b)
{
  return add_node(g, kind, (const char *[]){ a, b, NULL }, NULL, 0);
}

static const char *with_axis(Graph *g, const char *kind, const char *a, const char *b, gint64 axis)
{
  const Attribute attribute = { "axis", TYPE_INT, .ints = { axis } };
  return add_node(g, kind, (const char *[]){ a, b, NULL }, &attribute, 1);
}

static const char *transposed(Graph *g, const char *x, const gint64 *order, guint n)
{
  Attribute attribute = { "perm", TYPE_INTS, .n = n };
  memcpy(attribute.ints, order, n * sizeof *order);
  return add_node(g, "Transpose", (const char *[]){ x, NULL }, &attribute, 1);
}

static const char *reshaped(Graph *g, const char *x, const gint64 *shape, guint n)
{
  return binary(g, "Reshape", x, add_ints(g, shape, n, FALSE));
}

/* ---- Layers ---- */

static const char *linear(Graph *g, const char *x, const char *name, gboolean biased)
{
  x = binary(g, "MatMul", x, add_weight(g, name, "weight", TRUE));
  return biased ? binary(g, "Add", x, add_weight(g, name, "bias", FALSE)) : x;
}

static const char *norm(Graph *g, const char *x, const char *name)
{
  const Attribute attributes[] = {
    { "axis", TYPE_INT, .ints = { -1 } },
    { "epsilon", TYPE_FLOAT, .number = (float)g->d->layer_norm_eps },
  };
  const char *const inputs[] = { x, add_weight(g, name, "weight", FALSE),
                                 add_weight(g, name, "bias", FALSE), NULL };
  return add_node(g, "LayerNormalization", inputs, attributes, G_N_ELEMENTS(attributes));
}

/* Of [batch, tokens, 3, heads, head_dim] the queries, keys or values, as @order wants them. */
static const char *part_of(Graph *g, const char *qkv, gint64 part, const gint64 *order)
{
  const char *index = add_ints(g, &part, 1, TRUE);
  return transposed(g, with_axis(g, "Gather", qkv, index, 2), order, 4);
}

static const char *attention(Graph *g, const char *x, guint b)
{
  static const gint64 rows[] = { 0, 2, 1, 3 }, columns[] = { 0, 2, 3, 1 };
  const Description *d = g->d;
  const gint64 heads = d->blocks[b].heads, n = d->head_dim;
  const gint64 parts[] = { 0, -1, 3, heads, n }, whole[] = { 0, -1, heads * n };
  g_autofree char *qkv_name = g_strdup_printf("blocks.%u.attn.qkv", b);
  g_autofree char *proj_name = g_strdup_printf("blocks.%u.attn.proj", b);
  const char *qkv = linear(g, x, qkv_name, !d->qkv_unbiased);
  qkv = reshaped(g, qkv, parts, G_N_ELEMENTS(parts));
  const char *q = part_of(g, qkv, 0, rows), *k = part_of(g, qkv, 1, columns),
             *v = part_of(g, qkv, 2, rows);
  const char *scores = binary(g, "MatMul", q, k);
  scores = binary(g, "Mul", scores, add_scalar(g, 1 / sqrt((double)n)));
  const Attribute last = { "axis", TYPE_INT, .ints = { -1 } };
  scores = add_node(g, "Softmax", (const char *[]){ scores, NULL }, &last, 1);
  const char *y = transposed(g, binary(g, "MatMul", scores, v), rows, 4);
  return linear(g, reshaped(g, y, whole, G_N_ELEMENTS(whole)), proj_name, TRUE);
}

static const char *mlp(Graph *g, const char *x, guint b)
{
  g_autofree char *fc1 = g_strdup_printf("blocks.%u.mlp.fc1", b);
  g_autofree char *fc2 = g_strdup_printf("blocks.%u.mlp.fc2", b);
  x = linear(g, x, fc1, TRUE);
  const char *erf = binary(g, "Mul", x, add_scalar(g, sqrt(0.5)));
  erf = add_node(g, "Erf", (const char *[]){ erf, NULL }, NULL, 0);
  x = binary(g, "Mul", x, binary(g, "Add", erf, add_scalar(g, 1)));
  return linear(g, binary(g, "Mul", x, add_scalar(g, 0.5)), fc2, TRUE);
}

/* [batch, tokens, dim]; the tokens before the patches are added to zeros, to be one for each
 * image of the batch. */
static const char *embed(Graph *g)
{
  static const gint64 order[] = { 0, 2, 1 };
  const Description *d = g->d;
  const gint64 flat[] = { 0, d->dim, -1 }, first[] = { 0 };
  const Attribute convolution[] = {
    { "kernel_shape", TYPE_INTS, .ints = { d->patch_size, d->patch_size }, .n = 2 },
    { "strides", TYPE_INTS, .ints = { d->patch_size, d->patch_size }, .n = 2 },
  };
  const char *inputs[] = { "image", add_weight(g, "patch_embed.proj", "weight", FALSE),
                           add_weight(g, "patch_embed.proj", "bias", FALSE), NULL };
  const char *x = add_node(g, "Conv", inputs, convolution, 2);
  x = transposed(g, reshaped(g, x, flat, 3), order, 3);
  const char *one = with_axis(g, "Gather", x, add_ints(g, first, 1, FALSE), 1);
  const char *zeros = binary(g, "Mul", one, add_scalar(g, 0));
  const char *cls = binary(g, "Add", zeros, add_weight(g, "cls_token", NULL, FALSE));
  const char *dist =
      d->distilled ? binary(g, "Add", zeros, add_weight(g, "dist_token", NULL, FALSE)) : NULL;
  const Attribute axis = { "axis", TYPE_INT, .ints = { 1 } };
  const char *const tokens[] = { cls, dist ? dist : x, dist ? x : NULL, NULL };
  x = add_node(g, "Concat", tokens, &axis, 1);
  return binary(g, "Add", x, add_weight(g, "pos_embed", NULL, FALSE));
}

static const char *head(Graph *g, const char *x, gint64 token, const char *name)
{
  const char *row = with_axis(g, "Gather", x, add_ints(g, &token, 1, TRUE), 1);
  return linear(g, row, name, TRUE);
}

static const char *classify(Graph *g, const char *x)
{
  const Description *d = g->d;
  if (d->mean_pooling) {
    const gint64 first = 1, last = G_MAXINT64, axis = 1;
    const Attribute mean[] = { { "axes", TYPE_INTS, .ints = { 1 }, .n = 1 },
                               { "keepdims", TYPE_INT, .ints = { 0 } } };
    const char *from = add_ints(g, &first, 1, FALSE);
    const char *to = add_ints(g, &last, 1, FALSE);
    const char *slice[] = { x, from, to, add_ints(g, &axis, 1, FALSE), NULL };
    x = add_node(g, "Slice", slice, NULL, 0);
    x = add_node(g, "ReduceMean", (const char *[]){ x, NULL }, mean, 2);
    return linear(g, norm(g, x, "fc_norm"), "head", TRUE);
  }
  x = norm(g, x, "norm");
  const char *logits = head(g, x, 0, "head");
  if (!d->distilled)
    return logits;
  logits = binary(g, "Add", logits, head(g, x, 1, "head_dist"));
  return binary(g, "Mul", logits, add_scalar(g, 0.5));
}

/* ---- The whole ---- */

/* @shape: [n]; 0: of any size */
static void add_value(Graph *g, guint field, const char *name, const guint64 *shape, guint n)
{
  GByteArray *dims = g_byte_array_new(), *tensor = g_byte_array_new(), *type = g_byte_array_new(),
             *value = g_byte_array_new();
  for (guint i = 0; i < n; i++) {
    GByteArray *dim = g_byte_array_new();
    if (shape[i])
      protobuf_add_int(dim, DIM_VALUE, shape[i]);
    else
      protobuf_add_string(dim, DIM_NAME, "batch");
    protobuf_add_message(dims, SHAPE_DIM, dim);
  }
  protobuf_add_int(tensor, TENSOR_ELEMENT, FLOAT32);
  protobuf_add_message(tensor, TENSOR_SHAPE, dims);
  protobuf_add_message(type, TYPE_TENSOR, tensor);
  protobuf_add_string(value, VALUE_NAME, name);
  protobuf_add_message(value, VALUE_TYPE, type);
  protobuf_add_message(g->message, field, value);
}

static void add_blocks(Graph *g)
{
  const Description *d = g->d;
  const char *x = embed(g);
  for (guint b = 0; b < d->depth; b++) {
    g_autofree char *norm1 = g_strdup_printf("blocks.%u.norm1", b);
    g_autofree char *norm2 = g_strdup_printf("blocks.%u.norm2", b);
    if (d->blocks[b].heads)
      x = binary(g, "Add", x, attention(g, norm(g, x, norm1), b));
    if (d->blocks[b].neurons)
      x = binary(g, "Add", x, mlp(g, norm(g, x, norm2), b));
  }
  GByteArray *last = g_byte_array_new();
  protobuf_add_string(last, NODE_INPUT, classify(g, x));
  protobuf_add_string(last, NODE_OUTPUT, "logits");
  protobuf_add_string(last, NODE_KIND, "Identity");
  protobuf_add_message(g->message, GRAPH_NODE, last);
}

static GBytes *make_model(GByteArray *graph)
{
  GByteArray *model = g_byte_array_new(), *opset = g_byte_array_new();
  protobuf_add_int(opset, OPSET_VERSION, OPSET);
  protobuf_add_int(model, MODEL_IR_VERSION, IR_VERSION);
  protobuf_add_string(model, MODEL_PRODUCER, "vitgate " VITGATE_VERSION);
  protobuf_add_message(model, MODEL_OPSET, opset);
  protobuf_add_message(model, MODEL_GRAPH, graph);
  return g_byte_array_free_to_bytes(model);
}

GBytes *onnx_graph_build(const Safetensors *file, const Description *d, GError **error)
{
  if (vitgate__description_parameters(d) * sizeof(float) > MAX_BYTES) {
    g_set_error(error, VITGATE_ERROR, VITGATE_ERROR_UNSUPPORTED,
                "%s: has %" G_GUINT64_FORMAT " parameters, more than one ONNX file holds",
                vitgate__safetensors_get_path(file), vitgate__description_parameters(d));
    return NULL;
  }
  const guint64 image[] = { 0, 3, d->image_size, d->image_size }, logits[] = { 0, d->n_classes };
  g_autoptr(GStringChunk) names = g_string_chunk_new(4096);
  Graph g = { file, d, g_byte_array_new(), names, .error = error };
  add_blocks(&g);
  protobuf_add_string(g.message, GRAPH_NAME, "vitgate");
  add_value(&g, GRAPH_INPUT, "image", image, G_N_ELEMENTS(image));
  add_value(&g, GRAPH_OUTPUT, "logits", logits, G_N_ELEMENTS(logits));
  if (!g.failed)
    return make_model(g.message);
  g_byte_array_unref(g.message);
  return NULL;
}
