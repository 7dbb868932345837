#include "network/gate.h"

#include <math.h>
#include <string.h>

#include "kernels/kernels.h"

float vitgate__gate_logit(const Gate *gate, float *work, const float *tokens, const float *size,
                          guint n_tokens, guint n_prefix, guint dim, float eps)
{
  float *features = work, *normed = work + 2 * dim, hidden[GATE_HIDDEN], patches = 0.0f;
  memcpy(features, tokens, dim * sizeof *features);
  memset(features + dim, 0, dim * sizeof *features);
  for (guint i = n_prefix; i < n_tokens; i++) {
    const float *token = tokens + (gsize)i * dim;
    patches += size[i];
    for (guint j = 0; j < dim; j++)
      features[dim + j] += size[i] * token[j];
  }
  for (guint j = 0; patches > 0.0f && j < dim; j++)
    features[dim + j] /= patches;
  vitgate__kernels()->layer_norm(normed, features, gate->norm_scale, gate->norm_shift, eps, 1,
                                 2 * dim);
  for (guint h = 0; h < GATE_HIDDEN; h++) {
    const float *row = gate->fc1_weight + (gsize)h * 2 * dim;
    hidden[h] = gate->fc1_bias[h];
    for (guint j = 0; j < 2 * dim; j++)
      hidden[h] += row[j] * normed[j];
  }
  vitgate__kernels()->gelu(hidden, GATE_HIDDEN);
  double raw = gate->fc2_bias[0];
  for (guint h = 0; h < GATE_HIDDEN; h++)
    raw += gate->fc2_weight[h] * hidden[h];
  return (float)(GATE_BOUND * tanh(raw / GATE_BOUND));
}
