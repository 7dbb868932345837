#include "train/network/pass-linear.h"

#include "file/architecture.h"
#include "train/network/training-kernels.h"

/* Maximum number of rows in one product. More rows reuse the weights' gradient in cache; fewer
 * reuse their activations. */
#define ROWS_AT_ONCE 800

#define NO_BIAS G_MAXSIZE

typedef struct {
  gsize weight, bias;
  guint n_out, n_in;
} Layer;

/* Returns: the layer of a token gate's substitute; without inputs and outputs if there is none */
static Layer find_substitute(const TokenGateOffsets *gate, gboolean up, guint dim)
{
  if (!gate->present || !gate->rank || (gate->whole && !up))
    return (Layer){ 0 };
  if (!up)
    return (Layer){ gate->down, NO_BIAS, gate->rank, dim };
  return (Layer){ gate->up, gate->bias_out, dim, gate->whole ? dim : gate->rank };
}

static Layer find_layer(const Network *network, guint weight)
{
  const Description *d = network->description;
  const guint depth = d->depth;
  if (weight >= PATCH_OF(depth)) {
    if (weight == PATCH_OF(depth))
      return (Layer){ network->patch_weight, network->patch_bias, d->dim,
                      vitgate__description_patch_values(d) };
    if (weight == HEAD_OF(depth))
      return (Layer){ network->head_weight, network->head_bias, d->n_classes, d->dim };
    return (Layer){ network->head_dist_weight, network->head_dist_bias, d->n_classes, d->dim };
  }
  const TrainBlock *block = &network->blocks[weight / N_BLOCK_WEIGHTS];
  const guint width = block->heads * d->head_dim;
  switch (weight % N_BLOCK_WEIGHTS) {
  case QKV:
    return (Layer){ block->qkv_weight, block->qkv_bias, 3 * width, d->dim };
  case PROJ:
    return (Layer){ block->proj_weight, block->proj_bias, d->dim, width };
  case FC1:
    return (Layer){ block->fc1_weight, block->fc1_bias, block->neurons, d->dim };
  case ATTENTION_DOWN:
  case ATTENTION_UP:
    return find_substitute(&block->attention_tokens, weight % N_BLOCK_WEIGHTS == ATTENTION_UP,
                           d->dim);
  case MLP_DOWN:
  case MLP_UP:
    return find_substitute(&block->mlp_tokens, weight % N_BLOCK_WEIGHTS == MLP_UP, d->dim);
  default:
    return (Layer){ block->fc2_weight, block->fc2_bias, d->dim, block->neurons };
  }
}

gsize pass_linear_packed_size(const TrainingPass *pass, const MatmulScratch *scratch, guint weight,
                              gboolean backward)
{
  const Layer layer = find_layer(pass->network, weight);
  return backward ? matmul_packed_size(scratch, layer.n_in, layer.n_out)
                  : matmul_packed_size(scratch, layer.n_out, layer.n_in);
}

void pass_linear_pack(const TrainingPass *pass, const MatmulScratch *scratch, guint weight)
{
  const Layer layer = find_layer(pass->network, weight);
  if (!layer.n_out || !layer.n_in)
    return;
  const real *values = network_at(pass->network, layer.weight);
  matmul_pack(scratch, pass->packed[0][weight],
              (Operand){ .data = values, .stride = layer.n_in, .transposed = TRUE }, layer.n_out,
              layer.n_in);
  if (pass->packed[1])
    matmul_pack(scratch, pass->packed[1][weight], (Operand){ .data = values, .stride = layer.n_in },
                layer.n_in, layer.n_out);
}

gboolean pass_linear_reserve(Share *share, guint rows)
{
  const Network *network = share->pass->network;
  rows = MIN(rows, ROWS_AT_ONCE);
  for (guint weight = 0; weight < N_WEIGHTS(network->description->depth); weight++) {
    const Layer layer = find_layer(network, weight);
    if (!matmul_scratch_reserve(share->scratch, rows, 0, layer.n_in) ||
        (share->pass->backward &&
         (!matmul_scratch_reserve(share->scratch, rows, 0, layer.n_out) ||
          !matmul_scratch_reserve(share->scratch, layer.n_out, layer.n_in, rows))))
      return FALSE;
  }
  return TRUE;
}

void pass_linear(const Share *share, guint weight, real *y, const real *x, gboolean accumulate,
                 guint rows)
{
  const Network *network = share->pass->network;
  const Layer layer = find_layer(network, weight);
  const Operand w = { .data = network_at(network, layer.weight),
                      .stride = layer.n_in,
                      .transposed = TRUE,
                      .packed = share->pass->packed[0][weight] };
  for (guint row = 0, n; row < rows; row += n) {
    n = MIN(ROWS_AT_ONCE, rows - row);
    matmul(share->scratch, y + (gsize)row * layer.n_out, layer.n_out,
           (Operand){ .data = x + (gsize)row * layer.n_in, .stride = layer.n_in }, w,
           layer.bias == NO_BIAS ? NULL : network_at(network, layer.bias), accumulate, n,
           layer.n_out, layer.n_in);
  }
}

void pass_linear_backward(const Share *share, guint weight, real *dx, const real *dy, const real *x,
                          gboolean accumulate, guint rows)
{
  const Network *network = share->pass->network;
  const Layer layer = find_layer(network, weight);
  const Operand w = { .data = network_at(network, layer.weight),
                      .stride = layer.n_in,
                      .packed = share->pass->packed[1][weight] };
  for (guint row = 0, n; row < rows; row += n) {
    n = MIN(ROWS_AT_ONCE, rows - row);
    const Operand d = { .data = dy + (gsize)row * layer.n_out, .stride = layer.n_out };
    const Operand transposed = { .data = d.data, .stride = d.stride, .transposed = TRUE };
    if (dx)
      matmul(share->scratch, dx + (gsize)row * layer.n_in, layer.n_in, d, w, NULL, accumulate, n,
             layer.n_in, layer.n_out);
    if (share->pass->inputs_only)
      continue;
    matmul(share->scratch, share->gradient + layer.weight, layer.n_in, transposed,
           (Operand){ .data = x + (gsize)row * layer.n_in, .stride = layer.n_in }, NULL, TRUE,
           layer.n_out, layer.n_in, n);
    if (layer.bias != NO_BIAS)
      training_kernels()->add_rows(share->gradient + layer.bias, d.data, n, layer.n_out);
  }
}
