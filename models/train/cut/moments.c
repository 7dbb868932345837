#include "train/cut/moments.h"

#include "base/ranks-sum.h"

/* Uncertainty of the moments, relative to the inputs' mean squares: they are sums of floats. */
#define ROUNDING 1e-6

void moments_free(Moments **moments)
{
  Moments *m = g_steal_pointer(moments);
  if (!m)
    return;
  g_free(m->mean_in);
  g_free(m->mean_out);
  g_free(m->square);
  g_free(m->cross);
  g_free(m);
}

Moments *moments_new(guint n, guint n_out, gboolean cross)
{
  Moments *m = g_new0(Moments, 1);
  m->n = n;
  m->n_out = n_out;
  m->mean_in = g_new0(double, n);
  m->mean_out = g_new0(double, n_out);
  m->square = g_new0(double, (gsize)n *n);
  if (cross)
    m->cross = g_new0(double, (gsize)n_out *n);
  return m;
}

static void add_doubles(double *sums, const double *values, gsize n)
{
  for (gsize i = 0; i < n; i++)
    sums[i] += values[i];
}

void moments_add(Moments *m, const Moments *other)
{
  m->weight += other->weight;
  add_doubles(m->mean_in, other->mean_in, m->n);
  add_doubles(m->mean_out, other->mean_out, m->n_out);
  add_doubles(m->square, other->square, (gsize)m->n * m->n);
  if (m->cross)
    add_doubles(m->cross, other->cross, (gsize)m->n_out * m->n);
}

void moments_share(Moments *m)
{
  ranks_sum_now(&m->weight, 1);
  ranks_sum_now(m->mean_in, m->n);
  ranks_sum_now(m->mean_out, m->n_out);
  ranks_sum_now(m->square, (gsize)m->n * m->n);
  if (m->cross)
    ranks_sum_now(m->cross, (gsize)m->n_out * m->n);
}

void moments_finish(Moments *m, guint n_images)
{
  const double each = 1.0 / n_images;
  for (guint i = 0; i < m->n; i++)
    m->mean_in[i] /= m->weight;
  for (guint i = 0; i < m->n_out; i++)
    m->mean_out[i] /= m->weight;
  for (guint i = 0; i < m->n; i++)
    for (guint j = 0; j < m->n; j++) {
      double *square = m->square + (gsize)i * m->n + j;
      *square = each * (*square - m->weight * m->mean_in[i] * m->mean_in[j]);
    }
  for (guint i = 0; m->cross && i < m->n_out; i++)
    for (guint j = 0; j < m->n; j++) {
      double *cross = m->cross + (gsize)i * m->n + j;
      *cross = each * (*cross - m->weight * m->mean_out[i] * m->mean_in[j]);
    }
  m->weight *= each;
}

double moments_ridge(const Moments *m, double ridge)
{
  double variances = 0, means = 0;
  for (guint i = 0; i < m->n; i++) {
    variances += m->square[(gsize)i * (m->n + 1)];
    means += m->weight * m->mean_in[i] * m->mean_in[i];
  }
  return (ridge * variances + ROUNDING * means) / m->n + 1e-30;
}
