#include "train/network/pass-head.h"

#include <string.h>

#include "file/architecture.h"
#include "train/network/pass-linear.h"
#include "train/network/training-kernels.h"

/* Computes pooled[dim] of an image for head @t: the head's token, or the mean of the patch tokens,
 * weighted by the patches they stand for. */
static void pool(const Share *share, real *pooled, guint i, guint t)
{
  const Network *network = share->pass->network;
  const Description *d = network->description;
  const Activations *a = &share->blocks[d->depth];
  if (!d->mean_pooling) {
    memcpy(pooled, a->x + (gsize)(a->rows[i] + t) * d->dim, d->dim * sizeof *pooled);
    return;
  }
  const real patches = vitgate__description_n_patches(d);
  memset(pooled, 0, d->dim * sizeof *pooled);
  for (guint row = a->rows[i] + network->n_prefix; row < a->rows[i + 1]; row++)
    training_kernels()->add_scaled(pooled, a->size[row] / patches, a->x + (gsize)row * d->dim,
                                   d->dim);
}

/* Adds to share->dx. */
static void pool_backward(Share *share, const real *dpooled, guint i, guint t)
{
  const Network *network = share->pass->network;
  const Description *d = network->description;
  const Activations *a = &share->blocks[d->depth];
  if (!d->mean_pooling) {
    training_kernels()->add_scaled(share->dx + (gsize)(a->rows[i] + t) * d->dim, 1, dpooled,
                                   d->dim);
    return;
  }
  const real patches = vitgate__description_n_patches(d);
  for (guint row = a->rows[i] + network->n_prefix; row < a->rows[i + 1]; row++)
    training_kernels()->add_scaled(share->dx + (gsize)row * d->dim, a->size[row] / patches, dpooled,
                                   d->dim);
}

static guint head_of(const Description *d, guint t)
{
  return t ? HEAD_DIST_OF(d->depth) : HEAD_OF(d->depth);
}

void pass_classify(Share *share)
{
  const Network *network = share->pass->network;
  const Description *d = network->description;
  const guint n_heads = vitgate__description_n_class_heads(d);
  for (guint t = 0; t < n_heads; t++) {
    for (guint i = 0; i < share->n; i++)
      pool(share, share->pooled[t].in + (gsize)i * d->dim, i, t);
    training_kernels()->layer_norm(
        share->tokens[t], share->pooled[t].mean, share->pooled[t].inverse, share->pooled[t].in,
        network_at(network, network->norm_scale), network_at(network, network->norm_shift),
        (real)d->layer_norm_eps, share->n, d->dim);
    pass_linear(share, head_of(d, t), share->logits, share->tokens[t], t, share->n);
  }
  if (n_heads == 2)
    for (gsize i = 0; i < (gsize)share->n * d->n_classes; i++)
      share->logits[i] /= 2;
}

void pass_classify_backward(Share *share)
{
  const Network *network = share->pass->network;
  const Description *d = network->description;
  const gsize values = (gsize)share->n * d->dim;
  const guint n_heads = vitgate__description_n_class_heads(d);
  if (n_heads == 2)
    for (gsize i = 0; i < (gsize)share->n * d->n_classes; i++)
      share->dlogits[i] /= 2;
  memset(share->dx, 0, (gsize)share->blocks[d->depth].rows[share->n] * d->dim * sizeof *share->dx);
  for (guint t = 0; t < n_heads; t++) {
    pass_linear_backward(share, head_of(d, t), share->dtokens, share->dlogits, share->tokens[t],
                         FALSE, share->n);
    if (t == 0)
      training_kernels()->add_scaled(share->dtokens, 1, share->dclass, values);
    memset(share->dpooled, 0, values * sizeof *share->dpooled);
    training_kernels()->layer_norm_backward(
        share->dpooled, share->gradient + network->norm_scale,
        share->gradient + network->norm_shift, share->dtokens, share->pooled[t].in,
        network_at(network, network->norm_scale), share->pooled[t].mean, share->pooled[t].inverse,
        share->n, d->dim);
    for (guint i = 0; i < share->n; i++)
      pool_backward(share, share->dpooled + (gsize)i * d->dim, i, t);
  }
}
