#include "dial-table.h"

#include <math.h>
#include <string.h>

static const double thresholds[] = { 1, 0.96, 0.94, 0.92, 0.9, 0.88, 0.86, 0.84, 0.82, 0.8, 0.78 };
static const double biases[] = { 6, 2, 1, 0.5, 0, -0.5, -1, -1.5, -2, -3 };

/* What a setting comes to. */
typedef struct {
  double ratio, divergence, agreement;
} Outcome;

typedef struct {
  Trainer *trainer;
  const Description *description;
  guint n, batch;
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
    if (!teacher_run(teacher, bench->tensors + bench->n * pixels, n, error))
      return FALSE;
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

static Outcome measure(const Bench *bench, double threshold, double bias)
{
  const Description *d = bench->description;
  const gsize pixels = (gsize)3 * d->image_size * d->image_size;
  const LossWeights weights = { .dense_gmacs = d->dense_gmacs };
  Pass *pass = trainer_get_pass(bench->trainer);
  Outcome outcome = { 0 };
  for (guint b = 0; b < d->depth; b++)
    pass->network->blocks[b].merge_threshold = threshold < 1 ? threshold : 2;
  for (guint first = 0, n; first < bench->n; first += n) {
    n = MIN(bench->batch, bench->n - first);
    trainer_evaluate(bench->trainer, bench->tensors + first * pixels, n, bias);
    outcome.ratio += n * loss_compute_ratio(pass, &weights);
    for (guint i = 0; i < n; i++) {
      const float *teacher = bench->teacher + (gsize)(first + i) * d->n_classes;
      const float *student = pass_get_logits(pass, i);
      outcome.divergence += divergence(teacher, student, d->n_classes);
      outcome.agreement += best_of(teacher, d->n_classes) == best_of(student, d->n_classes);
    }
  }
  outcome.ratio /= bench->n;
  outcome.divergence /= bench->n;
  outcome.agreement /= bench->n;
  return outcome;
}

static void add_point(GArray *points, const Description *d, const Outcome *outcome,
                      double threshold, double bias)
{
  CalibrationPoint point = { outcome->ratio, outcome->agreement, bias,
                             g_new(double, d->depth + 1) };
  for (guint b = 0; b < d->depth; b++)
    point.thresholds[b] = threshold;
  g_array_prepend_val(points, point);
}

/* Divergence gained for the compute saved; a step that saves nothing is no step. */
static double price(const Outcome *from, const Outcome *to)
{
  const double saved = from->ratio - to->ratio;
  return saved > 1e-4 ? (to->divergence - from->divergence) / saved : INFINITY;
}

/* Returns: points from the cheapest to the dearest */
static GArray *walk(const Bench *bench)
{
  const Description *d = bench->description;
  GArray *points = g_array_new(FALSE, FALSE, sizeof(CalibrationPoint));
  const guint n_biases = has_gates(d) ? G_N_ELEMENTS(biases) : 1;
  guint t = 0, b = 0;
  Outcome here = measure(bench, thresholds[0], biases[0]);
  const double no_bias = n_biases > 1 ? biases[0] : 0;
  add_point(points, d, &here, thresholds[0], no_bias);
  while (t + 1 < G_N_ELEMENTS(thresholds) || b + 1 < n_biases) {
    Outcome merge = { 0 }, close = { 0 };
    double merge_price = INFINITY, close_price = INFINITY;
    if (t + 1 < G_N_ELEMENTS(thresholds)) {
      merge = measure(bench, thresholds[t + 1], biases[b]);
      merge_price = price(&here, &merge);
    }
    if (b + 1 < n_biases) {
      close = measure(bench, thresholds[t], biases[b + 1]);
      close_price = price(&here, &close);
    }
    const gboolean merges =
        b + 1 >= n_biases || (t + 1 < G_N_ELEMENTS(thresholds) && merge_price <= close_price);
    t += merges;
    b += !merges;
    const Outcome next = merges ? merge : close;
    if (next.ratio > here.ratio - 1e-4)
      continue;
    here = next;
    add_point(points, d, &here, thresholds[t], n_biases > 1 ? biases[b] : 0);
  }
  return points;
}

gboolean dial_table_make(Trainer *trainer, Teacher *teacher, const DialTableOptions *options,
                         double target, Description *description, GError **error)
{
  Bench bench = { .trainer = trainer, .description = description, .batch = options->batch };
  gboolean fine = fill_bench(&bench, teacher, options, error);
  if (fine) {
    GArray *points = walk(&bench);
    for (guint i = 1; i < points->len; i++) {
      CalibrationPoint *point = &g_array_index(points, CalibrationPoint, i);
      point->agreement = MAX(point->agreement, point[-1].agreement);
    }
    const CalibrationPoint *first = &g_array_index(points, CalibrationPoint, 0);
    description->default_compute = CLAMP(target, first->compute, first[points->len - 1].compute);
    description->n_calibration = points->len;
    description->calibration = (CalibrationPoint *)(gpointer)g_array_free(points, FALSE);
  }
  g_free(bench.tensors);
  g_free(bench.teacher);
  return fine;
}
