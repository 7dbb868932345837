#include "network/gate.h"

#include <math.h>

#include "kernels/kernels.h"

float vitgate__gate_logit(const Gate *gate, float *work, guint dim, float eps)
{
  const Kernels *kernels = vitgate__kernels();
  const guint n = 2 * dim;
  float *normed = work + n, hidden[GATE_HIDDEN];
  kernels->layer_norm(normed, work, gate->norm_scale, gate->norm_shift, eps, 1, n);
  kernels->multiply_vector(hidden, gate->fc1_weight, normed, gate->fc1_bias, GATE_HIDDEN, n);
  kernels->gelu(hidden, GATE_HIDDEN);
  double raw = gate->fc2_bias[0];
  for (guint h = 0; h < GATE_HIDDEN; h++)
    raw += gate->fc2_weight[h] * hidden[h];
  return (float)(GATE_BOUND * tanh(raw / GATE_BOUND));
}
