#include "train/dial/dial-table.h"

#include "base/progress.h"
#include "file/architecture.h"
#include "network/dial.h"

/* The notches of each setting, from most to least compute. */
static const double thresholds[] = { 1, 0.96, 0.93, 0.9, 0.87, 0.84, 0.8, 0.76, 0.71, 0.65 };
static const double biases[] = {
  6, 4, 3, 2, 1.5, 1, 0.6, 0.3, 0, -0.3, -0.6, -1, -1.5, -2, -3, -4
};

/* Of token gates, whose logits have a standard deviation of 1. */
static const double token_biases[] = { (double)TOKEN_GATES_OPEN,
                                       1.6,
                                       1.2,
                                       0.9,
                                       0.65,
                                       0.4,
                                       0.2,
                                       0,
                                       -0.2,
                                       -0.4,
                                       -0.65,
                                       -0.9,
                                       -1.2,
                                       -1.6,
                                       -2.2 };

/* Minimum distance between points of the table, in compute ratio. */
#define SPACING 0.012

/* The notch of each block's merge threshold and, last, of the gates' bias. */
typedef struct {
  guint notches[DESCRIPTION_MAX_DEPTH + 1];
} Setting;

typedef struct {
  Trainer *trainer;
  const DialTableOptions *options;
  const Description *description;
  Progress progress;
  double run, expected; /* images, for the progress */
  double reached;       /* share of the way from the whole network's compute ratio to the least */
  double shown;
} Bench;

guint dial_table_estimate(const DialTableOptions *o, const Description *d)
{
  const double whole = vitgate__description_gmacs(d) / d->dense_gmacs;
  const double points = 1 + MAX(0, whole - o->least) / SPACING;
  guint moves = o->token_gates ? G_N_ELEMENTS(token_biases) : o->gates ? G_N_ELEMENTS(biases) : 0;
  if (o->merging)
    moves += vitgate__description_tail(d) * G_N_ELEMENTS(thresholds);
  const guint again = o->images == o->priced_images ? 0 : o->images; /* see add_point() */
  return (guint)(MIN(points, DESCRIPTION_MAX_CALIBRATION) * again + moves * o->priced_images);
}

/* Early on, the number of images run is a better measure than the way, which starts slowly. */
static void show_progress(Bench *bench)
{
  const double r = bench->reached;
  const double done = (1 - r) * MIN(1, bench->run / bench->expected) + r * r;
  bench->shown = MAX(bench->shown, done);
  progress_update(&bench->progress, bench->shown);
}

static double bias_of(const Bench *bench, const Setting *setting)
{
  const guint notch = setting->notches[bench->description->depth];
  if (bench->options->token_gates)
    return token_biases[notch];
  return bench->options->gates ? biases[notch] : 0;
}

/* Returns: the number of notches of the gates' bias; 1: it cannot change */
static guint n_biases(const Bench *bench)
{
  if (bench->options->token_gates)
    return G_N_ELEMENTS(token_biases);
  return bench->options->gates ? G_N_ELEMENTS(biases) : 1;
}

/* Measures a setting on the first @n_images. */
static HeldOutOutcome measure(Bench *bench, const Setting *setting, guint n_images)
{
  const DialTableOptions *o = bench->options;
  for (guint b = 0; b < bench->description->depth; b++)
    trainer_set_merging(bench->trainer, b, thresholds[setting->notches[b]]);
  const HeldOutOutcome outcome =
      held_out_measure(o->held_out, bench->trainer, bias_of(bench, setting), n_images, o->batch);
  bench->run += n_images;
  show_progress(bench);
  return outcome;
}

/* Adds a point to the table unless it is not cheaper than the one before.
 * @priced: the setting's measurement on the priced images, which may be all there are
 * Returns: its measurement on all images */
static HeldOutOutcome add_point(GArray *points, Bench *bench, const Setting *setting,
                                const HeldOutOutcome *priced)
{
  const Description *d = bench->description;
  const DialTableOptions *o = bench->options;
  const HeldOutOutcome outcome =
      o->images == o->priced_images ? *priced : measure(bench, setting, o->images);
  if (points->len && outcome.ratio >= g_array_index(points, CalibrationPoint, 0).compute)
    return outcome;
  CalibrationPoint point = { outcome.ratio, outcome.agreement, bias_of(bench, setting),
                             g_new(double, d->depth + 1) };
  for (guint b = 0; b < d->depth; b++)
    point.thresholds[b] = thresholds[setting->notches[b]];
  g_array_prepend_val(points, point);
  return outcome;
}

/* Returns: the divergence added per compute saved; G_MAXDOUBLE if nothing is saved */
static double price(const HeldOutOutcome *from, const HeldOutOutcome *to)
{
  const double saved = from->ratio - to->ratio;
  return saved > 1e-5 ? (to->divergence - from->divergence) / saved : G_MAXDOUBLE;
}

static gboolean can_move(const Bench *bench, const Setting *setting, guint move)
{
  const Description *d = bench->description;
  if (move == d->depth)
    return setting->notches[move] + 1 < n_biases(bench);
  return bench->options->merging && move < vitgate__description_tail(d) && d->blocks[move].heads &&
         setting->notches[move] + 1 < G_N_ELEMENTS(thresholds);
}

/* Makes the cheapest move by one notch. Prices change little from step to step, so only the moves
 * that look best are measured again.
 * @prices: (inout): [depth + 1] the price of each move when last measured
 * Returns: FALSE if no move is left */
static gboolean take_best(Bench *bench, Setting *setting, HeldOutOutcome *here, double *prices)
{
  const guint n_moves = bench->description->depth + 1;
  HeldOutOutcome there[DESCRIPTION_MAX_DEPTH + 1];
  gboolean fresh[DESCRIPTION_MAX_DEPTH + 1] = { FALSE };
  for (;;) {
    guint best = n_moves;
    for (guint move = 0; move < n_moves; move++)
      if (can_move(bench, setting, move) && (best == n_moves || prices[move] < prices[best]))
        best = move;
    if (best == n_moves)
      return FALSE;
    setting->notches[best]++;
    if (fresh[best]) {
      /* The walk continues even if no remaining move saves anything. */
      if (prices[best] < G_MAXDOUBLE)
        *here = there[best];
      return TRUE;
    }
    there[best] = measure(bench, setting, bench->options->priced_images);
    setting->notches[best]--;
    prices[best] = price(here, &there[best]);
    fresh[best] = TRUE;
  }
}

/* @whole: (out): the measurement of the most expensive setting
 * Returns: points from the cheapest to the most expensive */
static GArray *walk(Bench *bench, HeldOutOutcome *whole)
{
  GArray *points = g_array_new(FALSE, FALSE, sizeof(CalibrationPoint));
  double prices[DESCRIPTION_MAX_DEPTH + 1] = { 0 };
  Setting setting = { 0 };
  HeldOutOutcome here = measure(bench, &setting, bench->options->priced_images);
  double last = here.ratio;
  *whole = add_point(points, bench, &setting, &here);
  while (last > bench->options->least && points->len < DESCRIPTION_MAX_CALIBRATION &&
         take_best(bench, &setting, &here, prices)) {
    const double way = MAX(1e-9, whole->ratio - bench->options->least);
    bench->reached = CLAMP((whole->ratio - here.ratio) / way, 0, 1);
    if (here.ratio < last - SPACING) {
      last = here.ratio;
      add_point(points, bench, &setting, &here);
    }
  }
  return points;
}

double dial_table_make(Trainer *trainer, const DialTableOptions *options, double target,
                       Description *description)
{
  Bench bench = { .trainer = trainer,
                  .options = options,
                  .description = description,
                  .progress = progress_start_phase(options->phase, 1, NULL),
                  .expected = dial_table_estimate(options, description) };
  HeldOutOutcome whole;
  GArray *points = walk(&bench, &whole);
  progress_clear(&bench.progress);
  vitgate__description_clear_calibration(description);
  const CalibrationPoint *first = &g_array_index(points, CalibrationPoint, 0);
  description->default_compute = CLAMP(target, first->compute, first[points->len - 1].compute);
  description->n_calibration = points->len;
  description->calibration = (CalibrationPoint *)(gpointer)g_array_free(points, FALSE);
  return whole.divergence;
}
