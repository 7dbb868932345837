#include "train/learn/loss.h"

#include <math.h>
#include <string.h>

#include "file/architecture.h"
#include "train/network/mask.h"
#include "train/network/pass-ranks.h"
#include "train/network/training-kernels.h"

/* Returns: GMACs of the parts that always run: stem, embedding, heads and the gates */
static double always_gmacs(const Description *d)
{
  double blocks = 0;
  const guint tokens = vitgate__description_n_tokens(d);
  for (guint b = 0; b < d->depth; b++) {
    const guint after = vitgate__description_tokens_after(d, b);
    blocks += vitgate__attention_gmacs(d, d->blocks[b].heads, tokens, after) +
              vitgate__mlp_gmacs(d, d->blocks[b].neurons, after);
  }
  return vitgate__description_gmacs(d) - blocks;
}

double loss_compute_ratio(const TrainingPass *pass, double dense_gmacs)
{
  const Description *d = pass->network->description;
  const Decisions *decisions = &pass->decisions;
  double sum = always_gmacs(d) * pass->n_images;
  for (guint module = 0; module < 2 * d->depth; module++)
    for (guint i = 0; i < pass->n_images; i++) {
      const gsize at = (gsize)module * pass->capacity + i;
      sum += decisions->open[at] * decisions->macs[at];
    }
  return sum / pass->n_images / dense_gmacs;
}

double loss_open_ratio(const TrainingPass *pass, double dense_gmacs)
{
  const Description *d = pass->network->description;
  double sum = always_gmacs(d) * pass->n_images;
  for (guint module = 0; module < 2 * d->depth; module++)
    for (guint i = 0; i < pass->n_images; i++)
      sum += pass->decisions.macs[(gsize)module * pass->capacity + i];
  return sum / pass->n_images / dense_gmacs;
}

/* out[n] = log softmax(x / temperature) */
static void log_softmax(double *out, const real *x, double temperature, guint n)
{
  double max = -INFINITY, sum = 0;
  for (guint i = 0; i < n; i++)
    max = MAX(max, x[i] / temperature);
  for (guint i = 0; i < n; i++)
    sum += exp(x[i] / temperature - max);
  for (guint i = 0; i < n; i++)
    out[i] = x[i] / temperature - max - log(sum);
}

guint loss_best(const real *x, guint n)
{
  guint best = 0;
  for (guint i = 1; i < n; i++)
    if (x[i] > x[best])
      best = i;
  return best;
}

double loss_divergence(const real *p, const real *q, guint n)
{
  double max_p = -INFINITY, max_q = -INFINITY, sum_p = 0, sum_q = 0, sum = 0;
  for (guint i = 0; i < n; i++) {
    max_p = MAX(max_p, p[i]);
    max_q = MAX(max_q, q[i]);
  }
  for (guint i = 0; i < n; i++) {
    const double share = exp(p[i] - max_p);
    sum_p += share;
    sum_q += exp(q[i] - max_q);
    sum += share * ((p[i] - max_p) - (q[i] - max_q));
  }
  return sum / sum_p - log(sum_p) + log(sum_q);
}

/* Adds the gradient of weight T^2 KL(teacher || student) at temperature T = t to dlogits[n].
 * @work: [2 n]
 * Returns: T^2 KL, unweighted */
static double distil(real *dlogits, const real *logits, const real *teacher, double *work, double t,
                     double weight, guint n)
{
  double *ours = work, *theirs = work + n, divergence = 0;
  log_softmax(ours, logits, t, n);
  log_softmax(theirs, teacher, t, n);
  for (guint c = 0; c < n; c++) {
    const double p = exp(theirs[c]);
    divergence += p * (theirs[c] - ours[c]);
    dlogits[c] += (real)(weight * t * (exp(ours[c]) - p));
  }
  return t * t * divergence;
}

/* The same over all classes of the teacher, from the class tokens. */
static double distil_others(Share *share, guint i, const real *teacher_class,
                            const LossWeights *weights, double each)
{
  const WideHead *wide = weights->wide;
  const gsize at = (gsize)i * wide->dim;
  g_autofree real *logits = g_new0(real, 3 * (gsize)wide->n);
  g_autofree double *work = g_new(double, 2 * (gsize)wide->n);
  real *teacher = logits + wide->n, *dlogits = teacher + wide->n;
  wide_head_logits(wide, logits, share->tokens[0] + at);
  wide_head_logits(wide, teacher, teacher_class);
  const double divergence =
      distil(dlogits, logits, teacher, work, weights->temperature, weights->others * each, wide->n);
  wide_head_backward(wide, share->dclass + at, dlogits);
  return divergence;
}

static void follow_label(real *dlogits, const real *logits, guint label, double *work,
                         const LossWeights *weights, double each, guint n, LossSums *sums)
{
  const double rest = weights->smoothing / n;
  log_softmax(work, logits, 1, n);
  for (guint c = 0; c < n; c++) {
    const double p = rest + (c == label ? 1 - weights->smoothing : 0);
    sums->labels -= p * work[c];
    dlogits[c] += (real)(weights->labels * each * (exp(work[c]) - p));
  }
  sums->labelled++;
}

/* Compares an image's tokens at a level with the teacher's. Each token is compared with the mean of
 * the teacher's tokens that it stands for (share->into).
 * Returns: the mean squared difference over the mean square of those means, unweighted */
static double match_level(Share *share, guint i, guint level, const real *teacher, double weight)
{
  const Description *d = share->pass->network->description;
  const guint tokens = vitgate__description_n_tokens(d), dim = d->dim;
  const Activations *entry = &share->blocks[levels_block(share->pass->levels, level)];
  const guint first = entry->rows[i];
  const gsize n = (gsize)(entry->rows[i + 1] - first) * dim;
  real *mean = share->dz; /* not used until the backward pass */
  memset(mean, 0, n * sizeof *mean);
  for (guint t = 0; t < tokens; t++)
    training_kernels()->add_scaled(mean + (gsize)share->into[t] * dim,
                                   1 / entry->size[first + share->into[t]],
                                   teacher + (gsize)t * dim, dim);
  const real *ours = entry->x + (gsize)first * dim;
  real *dentry = share->dentry[level] + (gsize)first * dim;
  const double scale = 1 / MAX(training_kernels()->dot(mean, mean, n), 1e-12);
  double sum = 0;
  for (gsize k = 0; k < n; k++) {
    const double difference = ours[k] - mean[k];
    sum += scale * difference * difference;
    dentry[k] += (real)(2 * weight * scale * difference);
  }
  return sum;
}

/* Compares the tokens of all levels, from the earliest block to the tail. share->into follows the
 * merging from block to block. */
static void match_tokens(Share *share, guint i, const real *teacher, const LossWeights *weights,
                         double each, LossSums *sums)
{
  const TrainingPass *pass = share->pass;
  const Description *d = pass->network->description;
  const guint tokens = vitgate__description_n_tokens(d);
  for (guint t = 0; t < tokens; t++)
    share->into[t] = t;
  for (guint b = 0, level = pass->levels.n; level > 0; b++) {
    if (levels_block(pass->levels, level - 1) == b) {
      level--;
      const double weight = level ? weights->features / (pass->levels.n - 1) : weights->tokens;
      const gsize image =
          (gsize)level * pass_own_count(pass) + share->first - pass_own_first(pass) + i;
      const double difference =
          match_level(share, i, level, teacher + image * tokens * d->dim, weight * each);
      *(level ? &sums->features : &sums->tokens) +=
          level ? difference / (pass->levels.n - 1) : difference;
    }
    for (guint t = 0; level && t < tokens; t++)
      share->into[t] = share->blocks[b].into[share->blocks[b].rows[i] + share->into[t]];
  }
}

/* Adds the gradient of gamma (ratio - target)^2 to that of the decisions and of the structure's
 * alphas. */
static void weigh_compute(Share *share, const LossWeights *weights, double ratio)
{
  TrainingPass *pass = share->pass;
  const Network *network = pass->network;
  const double slope = 2 * weights->compute * (ratio - weights->target);
  share->compute_slope = slope / weights->dense_gmacs / pass->n_images;
  for (guint module = 0; module < 2 * network->description->depth; module++) {
    const TrainBlock *block = &network->blocks[module / 2];
    const Choice *choice = module % 2 ? &block->neurons_choice : &block->heads_choice;
    double spent = 0;
    for (guint i = share->first; i < share->first + share->n; i++) {
      const gsize at = (gsize)module * pass->capacity + i;
      const double part = pass->decisions.macs[at] / weights->dense_gmacs / pass->n_images;
      pass->decisions.dopen[at] += (real)(slope * part);
      spent += part * pass->decisions.open[at];
    }
    if (choice->n)
      mask_scale_backward(share, choice, slope * spent / mask_scale(network, choice));
  }
}

static guint count_gates(const Network *network)
{
  guint n = 0;
  for (guint module = 0; module < 2 * network->description->depth; module++)
    n += description_has_gate(network->description, module);
  return n;
}

/* Computes the mean and standard deviation of a gate's logits over the batch. */
static void find_spread(const TrainingPass *pass, guint module, double *mean, double *spread)
{
  const real *logit = pass->decisions.logit + (gsize)module * pass->capacity;
  double sum = 0, square = 0;
  for (guint i = 0; i < pass->n_images; i++)
    sum += logit[i];
  *mean = sum / pass->n_images;
  for (guint i = 0; i < pass->n_images; i++)
    square += (logit[i] - *mean) * (logit[i] - *mean);
  *spread = sqrt(square / pass->n_images);
}

double loss_spread(const TrainingPass *pass)
{
  double sum = 0, mean, spread;
  for (guint module = 0; module < 2 * pass->network->description->depth; module++) {
    if (!description_has_gate(pass->network->description, module))
      continue;
    find_spread(pass, module, &mean, &spread);
    const double missing = MAX(0, GATE_SPREAD - spread);
    sum += missing * missing;
  }
  return sum / MAX(1, count_gates(pass->network));
}

static void weigh_spread(Share *share, double weight)
{
  TrainingPass *pass = share->pass;
  const guint n_gates = count_gates(pass->network);
  for (guint module = 0; module < 2 * pass->network->description->depth; module++) {
    double mean, spread;
    if (!description_has_gate(pass->network->description, module))
      continue;
    find_spread(pass, module, &mean, &spread);
    const double missing = MAX(0, GATE_SPREAD - spread);
    const double slope = -2 * weight * missing / (n_gates * pass->n_images * MAX(spread, 1e-6));
    for (guint i = share->first; i < share->first + share->n; i++) {
      const gsize at = (gsize)module * pass->capacity + i;
      pass->decisions.dlogit[at] += (real)(slope * (pass->decisions.logit[at] - mean));
    }
  }
}

LossSums loss_share(Share *share, const LossWeights *weights, const LossTargets *targets,
                    double ratio)
{
  const TrainingPass *pass = share->pass;
  const Description *d = pass->network->description;
  const guint n = d->n_classes;
  const double each = 1.0 / pass->n_images;
  LossSums sums = { 0 };
  g_autofree double *work = g_new(double, 2 * n);
  memset(share->dlogits, 0, (gsize)share->n * n * sizeof *share->dlogits);
  memset(share->dclass, 0, (gsize)share->n * d->dim * sizeof *share->dclass);
  for (guint level = 0; level < pass->levels.n; level++)
    memset(share->dentry[level], 0,
           (gsize)share->blocks[levels_block(pass->levels, level)].rows[share->n] * d->dim *
               sizeof(real));
  for (guint i = 0; i < share->n; i++) {
    const guint image = share->first - pass_own_first(pass) + i; /* among this rank's */
    const real *logits = share->logits + (gsize)i * n;
    real *dlogits = share->dlogits + (gsize)i * n;
    const int label = targets->labels ? targets->labels[image] : -1;
    const real *teacher =
        targets->teacher_logits ? targets->teacher_logits + (gsize)image * n : NULL;
    if (teacher)
      sums.distillation += distil(dlogits, logits, teacher, work, weights->temperature,
                                  weights->distillation * each, n);
    if (weights->wide && targets->teacher_class && weights->others > 0)
      sums.others +=
          distil_others(share, i, targets->teacher_class + (gsize)image * d->dim, weights, each);
    sums.agreement += (int)loss_best(logits, n) == (teacher ? (int)loss_best(teacher, n) : label);
    if (label >= 0)
      follow_label(dlogits, logits, (guint)label, work, weights, each, n, &sums);
    if (targets->teacher_tokens && weights->tokens > 0)
      match_tokens(share, i, targets->teacher_tokens, weights, each, &sums);
  }
  share->compute_slope = 0;
  if (weights->compute > 0)
    weigh_compute(share, weights, ratio);
  if (weights->spread > 0)
    weigh_spread(share, weights->spread);
  return sums;
}
