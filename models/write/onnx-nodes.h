/* Builds an ONNX graph: its constants, its nodes, and the layers that all parts of a network use. A
 * value is referred to by its name, which the graph owns. */
#pragma once

#include "file/description.h"

typedef struct {
  const Safetensors *file;
  const Description *d;
  GByteArray *message; /* the graph */
  GStringChunk *names;
  guint n_nodes, n_constants;
  GError **error;
  gboolean failed; /* a weight could not be read, so the graph is useless */
} OnnxGraph;

/* ---- Constants ---- */

const char *onnx_floats(OnnxGraph *graph, const char *name, const guint64 *shape, guint n_dims,
                        const float *values);

/* Adds the tensor "@prefix.@part", or "@prefix" if @part is NULL, with LayerScale folded in. */
const char *onnx_weight(OnnxGraph *graph, const char *prefix, const char *part);

/* Like onnx_weight(), in another shape; or, for a matrix, transposed, as MatMul needs it. */
const char *onnx_weight_as(OnnxGraph *graph, const char *prefix, const char *part,
                           const guint64 *shape, guint n_dims);
const char *onnx_weight_turned(OnnxGraph *graph, const char *prefix, const char *part);

const char *onnx_scalar(OnnxGraph *graph, double value);

/* Adds a list of integers, or a single integer. */
const char *onnx_ints(OnnxGraph *graph, const gint64 *values, guint n);
const char *onnx_int(OnnxGraph *graph, gint64 value);

/* ---- Nodes ---- */

typedef struct {
  const char *name;
  enum { ONNX_FLOAT = 1, ONNX_INT = 2, ONNX_INTS = 7 } type; /* numbers from onnx.proto */
  gint64 ints[4];
  guint n; /* number of ints, for ONNX_INTS */
  float number;
} OnnxAttribute;

/* @inputs: NULL terminated
 * @attributes: (array length=n)
 * Returns: the node's output */
const char *onnx_node(OnnxGraph *graph, const char *kind, const char *const *inputs,
                      const OnnxAttribute *attributes, guint n);

const char *onnx_unary(OnnxGraph *graph, const char *kind, const char *x);
const char *onnx_binary(OnnxGraph *graph, const char *kind, const char *a, const char *b);
const char *onnx_gather(OnnxGraph *graph, const char *x, const char *places, gint64 axis);
const char *onnx_reduce(OnnxGraph *graph, const char *kind, const char *x, gint64 axis,
                        gboolean keep);
const char *onnx_transpose(OnnxGraph *graph, const char *x, const gint64 *order, guint n);

/* [batch, m, n] to [batch, n, m] */
const char *onnx_turn(OnnxGraph *graph, const char *x);

/* In @shape, 0 keeps a dimension, and one dimension may be -1: whatever is left. */
const char *onnx_reshape(OnnxGraph *graph, const char *x, const gint64 *shape, guint n);

/* Adds an input or output of floats to the graph.
 * @shape: [n]; 0 stands for the batch, of any size
 * @value: the value of output @name */
void onnx_add_input(OnnxGraph *graph, const char *name, const guint64 *shape, guint n);
void onnx_add_output(OnnxGraph *graph, const char *name, const char *value, const guint64 *shape,
                     guint n);

/* ---- Layers, on [batch, tokens, values] ---- */

const char *onnx_linear(OnnxGraph *graph, const char *x, const char *name, gboolean biased);
const char *onnx_norm(OnnxGraph *graph, const char *x, const char *name);

/* @fc2(gelu(@fc1(x))) */
const char *onnx_mlp(OnnxGraph *graph, const char *x, const char *fc1, const char *fc2);

/* softmax(q k^T * @factor) v of every head; @qkv: [batch, tokens, 3 * heads * head_dim] */
const char *onnx_attention(OnnxGraph *graph, const char *qkv, guint heads, guint head_dim,
                           double factor);

/* [batch, channels, side, side] to [batch, side * side, channels], and back. */
const char *onnx_tokens_of(OnnxGraph *graph, const char *map, guint channels);
const char *onnx_map_of(OnnxGraph *graph, const char *tokens, guint channels, guint side);

/* A convolution with square kernels of side @size, every @stride pixels, with a border of @pad
 * zeros.
 * @bias: (nullable) */
const char *onnx_convolution(OnnxGraph *graph, const char *x, const char *weight, const char *bias,
                             guint size, guint stride, guint pad, guint groups);
