/* The initialisation of DeiT and T2T-ViT (facebookresearch/deit's and timm's VisionTransformer,
 * yitu-opensource/T2T-ViT's t2t_vit.py and token_performer.py). Linear weights, learned tokens and
 * positions come from a normal distribution with standard deviation 0.02 (timm's trunc_normal_
 * truncates it at 2, a hundred standard deviations away). Biases are zero and norms are the
 * identity. The patch embedding is initialised as PyTorch initialises a convolution. */
#include "train/network/fresh.h"

#include <math.h>
#include <string.h>

#include "base/random.h"
#include "file/architecture.h"

#define SPREAD 0.02

/* Identifies a purpose of random numbers, like the ones in run-training.c. */
#define BEGINNING 102

static void fill_uniform(real *values, gsize n, double bound, Random *random)
{
  for (gsize i = 0; i < n; i++)
    values[i] = (real)random_between(random, -bound, bound);
}

static void fill_normal(real *values, gsize n, double spread, Random *random)
{
  for (gsize i = 0; i < n; i++)
    values[i] = (real)(spread * random_normal(random));
}

/* Alternates sine and cosine of the token's number at falling frequencies (Vaswani et al. 2017). */
static void fill_sinusoid(real *values, guint n_tokens, guint dim)
{
  for (guint t = 0; t < n_tokens; t++)
    for (guint j = 0; j < dim; j++) {
      const double angle = t / pow(10000, (double)(j / 2 * 2) / dim);
      values[(gsize)t * dim + j] = (real)(j % 2 ? cos(angle) : sin(angle));
    }
}

/* Fills a performer's directions by Gram-Schmidt: orthogonal rows of length sqrt(rows), at most as
 * many as columns. */
static void fill_orthogonal(real *values, guint rows, guint columns, Random *random)
{
  g_autofree double *w = g_new(double, (gsize)rows *columns);
  for (guint i = 0; i < rows; i++) {
    double *row = w + (gsize)i * columns, square = 0;
    for (guint j = 0; j < columns; j++)
      row[j] = random_normal(random);
    for (guint earlier = 0; earlier < i; earlier++) {
      const double *other = w + (gsize)earlier * columns;
      double product = 0;
      for (guint j = 0; j < columns; j++)
        product += row[j] * other[j];
      for (guint j = 0; j < columns; j++)
        row[j] -= product * other[j];
    }
    for (guint j = 0; j < columns; j++)
      square += row[j] * row[j];
    for (guint j = 0; j < columns; j++) {
      row[j] /= sqrt(square);
      values[(gsize)i * columns + j] = (real)(row[j] * sqrt(rows));
    }
  }
}

static void begin(real *values, const Parameter *p, const Description *d, Random *random)
{
  const gboolean weight = g_str_has_suffix(p->name, ".weight");
  if (g_str_has_prefix(p->name, "patch_embed."))
    fill_uniform(values, p->n, 1 / sqrt(vitgate__description_patch_values(d)), random);
  else if (!strcmp(p->name, "pos_embed") && d->family->sinusoidal_position)
    fill_sinusoid(values, (guint)p->shape[1], d->dim);
  else if (g_str_has_suffix(p->name, ".w"))
    fill_orthogonal(values, (guint)p->shape[0], (guint)p->shape[1], random);
  else if (p->n_dims > 1)
    fill_normal(values, p->n, SPREAD, random);
  else
    for (gsize i = 0; i < p->n; i++)
      values[i] = weight; /* 1 for a norm's scale, 0 for biases */
}

void network_start_fresh(Network *network, const char *prefix, guint64 seed)
{
  for (guint i = 0; i < network->parameters->len; i++) {
    const Parameter *p = &g_array_index(network->parameters, Parameter, i);
    Random random = { random_key(seed, BEGINNING, i) };
    if (!p->steers && g_str_has_prefix(p->name, prefix))
      begin(network->values + p->offset, p, network->description, &random);
  }
}
