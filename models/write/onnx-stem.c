#include "write/onnx-stem.h"

#include <math.h>

#include "network/families/t2t-stem.h"

/* A soft split: square windows of side @size, every @stride pixels, with a border of @pad zeros. */
typedef struct {
  guint channels, size, stride, pad;
} SoftSplit;

/* Turns each window into a token, with its values ordered by channel, row and column. Each channel
 * goes separately through a convolution with as many outputs as a window has positions. */
static const char *soft_split(OnnxGraph *g, const char *map, SoftSplit split, guint number)
{
  const guint places = split.size * split.size, outputs = split.channels * places;
  const guint64 shape[] = { outputs, 1, split.size, split.size };
  g_autofree float *picks = g_new0(float, (gsize)outputs *places);
  g_autofree char *name = g_strdup_printf("soft_split_%u", number);
  for (guint i = 0; i < outputs; i++)
    picks[(gsize)i * places + i % places] = 1;
  const char *weight = onnx_floats(g, name, shape, G_N_ELEMENTS(shape), picks);
  return onnx_tokens_of(
      g,
      onnx_convolution(g, map, weight, NULL, split.size, split.stride, split.pad, split.channels),
      outputs);
}

static SoftSplit split_of(const Description *d, guint stage)
{
  return stage ? (SoftSplit){ d->token_dim, 3, 2, 1 } : (SoftSplit){ 3, 7, 4, 2 };
}

/* Returns one third of the products, [batch, tokens, token_dim]. The thirds are keys, queries and
 * values, or queries, keys and values. */
static const char *third_of(OnnxGraph *g, const char *products, gint64 third)
{
  const gint64 thirds[] = { 0, -1, 3, g->d->token_dim };
  return onnx_gather(g, onnx_reshape(g, products, thirds, G_N_ELEMENTS(thirds)), onnx_int(g, third),
                     2);
}

/* exp(w x - |x|^2 / 2) / sqrt(n_features) */
static const char *features(OnnxGraph *g, const char *x, const char *directions)
{
  const char *squares = onnx_reduce(g, "ReduceSumSquare", x, -1, TRUE);
  const char *half = onnx_binary(g, "Mul", squares, onnx_scalar(g, 0.5));
  const char *exponent = onnx_binary(g, "Sub", onnx_binary(g, "MatMul", x, directions), half);
  return onnx_binary(g, "Mul", onnx_unary(g, "Exp", exponent),
                     onnx_scalar(g, 1 / sqrt(g->d->n_features)));
}

/* qp (kp^T v) / (qp kp^T 1 + eps). Like the engine's, its time is linear in the number of
 * tokens. */
static const char *perform(OnnxGraph *g, const char *kqv, const char *prefix)
{
  const gint64 last = -1;
  const char *directions = onnx_weight_turned(g, prefix, "w");
  const char *keys = onnx_turn(g, features(g, third_of(g, kqv, 0), directions));
  const char *queries = features(g, third_of(g, kqv, 1), directions);
  const char *sum = onnx_binary(g, "ReduceSum", keys, onnx_ints(g, &last, 1));
  const char *weights = onnx_binary(g, "MatMul", queries, sum);
  const char *found = onnx_binary(g, "MatMul", keys, third_of(g, kqv, 2));
  return onnx_binary(g, "Div", onnx_binary(g, "MatMul", queries, found),
                     onnx_binary(g, "Add", weights, onnx_scalar(g, PERFORMER_EPS)));
}

/* y = v + proj(attention(norm1(x))); y + mlp(norm2(y)) */
static const char *attend(OnnxGraph *g, const char *x, guint stage)
{
  const Description *d = g->d;
  const gboolean performer = vitgate__t2t_is_performer(d);
  const double n_values = vitgate__t2t_split(d, stage).n_values;
  g_autofree char *prefix = g_strdup_printf("tokens_to_token.attention%u", stage + 1);
  g_autofree char *norm1 = g_strconcat(prefix, ".norm1", NULL);
  g_autofree char *norm2 = g_strconcat(prefix, ".norm2", NULL);
  g_autofree char *products = g_strconcat(prefix, performer ? ".kqv" : ".attn.qkv", NULL);
  g_autofree char *proj = g_strconcat(prefix, performer ? ".proj" : ".attn.proj", NULL);
  g_autofree char *fc1 = g_strconcat(prefix, performer ? ".mlp.0" : ".mlp.fc1", NULL);
  g_autofree char *fc2 = g_strconcat(prefix, performer ? ".mlp.2" : ".mlp.fc2", NULL);
  x = onnx_linear(g, onnx_norm(g, x, norm1), products, performer);
  const char *y =
      performer ? perform(g, x, prefix) : onnx_attention(g, x, 1, d->token_dim, 1 / sqrt(n_values));
  y = onnx_binary(g, "Add", third_of(g, x, 2), onnx_linear(g, y, proj, TRUE));
  return onnx_binary(g, "Add", y, onnx_mlp(g, onnx_norm(g, y, norm2), fc1, fc2));
}

/* The last split and the layer after it are one convolution. */
static const char *project(OnnxGraph *g, const char *map)
{
  const Description *d = g->d;
  const SoftSplit split = split_of(d, T2T_STAGES);
  const guint64 shape[] = { d->dim, split.channels, split.size, split.size };
  const char *weight =
      onnx_weight_as(g, "tokens_to_token.project", "weight", shape, G_N_ELEMENTS(shape));
  const char *bias = onnx_weight(g, "tokens_to_token.project", "bias");
  const char *x = onnx_convolution(g, map, weight, bias, split.size, split.stride, split.pad, 1);
  return onnx_tokens_of(g, x, d->dim);
}

const char *onnx_stem(OnnxGraph *g, const char *image)
{
  const Description *d = g->d;
  const char *map = image;
  for (guint stage = 0; stage < T2T_STAGES; stage++) {
    const char *x = attend(g, soft_split(g, map, split_of(d, stage), stage), stage);
    map = onnx_map_of(g, x, d->token_dim, d->image_size / (4u << stage));
  }
  return project(g, map);
}
