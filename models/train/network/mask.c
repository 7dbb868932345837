#include "train/network/mask.h"

#include <math.h>
#include <string.h>

static void weigh(const Network *network, const Choice *choice, double weights[MAX_CANDIDATES])
{
  const real *alphas = network_at(network, choice->alphas);
  double max = alphas[0], sum = 0;
  for (guint i = 1; i < choice->n; i++)
    max = MAX(max, alphas[i]);
  for (guint i = 0; i < choice->n; i++)
    sum += weights[i] = exp(alphas[i] - max);
  for (guint i = 0; i < choice->n; i++)
    weights[i] /= sum;
}

void mask_make(const Network *network, const Choice *choice, real *mask, guint width)
{
  double weights[MAX_CANDIDATES], kept = 1;
  weigh(network, choice, weights);
  guint unit = 0;
  for (guint i = 0; i < choice->n; i++) {
    for (; unit < choice->counts[i]; unit++)
      for (guint j = 0; j < width; j++)
        *mask++ = (real)kept;
    kept -= weights[i];
  }
}

double mask_scale(const Network *network, const Choice *choice)
{
  double weights[MAX_CANDIDATES], scale = 0;
  weigh(network, choice, weights);
  for (guint i = 0; i < choice->n; i++)
    scale += weights[i] * choice->counts[i];
  return scale / choice->counts[choice->n - 1];
}

/* Takes the gradient of the candidates' weights through the softmax, and adds it to the gradient of
 * the alphas. */
static void add_alpha_gradient(Share *share, const Choice *choice,
                               const double gradient[MAX_CANDIDATES])
{
  double weights[MAX_CANDIDATES], mean = 0;
  weigh(share->pass->network, choice, weights);
  for (guint i = 0; i < choice->n; i++)
    mean += weights[i] * gradient[i];
  for (guint i = 0; i < choice->n; i++)
    share->gradient[choice->alphas + i] += (real)(weights[i] * (gradient[i] - mean));
}

void mask_backward(Share *share, const Choice *choice, const real *dmasked, const real *values,
                   guint rows, guint n, guint width)
{
  memset(share->dmask, 0, n * sizeof *share->dmask);
  for (guint r = 0; r < rows; r++)
    for (guint j = 0; j < n; j++)
      share->dmask[j] += dmasked[(gsize)r * n + j] * values[(gsize)r * n + j];
  double gradient[MAX_CANDIDATES], sum = 0;
  guint j = 0;
  for (guint i = 0; i < choice->n; i++) {
    for (; j < choice->counts[i] * width; j++)
      sum += share->dmask[j];
    gradient[i] = sum;
  }
  add_alpha_gradient(share, choice, gradient);
}

void mask_scale_backward(Share *share, const Choice *choice, double dscale)
{
  double gradient[MAX_CANDIDATES];
  for (guint i = 0; i < choice->n; i++)
    gradient[i] = dscale * choice->counts[i] / choice->counts[choice->n - 1];
  add_alpha_gradient(share, choice, gradient);
}

guint mask_chosen(const Network *network, const Choice *choice)
{
  const real *alphas = network_at(network, choice->alphas);
  guint best = 0;
  for (guint i = 1; i < choice->n; i++)
    if (alphas[i] > alphas[best])
      best = i;
  return best;
}
