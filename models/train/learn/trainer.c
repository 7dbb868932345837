#include "train/learn/trainer.h"

#include <math.h>
#include <string.h>

#include "base/command-error.h"
#include "base/error.h"
#include "network/dial.h"
#include "train/learn/gradient-sum.h"
#include "train/network/pass-ranks.h"
#include "train/network/training-team.h"

struct _Trainer {
  TrainerOptions options;
  Network *network;
  Team *team;
  TrainingPass *pass;
  Optimizer *optimizer;
  real **gradients; /* [threads] the shares' */
  real *noise;      /* [2 * depth][batch] */
  guint *group;     /* [batch] */
  GradientSum *sum; /* (nullable): of several ranks */
  guint n_parts;    /* threads of all ranks */
  LossSums *sums;   /* [n_parts] */
  double *squares;  /* [n_parts] */
  double bias;      /* of the gates, in the next steps */

  /* Of the current step: */
  LossWeights weights;
  const LossTargets *targets;
  double ratio, spread, norm, factor;
  gboolean sound; /* loss and gradient are finite */
};

static gboolean allocate(Trainer *trainer, GError **error)
{
  const TrainerOptions *o = &trainer->options;
  trainer->team = training_team_new(o->threads, error);
  if (!trainer->team)
    return FALSE;
  trainer->pass = training_pass_new_shared(trainer->network, trainer->team, o->batch, o->bf16,
                                           !o->evaluates_only, error);
  if (!trainer->pass)
    return FALSE;
  if (o->evaluates_only)
    return TRUE;
  trainer->optimizer = optimizer_new(trainer->network, &o->optimizer);
  if (!trainer->optimizer)
    vitgate__set_error(error, VITGATE_ERROR_MEMORY,
                       "not enough memory for the optimizer of %" G_GSIZE_FORMAT " values",
                       trainer->network->n_values);
  return trainer->optimizer != NULL;
}

Trainer *trainer_new(Network *network, const TrainerOptions *options, GError **error)
{
  Trainer *trainer = g_new0(Trainer, 1);
  const guint n = options->threads;
  const Description *d = network->description;
  trainer->options = *options;
  trainer->network = network;
  if (!allocate(trainer, error)) {
    trainer_free(&trainer);
    return NULL;
  }
  trainer->pass->levels =
      options->levels.n ? options->levels : levels_between(d, d, options->loss.features > 0);
  trainer->gradients = g_new(real *, n);
  for (guint i = 0; i < n; i++)
    trainer->gradients[i] = trainer->pass->shares[i].gradient;
  trainer->noise = g_new0(real, (gsize)2 * d->depth * options->batch);
  trainer->group = g_new0(guint, options->batch);
  trainer->n_parts = n * ranks_count();
  if (ranks_count() > 1 && !options->evaluates_only)
    trainer->sum = gradient_sum_new(network, trainer->gradients, n);
  trainer->sums = g_new0(LossSums, trainer->n_parts);
  trainer->squares = g_new0(double, trainer->n_parts);
  return trainer;
}

void trainer_free(Trainer **trainer)
{
  Trainer *t = g_steal_pointer(trainer);
  if (!t)
    return;
  training_pass_free(&t->pass);
  optimizer_free(&t->optimizer);
  vitgate__team_free(&t->team);
  g_free(t->gradients);
  g_free(t->noise);
  g_free(t->group);
  gradient_sum_free(&t->sum);
  g_free(t->sums);
  g_free(t->squares);
  g_free(t);
}

Optimizer *trainer_get_optimizer(Trainer *trainer)
{
  return trainer->optimizer;
}

TrainingPass *trainer_get_pass(Trainer *trainer)
{
  return trainer->pass;
}

guint64 trainer_get_step(const Trainer *trainer)
{
  return trainer->optimizer->step;
}

guint64 trainer_get_steps(const Trainer *trainer)
{
  return trainer->options.steps;
}

void trainer_set_steps(Trainer *trainer, guint64 steps)
{
  trainer->options.steps = steps;
}

void trainer_set_dial(Trainer *trainer, double bias, double target)
{
  trainer->bias = bias;
  trainer->options.loss.target = target;
}

/* All random numbers of a step depend only on the seed and the step's number, so that a resumed run
 * gives the same result as an uninterrupted one. */
static void draw_decisions(Trainer *trainer)
{
  const TrainerOptions *o = &trainer->options;
  const guint64 step = trainer->optimizer->step;
  const guint32 key[4] = { (guint32)o->seed, (guint32)(o->seed >> 32), (guint32)step,
                           (guint32)(step >> 32) };
  g_autoptr(GRand) random = g_rand_new_with_seed_array(key, 4);
  sub_groups_deal(trainer->group, o->batch, o->sub_groups, o->group_size, random);
  const gsize n = (gsize)2 * trainer->network->description->depth * o->batch;
  for (gsize i = 0; i < n; i++) {
    const double u = g_rand_double_range(random, 1e-6, 1 - 1e-6);
    trainer->noise[i] = (real)log(u / (1 - u));
  }
}

static void prepare(Trainer *trainer, const real *tensors)
{
  const TrainerOptions *o = &trainer->options;
  const double progress = o->steps ? (double)trainer->optimizer->step / (double)o->steps : 0;
  Decisions *decisions = &trainer->pass->decisions;
  trainer->factor = optimizer_schedule(progress, o->warm_up);
  trainer->weights = o->loss;
  trainer->pass->n_images = o->batch;
  trainer->pass->tensors = tensors;
  trainer->pass->passed = trainer->sum ? gradient_sum_passed : NULL;
  trainer->pass->passed_data = trainer->sum;
  decisions->sampling = TRUE;
  decisions->bias = trainer->bias;
  decisions->temperature = o->temperature[0] * pow(o->temperature[1] / o->temperature[0], progress);
  decisions->noise = trainer->noise;
  decisions->draw = trainer->optimizer->step;
  decisions->group = o->sub_groups == SUB_GROUPS_SAMPLE ? NULL : trainer->group;
  draw_decisions(trainer);
}

static gboolean sums_are_finite(const Trainer *trainer)
{
  for (guint i = 0; i < trainer->n_parts; i++) {
    const LossSums *s = &trainer->sums[i];
    if (!isfinite(s->distillation) || !isfinite(s->others) || !isfinite(s->tokens) ||
        !isfinite(s->features) || !isfinite(s->labels))
      return FALSE;
  }
  return isfinite(trainer->ratio);
}

/* Adds up the gradient of all threads and ranks, and finds its norm. */
static void gather_gradient(Trainer *trainer, guint member)
{
  const guint n = trainer->options.threads, n_parts = trainer->n_parts;
  if (!trainer->sum) {
    trainer->squares[member] = optimizer_gather(trainer->optimizer, trainer->gradients, member, n);
    vitgate__team_barrier(trainer->team);
    return;
  }
  if (member == 0) {
    gradient_sum_finish(trainer->sum);
    ranks_gather(trainer->sums, n_parts, sizeof *trainer->sums);
  }
  vitgate__team_barrier(trainer->team);
  for (guint part = member; part < n_parts; part += n)
    trainer->squares[part] =
        optimizer_square(trainer->optimizer, trainer->gradients[0], part, n_parts);
  vitgate__team_barrier(trainer->team);
}

static void step_member(gpointer data, guint member)
{
  Trainer *trainer = data;
  const guint n = trainer->options.threads;
  Share *share = &trainer->pass->shares[member];
  memset(share->gradient, 0, trainer->network->n_values * sizeof *share->gradient);
  training_pass_pack(share);
  training_pass_forward(share);
  if (member == 0) {
    if (trainer->sum)
      gradient_sum_begin(trainer->sum);
    pass_gather_decisions(trainer->pass);
    trainer->ratio = loss_compute_ratio(trainer->pass, trainer->weights.dense_gmacs);
    trainer->spread = trainer->weights.spread > 0 ? loss_spread(trainer->pass) : 0;
  }
  vitgate__team_barrier(trainer->team);
  trainer->sums[ranks_own() * n + member] =
      loss_share(share, &trainer->weights, trainer->targets, trainer->ratio);
  vitgate__team_barrier(trainer->team);
  training_pass_backward(share);
  vitgate__team_barrier(trainer->team);
  gather_gradient(trainer, member);
  if (member == 0) {
    double square = 0;
    for (guint i = 0; i < trainer->n_parts; i++)
      square += trainer->squares[i];
    trainer->norm = sqrt(square);
    trainer->sound = isfinite(trainer->norm) && sums_are_finite(trainer);
  }
  vitgate__team_barrier(trainer->team);
  if (trainer->sound)
    optimizer_move(trainer->optimizer, trainer->gradients[0], trainer->norm, trainer->factor,
                   member, n);
}

static void report_step(const Trainer *trainer, StepReport *report)
{
  const LossWeights *w = &trainer->weights;
  LossSums sums = { 0 };
  for (guint i = 0; i < trainer->n_parts; i++) {
    sums.distillation += trainer->sums[i].distillation;
    sums.others += trainer->sums[i].others;
    sums.tokens += trainer->sums[i].tokens;
    sums.features += trainer->sums[i].features;
    sums.labels += trainer->sums[i].labels;
    sums.agreement += trainer->sums[i].agreement;
    sums.labelled += trainer->sums[i].labelled;
  }
  const double n = trainer->options.batch;
  *report = (StepReport){
    .distillation = sums.distillation / n,
    .others = sums.others / n,
    .tokens = sums.tokens / n,
    .features = sums.features / n,
    .labels = sums.labelled ? sums.labels / sums.labelled : 0,
    .agreement = sums.agreement / n,
    .ratio = trainer->ratio,
    .target = w->target,
    .norm = trainer->norm,
    .rate = trainer->factor,
  };
  report->loss = (w->distillation * sums.distillation + w->others * sums.others +
                  w->tokens * sums.tokens + w->features * sums.features + w->labels * sums.labels) /
                     n +
                 w->compute * (report->ratio - w->target) * (report->ratio - w->target) +
                 w->spread * trainer->spread;
}

gboolean trainer_step(Trainer *trainer, const real *tensors, const LossTargets *targets,
                      StepReport *report, GError **error)
{
  prepare(trainer, tensors);
  trainer->targets = targets;
  vitgate__team_run(trainer->team, step_member, trainer);
  report_step(trainer, report);
  if (trainer->sound) {
    trainer->optimizer->step++;
    return TRUE;
  }
  const char *culprit = optimizer_find_culprit(trainer->optimizer, trainer->gradients[0]);
  g_autofree char *what =
      culprit ? g_strdup_printf("the gradient of '%s'", culprit) : g_strdup("the loss");
  g_set_error(error, COMMAND_ERROR, COMMAND_ERROR_TRAINING,
              "step %" G_GUINT64_FORMAT ": %s is not finite (distillation %g, tokens %g, labels "
              "%g, compute ratio %g)",
              trainer->optimizer->step + 1, what, report->distillation, report->tokens,
              report->labels, report->ratio);
  return FALSE;
}

void trainer_average(Trainer *trainer)
{
  memcpy(trainer->network->values, trainer->optimizer->average,
         trainer->network->n_values * sizeof(real));
}

void trainer_swap_average(Trainer *trainer)
{
  real *values = trainer->network->values, *average = trainer->optimizer->average;
  for (gsize i = 0; i < trainer->network->n_values; i++) {
    const real value = values[i];
    values[i] = average[i];
    average[i] = value;
  }
}

void trainer_set_merging(Trainer *trainer, guint block, double threshold)
{
  trainer->network->blocks[block].merge_threshold = threshold < MERGE_NEVER ? threshold : 2;
}

static void evaluate_member(gpointer data, guint member)
{
  Trainer *trainer = data;
  training_pass_pack(&trainer->pass->shares[member]);
  training_pass_forward(&trainer->pass->shares[member]);
  if (member == 0) {
    pass_gather_decisions(trainer->pass);
    pass_gather_logits(trainer->pass);
  }
}

void trainer_evaluate(Trainer *trainer, const real *tensors, guint n_images, double bias)
{
  Decisions *decisions = &trainer->pass->decisions;
  const gsize side = trainer->network->description->image_size;
  trainer->pass->n_images = n_images;
  trainer->pass->tensors = tensors + pass_own_first(trainer->pass) * 3 * side * side;
  decisions->sampling = FALSE;
  decisions->bias = bias;
  decisions->group = NULL;
  vitgate__team_run(trainer->team, evaluate_member, trainer);
}
