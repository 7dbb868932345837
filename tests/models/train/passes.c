#include "passes.h"

#include <string.h>

void passes_fill(Network *network, guint32 seed)
{
  g_autoptr(GRand) random = g_rand_new_with_seed(seed);
  for (guint i = 0; i < network->parameters->len; i++) {
    const Parameter *p = &g_array_index(network->parameters, Parameter, i);
    const gboolean norm = g_str_has_suffix(p->name, "weight") && p->n_dims == 1;
    for (gsize j = 0; !p->implied && j < p->n; j++)
      network->values[p->offset + j] =
          (norm ? 1 : 0) + (real)g_rand_double_range(random, -0.4, 0.4);
  }
}

static void forward_member(gpointer data, guint member)
{
  TrainingPass *pass = data;
  training_pass_pack(&pass->shares[member]);
  training_pass_forward(&pass->shares[member]);
}

void passes_forward(TrainingPass *pass)
{
  vitgate__team_run(pass->team, forward_member, pass);
}

double passes_loss(TrainingPass *pass, const LossWeights *weights, const LossTargets *targets,
                   LossSums *sums)
{
  passes_forward(pass);
  const double ratio = loss_compute_ratio(pass, weights->dense_gmacs),
               off = ratio - weights->target;
  *sums = (LossSums){ 0 };
  for (guint m = 0; m < vitgate__team_size(pass->team); m++) {
    Share *share = &pass->shares[m];
    memset(share->gradient, 0, pass->network->n_values * sizeof *share->gradient);
    const LossSums part = loss_share(share, weights, targets, ratio);
    sums->distillation += part.distillation;
    sums->others += part.others;
    sums->tokens += part.tokens;
    sums->features += part.features;
    sums->labels += part.labels;
    sums->agreement += part.agreement;
    sums->labelled += part.labelled;
  }
  return (weights->distillation * sums->distillation + weights->others * sums->others +
          weights->tokens * sums->tokens + weights->features * sums->features +
          weights->labels * sums->labels) /
             pass->n_images +
         weights->compute * off * off +
         (weights->spread > 0 ? weights->spread * loss_spread(pass) : 0);
}

static void backward_member(gpointer data, guint member)
{
  TrainingPass *pass = data;
  training_pass_backward(&pass->shares[member]);
}

real *passes_gradient(TrainingPass *pass)
{
  vitgate__team_run(pass->team, backward_member, pass);
  const gsize n = pass->network->n_values;
  real *gradient = g_new0(real, n);
  for (guint m = 0; m < vitgate__team_size(pass->team); m++)
    for (gsize i = 0; i < n; i++)
      gradient[i] += pass->shares[m].gradient[i];
  return gradient;
}
