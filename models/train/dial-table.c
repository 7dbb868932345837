#include "dial-table.h"

#include <math.h>
#include <string.h>

/* Notches of the walk. */
static const double thresholds[] = { 1,    0.97, 0.95, 0.93, 0.91, 0.89, 0.87,
                                     0.85, 0.83, 0.81, 0.78, 0.75, 0.71, 0.66 };
static const double biases[] = {
  6, 4, 3, 2, 1.5, 1, 0.6, 0.3, 0, -0.3, -0.6, -1, -1.5, -2, -3, -4
};

/* Points of the table are this far apart, at least. */
#define SPACING 0.012

/* What a setting comes to. */
typedef struct {
  double ratio, divergence, agreement;
} Outcome;

/* Which notch every block's merging and the gates stand at. The last of the moves is the gates'. */
typedef struct {
  guint notches[DESCRIPTION_MAX_DEPTH + 1];
} Setting;

typedef struct {
  Trainer *trainer;
  const Description *description;
  gboolean gates;
  guint n, n_priced, batch;
  float *tensors; /* [n][3][image_size][image_size] */
  float *teacher; /* [n][n_classes] logits */
} Bench;

static gboolean has_gates(const Description *d)
{
  for (guint b = 0; b < d->depth; b++)
    if (d->blocks[b].attention_gate || d->blocks[b].mlp_gate)
      return TRUE;
  return FALSE;
}

/* Reads the held-out photographs and asks the teacher about them. */
static gboolean fill_bench(Bench *bench, Teacher *teacher, const DialTableOptions *options,
                           GError **error)
{
  const Description *d = bench->description;
  const gsize pixels = (gsize)3 * d->image_size * d->image_size;
  const SamplesOptions order = { .order = { .part = SAMPLER_HELD_OUT, .once = TRUE },
                                 .batch_size = options->batch };
  g_autoptr(Samples) samples = samples_new(options->collection, &order, error);
  if (!samples)
    return FALSE;
  bench->tensors = g_new(float, options->max_images *pixels);
  bench->teacher = g_new(float, (gsize)options->max_images * d->n_classes);
  const Batch *batch;
  g_autoptr(GError) failure = NULL;
  while (bench->n < options->max_images && (batch = samples_next(samples, &failure))) {
    const guint n = MIN(batch->n, options->max_images - bench->n);
    memcpy(bench->tensors + bench->n * pixels, batch->tensors, n * pixels * sizeof(float));
    samples_release(&batch);
    teacher_run(teacher, bench->tensors + bench->n * pixels, n);
    memcpy(bench->teacher + (gsize)bench->n * d->n_classes, teacher_get_logits(teacher),
           (gsize)n * d->n_classes * sizeof(float));
    bench->n += n;
  }
  if (failure) {
    g_propagate_error(error, g_steal_pointer(&failure));
    return FALSE;
  }
  return TRUE;
}

static guint best_of(const float *x, guint n)
{
  guint best = 0;
  for (guint i = 1; i < n; i++)
    if (x[i] > x[best])
      best = i;
  return best;
}

/* KL(teacher || student) */
static double divergence(const float *teacher, const float *student, guint n)
{
  double most[2] = { -INFINITY, -INFINITY }, sums[2] = { 0 }, total = 0;
  for (guint i = 0; i < n; i++) {
    most[0] = MAX(most[0], teacher[i]);
    most[1] = MAX(most[1], student[i]);
  }
  for (guint i = 0; i < n; i++) {
    sums[0] += exp(teacher[i] - most[0]);
    sums[1] += exp(student[i] - most[1]);
  }
  for (guint i = 0; i < n; i++) {
    const double log_p = teacher[i] - most[0] - log(sums[0]);
    total += exp(log_p) * (log_p - (student[i] - most[1] - log(sums[1])));
  }
  return total;
}

static double bias_of(const Bench *bench, const Setting *setting)
{
  return bench->gates ? biases[setting->notches[bench->description->depth]] : 0;
}

/* Over the first @n_images. */
static Outcome measure(const Bench *bench, const Setting *setting, guint n_images)
{
  const Description *d = bench->description;
  const gsize pixels = (gsize)3 * d->image_size * d->image_size;
  const LossWeights weights = { .dense_gmacs = d->dense_gmacs };
  Pass *pass = trainer_get_pass(bench->trainer);
  Outcome outcome = { 0 };
  for (guint b = 0; b < d->depth; b++) {
    const double threshold = thresholds[setting->notches[b]];
    pass->network->blocks[b].merge_threshold = threshold < 1 ? threshold : 2;
  }
  for (guint first = 0, n; first < n_images; first += n) {
    n = MIN(bench->batch, n_images - first);
    trainer_evaluate(bench->trainer, bench->tensors + first * pixels, n, bias_of(bench, setting));
    outcome.ratio += n * loss_compute_ratio(pass, &weights);
    for (guint i = 0; i < n; i++) {
      const float *teacher = bench->teacher + (gsize)(first + i) * d->n_classes;
      const float *student = pass_get_logits(pass, i);
      outcome.divergence += divergence(teacher, student, d->n_classes);
      outcome.agreement += best_of(teacher, d->n_classes) == best_of(student, d->n_classes);
    }
  }
  outcome.ratio /= n_images;
  outcome.divergence /= n_images;
  outcome.agreement /= n_images;
  return outcome;
}

static void add_point(GArray *points, const Bench *bench, const Setting *setting)
{
  const Description *d = bench->description;
  const Outcome outcome = measure(bench, setting, bench->n);
  CalibrationPoint point = { outcome.ratio, outcome.agreement, bias_of(bench, setting),
                             g_new(double, d->depth + 1) };
  for (guint b = 0; b < d->depth; b++)
    point.thresholds[b] = thresholds[setting->notches[b]];
  if (points->len && outcome.ratio >= g_array_index(points, CalibrationPoint, 0).compute) {
    g_free(point.thresholds);
    return;
  }
  g_array_prepend_val(points, point);
}

/* Divergence gained for the compute saved; a step that saves nothing is none. */
static double price(const Outcome *from, const Outcome *to)
{
  const double saved = from->ratio - to->ratio;
  return saved > 1e-5 ? (to->divergence - from->divergence) / saved : G_MAXDOUBLE;
}

static gboolean can_move(const Bench *bench, const Setting *setting, guint move)
{
  const Description *d = bench->description;
  if (move == d->depth)
    return bench->gates && setting->notches[move] + 1 < G_N_ELEMENTS(biases);
  return move < vitgate__description_tail(d) && d->blocks[move].heads &&
         setting->notches[move] + 1 < G_N_ELEMENTS(thresholds);
}

/* The move of one notch with the least price. Prices change little from step to step: only those
 * that seem best are found anew.
 * @prices: (inout): [depth + 1], of each move when it was last looked at
 * Returns: FALSE where none is left */
static gboolean take_best(const Bench *bench, Setting *setting, Outcome *here, double *prices)
{
  const guint n_moves = bench->description->depth + 1;
  gboolean fresh[DESCRIPTION_MAX_DEPTH + 1] = { FALSE };
  for (;;) {
    guint best = n_moves;
    for (guint move = 0; move < n_moves; move++)
      if (can_move(bench, setting, move) && (best == n_moves || prices[move] < prices[best]))
        best = move;
    if (best == n_moves)
      return FALSE;
    setting->notches[best]++;
    if (fresh[best] && prices[best] < G_MAXDOUBLE) {
      *here = measure(bench, setting, bench->n_priced);
      return TRUE;
    }
    if (fresh[best]) /* nothing that is left saves anything: go on all the same */
      return TRUE;
    const Outcome there = measure(bench, setting, bench->n_priced);
    setting->notches[best]--;
    prices[best] = price(here, &there);
    fresh[best] = TRUE;
  }
}

/* Returns: points from the cheapest to the dearest */
static GArray *walk(const Bench *bench, double least)
{
  GArray *points = g_array_new(FALSE, FALSE, sizeof(CalibrationPoint));
  double prices[DESCRIPTION_MAX_DEPTH + 1] = { 0 };
  Setting setting = { 0 };
  Outcome here = measure(bench, &setting, bench->n_priced);
  double last = here.ratio;
  add_point(points, bench, &setting);
  while (last > least && points->len < DESCRIPTION_MAX_CALIBRATION &&
         take_best(bench, &setting, &here, prices))
    if (here.ratio < last - SPACING) {
      last = here.ratio;
      add_point(points, bench, &setting);
    }
  return points;
}

gboolean dial_table_make(Trainer *trainer, Teacher *teacher, const DialTableOptions *options,
                         double target, Description *description, GError **error)
{
  Bench bench = { .trainer = trainer,
                  .description = description,
                  .gates = options->gates && has_gates(description),
                  .batch = options->batch };
  gboolean fine = fill_bench(&bench, teacher, options, error);
  if (fine) {
    bench.n_priced = MIN(bench.n, options->priced_images);
    GArray *points = walk(&bench, options->least);
    for (guint i = 1; i < points->len; i++) {
      CalibrationPoint *point = &g_array_index(points, CalibrationPoint, i);
      point->agreement = MAX(point->agreement, point[-1].agreement);
    }
    vitgate__description_clear_calibration(description);
    const CalibrationPoint *first = &g_array_index(points, CalibrationPoint, 0);
    description->default_compute = CLAMP(target, first->compute, first[points->len - 1].compute);
    description->n_calibration = points->len;
    description->calibration = (CalibrationPoint *)(gpointer)g_array_free(points, FALSE);
  }
  g_free(bench.tensors);
  g_free(bench.teacher);
  return fine;
}
