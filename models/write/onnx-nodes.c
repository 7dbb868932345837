#include "write/onnx-nodes.h"

#include <math.h>
#include <string.h>

#include "file/weights.h"
#include "write/protobuf.h"

/* Numbers of fields and types, from onnx.proto. */
enum { GRAPH_NODE = 1, GRAPH_CONSTANT = 5, GRAPH_INPUT = 11, GRAPH_OUTPUT = 12 };
enum { NODE_INPUT = 1, NODE_OUTPUT = 2, NODE_KIND = 4, NODE_ATTRIBUTE = 5 };
enum {
  ATTRIBUTE_NAME = 1,
  ATTRIBUTE_FLOAT = 2,
  ATTRIBUTE_INT = 3,
  ATTRIBUTE_INTS = 8,
  ATTRIBUTE_TYPE = 20
};
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

/* ---- Constants ---- */

static const char *add_constant(OnnxGraph *g, const char *name, guint type, const guint64 *shape,
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

const char *onnx_floats(OnnxGraph *g, const char *name, const guint64 *shape, guint n_dims,
                        const float *values)
{
  gsize n = 1;
  for (guint i = 0; i < n_dims; i++)
    n *= shape[i];
  return add_constant(g, name, FLOAT32, shape, n_dims, values, n * sizeof *values);
}

/* Transposes [rows][columns]. */
static float *transpose(const float *values, gsize rows, gsize columns)
{
  float *turned = g_new(float, rows *columns);
  for (gsize r = 0; r < rows; r++)
    for (gsize c = 0; c < columns; c++)
      turned[c * rows + r] = values[r * columns + c];
  return turned;
}

/* Returns: (transfer full): the tensor's values, or NULL */
static float *read_weight(OnnxGraph *g, const char *name, const Tensor **tensor)
{
  *tensor = vitgate__safetensors_find(g->file, name);
  g_autofree float *values = g_new(float, vitgate__tensor_n_elements(*tensor));
  g->failed = g->failed || !vitgate__weights_read_folded(g->file, name, values, g->error);
  return g->failed ? NULL : g_steal_pointer(&values);
}

static char *join(const char *prefix, const char *part)
{
  return part ? g_strconcat(prefix, ".", part, NULL) : g_strdup(prefix);
}

const char *onnx_weight_as(OnnxGraph *g, const char *prefix, const char *part, const guint64 *shape,
                           guint n_dims)
{
  const Tensor *tensor;
  g_autofree char *name = join(prefix, part);
  g_autofree float *values = read_weight(g, name, &tensor);
  return values ? onnx_floats(g, name, shape ? shape : tensor->shape,
                              shape ? n_dims : tensor->n_dims, values)
                : "";
}

const char *onnx_weight(OnnxGraph *g, const char *prefix, const char *part)
{
  return onnx_weight_as(g, prefix, part, NULL, 0);
}

const char *onnx_weight_turned(OnnxGraph *g, const char *prefix, const char *part)
{
  const Tensor *tensor;
  g_autofree char *name = join(prefix, part);
  g_autofree float *values = read_weight(g, name, &tensor);
  if (!values)
    return "";
  const guint64 shape[] = { tensor->shape[1], tensor->shape[0] };
  g_autofree float *matrix = transpose(values, tensor->shape[0], tensor->shape[1]);
  return onnx_floats(g, name, shape, 2, matrix);
}

const char *onnx_scalar(OnnxGraph *g, double value)
{
  const float number = (float)value;
  g_autofree char *name = g_strdup_printf("scalar_%u", g->n_constants++);
  return onnx_floats(g, name, NULL, 0, &number);
}

static const char *add_ints(OnnxGraph *g, const gint64 *values, guint n, guint n_dims)
{
  const guint64 shape[] = { n };
  g_autofree char *name = g_strdup_printf("ints_%u", g->n_constants++);
  return add_constant(g, name, INT64, shape, n_dims, values, n * sizeof *values);
}

const char *onnx_ints(OnnxGraph *g, const gint64 *values, guint n)
{
  return add_ints(g, values, n, 1);
}

const char *onnx_int(OnnxGraph *g, gint64 value)
{
  return add_ints(g, &value, 1, 0);
}

/* ---- Nodes ---- */

static void add_attribute(GByteArray *node, const OnnxAttribute *a)
{
  GByteArray *attribute = g_byte_array_new();
  protobuf_add_string(attribute, ATTRIBUTE_NAME, a->name);
  if (a->type == ONNX_FLOAT)
    protobuf_add_float(attribute, ATTRIBUTE_FLOAT, a->number);
  else if (a->type == ONNX_INT)
    protobuf_add_int(attribute, ATTRIBUTE_INT, (guint64)a->ints[0]);
  for (guint i = 0; a->type == ONNX_INTS && i < a->n; i++)
    protobuf_add_int(attribute, ATTRIBUTE_INTS, (guint64)a->ints[i]);
  protobuf_add_int(attribute, ATTRIBUTE_TYPE, a->type);
  protobuf_add_message(node, NODE_ATTRIBUTE, attribute);
}

static void add_node(OnnxGraph *g, const char *kind, const char *output, const char *const *inputs,
                     const OnnxAttribute *attributes, guint n)
{
  GByteArray *node = g_byte_array_new();
  for (; *inputs; inputs++)
    protobuf_add_string(node, NODE_INPUT, *inputs);
  protobuf_add_string(node, NODE_OUTPUT, output);
  protobuf_add_string(node, NODE_KIND, kind);
  for (guint i = 0; i < n; i++)
    add_attribute(node, &attributes[i]);
  protobuf_add_message(g->message, GRAPH_NODE, node);
}

const char *onnx_node(OnnxGraph *g, const char *kind, const char *const *inputs,
                      const OnnxAttribute *attributes, guint n)
{
  g_autofree char *output = g_strdup_printf("%s_%u", kind, g->n_nodes++);
  add_node(g, kind, output, inputs, attributes, n);
  return g_string_chunk_insert(g->names, output);
}

const char *onnx_unary(OnnxGraph *g, const char *kind, const char *x)
{
  return onnx_node(g, kind, (const char *[]){ x, NULL }, NULL, 0);
}

const char *onnx_binary(OnnxGraph *g, const char *kind, const char *a, const char *b)
{
  return onnx_node(g, kind, (const char *[]){ a, b, NULL }, NULL, 0);
}

const char *onnx_gather(OnnxGraph *g, const char *x, const char *places, gint64 axis)
{
  const OnnxAttribute attribute = { "axis", ONNX_INT, .ints = { axis } };
  return onnx_node(g, "Gather", (const char *[]){ x, places, NULL }, &attribute, 1);
}

const char *onnx_reduce(OnnxGraph *g, const char *kind, const char *x, gint64 axis, gboolean keep)
{
  const OnnxAttribute attributes[] = { { "axes", ONNX_INTS, .ints = { axis }, .n = 1 },
                                       { "keepdims", ONNX_INT, .ints = { keep } } };
  return onnx_node(g, kind, (const char *[]){ x, NULL }, attributes, G_N_ELEMENTS(attributes));
}

const char *onnx_transpose(OnnxGraph *g, const char *x, const gint64 *order, guint n)
{
  OnnxAttribute attribute = { "perm", ONNX_INTS, .n = n };
  memcpy(attribute.ints, order, n * sizeof *order);
  return onnx_node(g, "Transpose", (const char *[]){ x, NULL }, &attribute, 1);
}

const char *onnx_turn(OnnxGraph *g, const char *x)
{
  static const gint64 order[] = { 0, 2, 1 };
  return onnx_transpose(g, x, order, G_N_ELEMENTS(order));
}

const char *onnx_reshape(OnnxGraph *g, const char *x, const gint64 *shape, guint n)
{
  return onnx_binary(g, "Reshape", x, onnx_ints(g, shape, n));
}

/* ---- Ends ---- */

static void add_end(OnnxGraph *g, guint field, const char *name, const guint64 *shape, guint n)
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

void onnx_add_input(OnnxGraph *g, const char *name, const guint64 *shape, guint n)
{
  add_end(g, GRAPH_INPUT, name, shape, n);
}

void onnx_add_output(OnnxGraph *g, const char *name, const char *value, const guint64 *shape,
                     guint n)
{
  add_node(g, "Identity", name, (const char *[]){ value, NULL }, NULL, 0);
  add_end(g, GRAPH_OUTPUT, name, shape, n);
}

/* ---- Layers ---- */

const char *onnx_linear(OnnxGraph *g, const char *x, const char *name, gboolean biased)
{
  x = onnx_binary(g, "MatMul", x, onnx_weight_turned(g, name, "weight"));
  return biased ? onnx_binary(g, "Add", x, onnx_weight(g, name, "bias")) : x;
}

const char *onnx_norm(OnnxGraph *g, const char *x, const char *name)
{
  const OnnxAttribute attributes[] = {
    { "axis", ONNX_INT, .ints = { -1 } },
    { "epsilon", ONNX_FLOAT, .number = (float)g->d->layer_norm_eps },
  };
  const char *const inputs[] = { x, onnx_weight(g, name, "weight"), onnx_weight(g, name, "bias"),
                                 NULL };
  return onnx_node(g, "LayerNormalization", inputs, attributes, G_N_ELEMENTS(attributes));
}

const char *onnx_mlp(OnnxGraph *g, const char *x, const char *fc1, const char *fc2)
{
  x = onnx_linear(g, x, fc1, TRUE);
  const char *erf = onnx_unary(g, "Erf", onnx_binary(g, "Mul", x, onnx_scalar(g, sqrt(0.5))));
  x = onnx_binary(g, "Mul", x, onnx_binary(g, "Add", erf, onnx_scalar(g, 1)));
  return onnx_linear(g, onnx_binary(g, "Mul", x, onnx_scalar(g, 0.5)), fc2, TRUE);
}

/* Returns the queries, keys or values of [batch, tokens, 3, heads, head_dim], transposed by
 * @order. */
static const char *part_of(OnnxGraph *g, const char *qkv, gint64 part, const gint64 *order)
{
  return onnx_transpose(g, onnx_gather(g, qkv, onnx_int(g, part), 2), order, 4);
}

const char *onnx_attention(OnnxGraph *g, const char *qkv, guint heads, guint head_dim,
                           double factor)
{
  static const gint64 rows[] = { 0, 2, 1, 3 }, columns[] = { 0, 2, 3, 1 };
  const gint64 parts[] = { 0, -1, 3, heads, head_dim }, whole[] = { 0, -1, heads * head_dim };
  qkv = onnx_reshape(g, qkv, parts, G_N_ELEMENTS(parts));
  const char *q = part_of(g, qkv, 0, rows), *k = part_of(g, qkv, 1, columns),
             *v = part_of(g, qkv, 2, rows);
  const char *scores = onnx_binary(g, "MatMul", q, k);
  scores = onnx_binary(g, "Mul", scores, onnx_scalar(g, factor));
  const OnnxAttribute last = { "axis", ONNX_INT, .ints = { -1 } };
  scores = onnx_node(g, "Softmax", (const char *[]){ scores, NULL }, &last, 1);
  const char *y = onnx_transpose(g, onnx_binary(g, "MatMul", scores, v), rows, 4);
  return onnx_reshape(g, y, whole, G_N_ELEMENTS(whole));
}

const char *onnx_tokens_of(OnnxGraph *g, const char *map, guint channels)
{
  const gint64 flat[] = { 0, channels, -1 };
  return onnx_turn(g, onnx_reshape(g, map, flat, 3));
}

const char *onnx_map_of(OnnxGraph *g, const char *tokens, guint channels, guint side)
{
  const gint64 square[] = { 0, channels, side, side };
  return onnx_reshape(g, onnx_turn(g, tokens), square, 4);
}

const char *onnx_convolution(OnnxGraph *g, const char *x, const char *weight, const char *bias,
                             guint size, guint stride, guint pad, guint groups)
{
  const OnnxAttribute attributes[] = {
    { "kernel_shape", ONNX_INTS, .ints = { size, size }, .n = 2 },
    { "strides", ONNX_INTS, .ints = { stride, stride }, .n = 2 },
    { "pads", ONNX_INTS, .ints = { pad, pad, pad, pad }, .n = 4 },
    { "group", ONNX_INT, .ints = { groups } },
  };
  return onnx_node(g, "Conv", (const char *[]){ x, weight, bias, NULL }, attributes,
                   G_N_ELEMENTS(attributes));
}
