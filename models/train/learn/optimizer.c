#include "train/learn/optimizer.h"

#include <math.h>
#include <string.h>

#include "train/network/training-kernels.h"

Optimizer *optimizer_new(Network *network, const OptimizerOptions *options)
{
  Optimizer *optimizer = g_new0(Optimizer, 1);
  optimizer->options = *options;
  optimizer->network = network;
  optimizer->m = g_try_new0(real, network->n_values);
  optimizer->v = g_try_new0(real, network->n_values);
  optimizer->average = g_try_new(real, network->n_values);
  if (optimizer->m && optimizer->v && optimizer->average)
    memcpy(optimizer->average, network->values, network->n_values * sizeof(real));
  else
    optimizer_free(&optimizer);
  return optimizer;
}

void optimizer_free(Optimizer **optimizer)
{
  Optimizer *o = g_steal_pointer(optimizer);
  if (!o)
    return;
  g_free(o->m);
  g_free(o->v);
  g_free(o->average);
  g_free(o);
}

double optimizer_schedule(double progress, double warm_up)
{
  if (progress < warm_up)
    return progress / warm_up;
  const double rest = (MIN(progress, 1) - warm_up) / (1 - warm_up);
  return 0.01 + 0.99 * 0.5 * (1 + cos(G_PI * rest));
}

double optimizer_gather(Optimizer *optimizer, real **gradients, guint member, guint n)
{
  double square = 0;
  for (guint i = member; i < optimizer->network->parameters->len; i += n) {
    const Parameter *p = &g_array_index(optimizer->network->parameters, Parameter, i);
    real *sum = gradients[0] + p->offset;
    if (p->fixed)
      continue;
    for (guint m = 1; m < n; m++)
      training_kernels()->add_scaled(sum, 1, gradients[m] + p->offset, p->n);
    square += training_kernels()->dot(sum, sum, p->n);
  }
  return square;
}

double optimizer_square(const Optimizer *optimizer, const real *gradient, guint part, guint n)
{
  double square = 0;
  for (guint i = part; i < optimizer->network->parameters->len; i += n) {
    const Parameter *p = &g_array_index(optimizer->network->parameters, Parameter, i);
    if (!p->fixed)
      square += training_kernels()->dot(gradient + p->offset, gradient + p->offset, p->n);
  }
  return square;
}

void optimizer_move(Optimizer *optimizer, const real *gradient, double norm, double factor,
                    guint member, guint n)
{
  const OptimizerOptions *o = &optimizer->options;
  const double t = (double)optimizer->step + 1;
  const double scale = o->clip > 0 && norm > o->clip ? o->clip / norm : 1;
  /* Otherwise the mean would remember the initial values for too long. */
  const double keep = MIN(o->average_keep, t / (t + 10));
  for (guint i = member; i < optimizer->network->parameters->len; i += n) {
    const Parameter *p = &g_array_index(optimizer->network->parameters, Parameter, i);
    if (p->fixed)
      continue;
    const double rate = factor * (p->steers ? o->steering_rate : o->rate);
    training_kernels()->adamw(optimizer->network->values + p->offset, optimizer->m + p->offset,
                              optimizer->v + p->offset, optimizer->average + p->offset,
                              gradient + p->offset, p->n, (real)(rate / (1 - pow(o->beta1, t))),
                              (real)(p->decay && !p->steers ? rate * o->decay : 0), (real)o->beta1,
                              (real)o->beta2, (real)(1 / (1 - pow(o->beta2, t))), (real)o->eps,
                              (real)keep, (real)scale);
  }
}

const char *optimizer_find_culprit(const Optimizer *optimizer, const real *gradient)
{
  for (guint i = 0; i < optimizer->network->parameters->len; i++) {
    const Parameter *p = &g_array_index(optimizer->network->parameters, Parameter, i);
    for (gsize j = 0; !p->fixed && j < p->n; j++)
      if (!isfinite(gradient[p->offset + j]))
        return p->name;
  }
  return NULL;
}
