#include "train/cut/sensitivity.h"

#include <math.h>
#include <string.h>

#include "base/ranks-sum.h"
#include "file/architecture.h"
#include "train/network/pass-attention.h"
#include "train/network/pass-head.h"
#include "train/network/pass-mlp.h"
#include "train/network/training-kernels.h"

struct _Sensitivity {
  guint depth, tail, dim, n_tokens, n_prefix, n_members;
  guint n_images;
  double **squares; /* [members] -> [2 depth][2] by kind of token */
  double **metrics; /* [members] -> [2 depth][dim][dim] */
};

Sensitivity *sensitivity_new(TrainingPass *pass)
{
  const Description *d = pass->network->description;
  Sensitivity *s = g_new0(Sensitivity, 1);
  s->depth = d->depth;
  s->tail = vitgate__description_tail(d);
  s->dim = d->dim;
  s->n_tokens = vitgate__description_n_tokens(d);
  s->n_prefix = pass->network->n_prefix;
  s->n_members = vitgate__team_size(pass->team);
  s->squares = g_new0(double *, s->n_members);
  s->metrics = g_new0(double *, s->n_members);
  for (guint i = 0; i < s->n_members; i++) {
    s->squares[i] = g_new0(double, 4 * s->depth);
    s->metrics[i] = g_new0(double, (gsize)2 * s->depth * s->dim * s->dim);
  }
  return s;
}

void sensitivity_free(Sensitivity **sensitivity)
{
  Sensitivity *s = g_steal_pointer(sensitivity);
  if (!s)
    return;
  for (guint i = 0; i < s->n_members; i++) {
    g_free(s->squares[i]);
    g_free(s->metrics[i]);
  }
  g_free(s->squares);
  g_free(s->metrics);
  g_free(s);
}

void sensitivity_draw(real *dlogits, const real *logits, guint n, guint32 seed)
{
  g_autoptr(GRand) random = g_rand_new_with_seed(seed);
  double max = -INFINITY, sum = 0, mean = 0;
  for (guint i = 0; i < n; i++)
    max = MAX(max, logits[i]);
  for (guint i = 0; i < n; i++)
    sum += exp(logits[i] - max);
  for (guint i = 0; i < n; i++) {
    const double root = sqrt(exp(logits[i] - max) / sum);
    dlogits[i] = (real)(g_rand_boolean(random) ? root : -root);
    mean += dlogits[i];
  }
  for (guint i = 0; i < n; i++)
    dlogits[i] -= (real)(exp(logits[i] - max) / sum * mean);
}

/* Adds share->dx, which is the gradient of the module's output, since no tokens merge. */
static void record(Sensitivity *s, const Share *share, guint member, guint module)
{
  const gsize square = (gsize)s->dim * s->dim;
  const guint rows = share->n * s->n_tokens;
  for (guint row = 0; row < rows; row++) {
    const real *dx = share->dx + (gsize)row * s->dim;
    s->squares[member][2 * module + (row % s->n_tokens >= s->n_prefix)] +=
        training_kernels()->dot(dx, dx, s->dim);
  }
  g_autofree real *part = g_new(real, square);
  matmul(share->scratch, part, s->dim,
         (Operand){ .data = share->dx, .stride = s->dim, .transposed = TRUE },
         (Operand){ .data = share->dx, .stride = s->dim }, NULL, FALSE, s->dim, s->dim, rows);
  for (gsize i = 0; i < square; i++)
    s->metrics[member][module * square + i] += (double)part[i];
}

typedef struct {
  Sensitivity *sensitivity;
  TrainingPass *pass;
  guint first;
} Work;

static void add_share(gpointer data, guint member)
{
  const Work *work = data;
  Sensitivity *s = work->sensitivity;
  Share *share = &work->pass->shares[member];
  const guint n = work->pass->network->description->n_classes;
  if (!share->n)
    return;
  for (guint i = 0; i < share->n; i++)
    sensitivity_draw(share->dlogits + (gsize)i * n, share->logits + (gsize)i * n, n,
                     work->first + share->first + i);
  memset(share->dclass, 0, (gsize)share->n * s->dim * sizeof *share->dclass);
  pass_classify_backward(share);
  for (guint b = s->depth; b-- > 0;) {
    record(s, share, member, MLP_OF(b));
    pass_mlp_backward(share, b);
    record(s, share, member, ATTENTION_OF(b));
    pass_attention_backward(share, b);
  }
}

void sensitivity_add(Sensitivity *sensitivity, TrainingPass *pass, guint first)
{
  Work work = { sensitivity, pass, first };
  vitgate__team_run(pass->team, add_share, &work);
  sensitivity->n_images += pass->n_images;
}

/* Scales a metric to a trace of dim. It becomes the identity if no error matters. */
static void normalise(double *metric, guint dim)
{
  double trace = 0;
  for (guint i = 0; i < dim; i++)
    trace += metric[(gsize)i * dim + i];
  for (gsize i = 0; i < (gsize)dim * dim; i++)
    metric[i] = trace > 0 ? metric[i] * dim / trace : i % (dim + 1) == 0;
}

/* Adds up the sums of all members, in those of the first, and then of all ranks. */
static void add_up(Sensitivity *s)
{
  const gsize n_metrics = (gsize)2 * s->depth * s->dim * s->dim;
  double n_images = s->n_images;
  for (guint member = 1; member < s->n_members; member++) {
    for (guint i = 0; i < 4 * s->depth; i++)
      s->squares[0][i] += s->squares[member][i];
    for (gsize i = 0; i < n_metrics; i++)
      s->metrics[0][i] += s->metrics[member][i];
  }
  ranks_sum_now(s->squares[0], 4 * s->depth);
  ranks_sum_now(s->metrics[0], n_metrics);
  ranks_sum_now(&n_images, 1);
  s->n_images = (guint)n_images;
}

void sensitivity_finish(Sensitivity *s, double *token_weights, double *metrics,
                        double least_patches)
{
  const gsize square = (gsize)s->dim * s->dim;
  const guint n_patches = s->n_tokens - s->n_prefix;
  add_up(s);
  memcpy(metrics, s->metrics[0], 2 * s->depth * square * sizeof *metrics);
  for (guint module = 0; module < 2 * s->depth; module++) {
    double *weights = token_weights + 2 * module;
    const double prefix = s->squares[0][2 * module], patch = s->squares[0][2 * module + 1];
    const double all = (prefix + patch) / 2 / s->n_images / s->dim;
    /* In the tail, patches no longer matter; a small weight for them keeps regressions on few
     * images well conditioned. */
    const double min = module / 2 < s->tail ? least_patches : 0.1 * least_patches;
    const double patches = MAX(min, prefix + patch > 0 ? patch / (prefix + patch) : 0);
    weights[0] = all * (1 - patches) / s->n_prefix;
    weights[1] = all * patches / n_patches;
    normalise(metrics + module * square, s->dim);
  }
}
