#include "train/network/pass-mlp.h"

#include <string.h>

#include "train/network/mask.h"
#include "train/network/pass-gate.h"
#include "train/network/pass-linear.h"
#include "train/network/pass-token-gate.h"
#include "train/network/training-kernels.h"

void pass_mlp(Share *share, guint b)
{
  const Network *network = share->pass->network;
  const Description *d = network->description;
  const TrainBlock *block = &network->blocks[b];
  const TrainingKernels *f = training_kernels();
  Activations *a = &share->blocks[b];
  real *out = share->blocks[b + 1].x;
  const guint rows = a->merged[share->n];
  memcpy(out, a->z, (gsize)rows * d->dim * sizeof *out);
  if (!block->neurons)
    return;
  f->layer_norm(a->h2, a->mean2, a->inverse2, a->z, network_at(network, block->norm2_scale),
                network_at(network, block->norm2_shift), (real)d->layer_norm_eps, rows, d->dim);
  pass_linear(share, N_BLOCK_WEIGHTS * b + FC1, a->p, a->h2, FALSE, rows);
  f->gelu(a->g, a->p, (gsize)rows * block->neurons);
  if (block->neurons_choice.n) {
    mask_make(network, &block->neurons_choice, share->neurons_mask, 1);
    f->scale_columns(a->g, share->neurons_mask, rows, block->neurons);
  }
  pass_linear(share, N_BLOCK_WEIGHTS * b + FC2, a->m, a->g, FALSE, rows);
  pass_token_gate(share, b, TRUE);
  if (pass_token_gate_of(share, b, TRUE))
    pass_token_gate_apply(share, b, TRUE, out, a->m);
  else
    pass_gate_apply(share, MLP_OF(b), out, a->m, a->merged);
}

void pass_mlp_backward(Share *share, guint b)
{
  const Network *network = share->pass->network;
  const Description *d = network->description;
  const TrainBlock *block = &network->blocks[b];
  const TrainingKernels *f = training_kernels();
  Activations *a = &share->blocks[b];
  const guint rows = a->merged[share->n];
  if (!block->neurons)
    return;
  real *dm = share->dz;
  if (pass_token_gate_of(share, b, TRUE))
    pass_token_gate_apply_backward(share, b, TRUE, dm, a->m);
  else
    pass_gate_apply_backward(share, MLP_OF(b), dm, a->m, a->merged);
  pass_linear_backward(share, N_BLOCK_WEIGHTS * b + FC2, share->dp, dm, a->g, FALSE, rows);
  if (block->neurons_choice.n) {
    /* g was masked in place, but the mask's gradient needs it unmasked. */
    f->gelu(a->g, a->p, (gsize)rows * block->neurons);
    mask_make(network, &block->neurons_choice, share->neurons_mask, 1);
    mask_backward(share, &block->neurons_choice, share->dp, a->g, rows, block->neurons, 1);
    f->scale_columns(share->dp, share->neurons_mask, rows, block->neurons);
  }
  f->gelu_backward(share->dp, share->dp, a->p, (gsize)rows * block->neurons);
  pass_linear_backward(share, N_BLOCK_WEIGHTS * b + FC1, share->dh, share->dp, a->h2, FALSE, rows);
  pass_token_gate_backward(share, b, TRUE);
  f->layer_norm_backward(share->dx, share->gradient + block->norm2_scale,
                         share->gradient + block->norm2_shift, share->dh, a->z,
                         network_at(network, block->norm2_scale), a->mean2, a->inverse2, rows,
                         d->dim);
}
