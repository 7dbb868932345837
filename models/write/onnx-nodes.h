/* An ONNX graph as it grows: its constants, its nodes, and the layers that all parts of a network
 * have. A value goes by its name, which the graph owns. */
#pragma once

#include "file/description.h"

typedef struct {
  const Safetensors *file;
  const Description *d;
  GByteArray *message; /* the graph */
  GStringChunk *names;
  guint n_nodes, n_constants;
  GError **error;
  gboolean failed; /* a weight could not be read: the graph is of no use */
} OnnxGraph;

/* ---- Constants ---- */

const char *onnx_floats(OnnxGraph *graph, const char *name, const guint64 *shape, guint n_dims,
                        const float *values);

/* The tensor "@prefix.@part", or "@prefix", with LayerScale folded in. */
const char *onnx_weight(OnnxGraph *graph, const char *prefix, const char *part);

/* The same in another shape; the same, a matrix, turned around, as MatMul wants it. */
const char *onnx_weight_as(OnnxGraph *graph, const char *prefix, const char *part,
                           const guint64 *shape, guint n_dims);
const char *onnx_weight_turned(OnnxGraph *graph, const char *prefix, const char *part);

const char *onnx_scalar(OnnxGraph *graph, double value);

/* A list of whole numbers; one alone. */
const char *onnx_ints(OnnxGraph *graph, const gint64 *values, guint n);
const char *onnx_int(OnnxGraph *graph, gint64 value);

/* ---- Nodes ---- */

typedef struct {
  const char *name;
  enum { ONNX_FLOAT = 1, ONNX_INT = 2, ONNX_INTS = 7 } type; /* as onnx.proto numbers them */
  gint64 ints[4];
  guint n; /* of ONNX_INTS */
  float number;
} OnnxAttribute;

/* @inputs: NULL terminated
 * @attributes: (array length=n)
 * Returns: its output */
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

/* A side of @shape may be 0: as it is; one may be -1: what is left. */
const char *onnx_reshape(OnnxGraph *graph, const char *x, const gint64 *shape, guint n);

/* The ends of the graph.
 * @shape: [n] of floats; 0: the batch, of any size
 * @value: what goes out as @name */
void onnx_add_input(OnnxGraph *graph, const char *name, const guint64 *shape, guint n);
void onnx_add_output(OnnxGraph *graph, const char *name, const char *value, const guint64 *shape,
                     guint n);

/* ---- Layers: of [batch, tokens, values] ---- */

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

/* A convolution of squares of @size every @stride, @pad zeros around; @bias: (nullable) */
const char *onnx_convolution(OnnxGraph *graph, const char *x, const char *weight, const char *bias,
                             guint size, guint stride, guint pad, guint groups);
