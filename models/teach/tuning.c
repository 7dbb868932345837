#include "teach/tuning.h"

#include <math.h>
#include <string.h>

#include "base/progress.h"
#include "file/architecture.h"
#include "teach/folds.h"
#include "teach/head.h"

#define MAX_FOLDS  4
#define EPOCHS     10
#define MIN_EPOCHS 4
#define TOLERANCE  1e-4

/* Steps that are timed, to find how many fit into the limit. */
#define TIMED_STEPS 3

/* Share of the limit that is planned for: other programs may take some. */
#define PLANNED 0.8

/* What the tokens of all pictures may take, in bytes. */
#define MAX_BYTES 1e9

typedef struct {
  const TuningOptions *options;
  Tuning *tuning;
  Cross *before;
  double seconds_cross; /* that it took */
  Progress *progress;   /* (nullable) of steps */
  gint64 start, end;    /* of all of it */
} Run;

void tuning_free(Tuning **tuning)
{
  Tuning *freeing = g_steal_pointer(tuning);
  if (!freeing)
    return;
  cross_free(&freeing->cross);
  for (guint i = 0; freeing->by_fold && i < freeing->n_folds; i++)
    examples_free(&freeing->by_fold[i]);
  g_free(freeing->by_fold);
  examples_free(&freeing->seen);
  tail_free(&freeing->tail);
  entry_tokens_free(&freeing->entries);
  g_free(freeing->left_out);
  g_free(freeing);
}

/* Returns: FALSE */
static gboolean leave_out(const Run *run, const char *format, ...) G_GNUC_PRINTF(2, 3);

static gboolean leave_out(const Run *run, const char *format, ...)
{
  va_list args;
  va_start(args, format);
  run->tuning->left_out = g_strdup_vprintf(format, args);
  va_end(args);
  return FALSE;
}

static double seconds_left(const Run *run)
{
  return (double)(run->end - g_get_monotonic_time()) / G_USEC_PER_SEC;
}

/* Returns: (transfer full): the same pictures, with the features of the first @n_views views */
static Examples *copy_examples(const Examples *from, guint n_views)
{
  Examples *to = examples_new(from->labels, from->n_features, n_views);
  for (guint i = 0; i < from->list->len; i++) {
    const Example *example = examples_get(from, i);
    Example *copy = examples_add(to, example->hash, example->group, example->path);
    memcpy(copy->shown, example->shown, from->labels->len);
    memcpy(copy->features, example->features, (gsize)n_views * from->n_features * sizeof(float));
  }
  to->n_groups = from->n_groups;
  return to;
}

/* ---- Training ---- */

/* Trains the tail without a fold, starting from the head that fits the network as it is.
 * @folds: (nullable): NULL: with all pictures */
static gboolean train(const Run *run, const guint *folds, guint held_out, guint steps)
{
  const Examples *seen = run->tuning->seen;
  const guint n_classes = seen->labels->len, f = seen->n_features;
  const TailData data = { .entries = (const EntryTokens *const *)run->tuning->entries->entries,
                          .examples = seen,
                          .folds = folds,
                          .held_out = held_out,
                          .n_views = seen->n_views,
                          .progress = run->progress,
                          .done = held_out * steps };
  g_autoptr(Logistic) model = logistic_new(f, n_classes);
  HeadRows *rows = head_rows_new(seen, seen->n_views, folds, held_out);
  g_autofree float *weights = g_new(float, (gsize)n_classes *f), *bias = g_new(float, n_classes);
  head_fit(model, rows, run->options->sigmoid, run->before->penalty, TOLERANCE);
  head_fold(model, rows, run->before->factor, weights, bias);
  head_rows_free(&rows);
  tail_reset(run->tuning->tail, weights, bias);
  return tail_train(run->tuning->tail, &data, steps, held_out, run->end);
}

/* Returns: (transfer full): the features that the tail gives now */
static Examples *find_features(const Run *run)
{
  Examples *out = copy_examples(run->tuning->seen, run->tuning->seen->n_views);
  const TailData data = { .entries = (const EntryTokens *const *)run->tuning->entries->entries,
                          .examples = run->tuning->seen };
  tail_features(run->tuning->tail, &data, out);
  return out;
}

/* Finds how many steps fit into the time. */
static gboolean choose_steps(const Run *run)
{
  Tuning *tuning = run->tuning;
  const guint n_rows = run->tuning->seen->list->len * run->tuning->seen->n_views;
  const guint epoch = (n_rows + TAIL_BATCH - 1) / TAIL_BATCH, n_runs = tuning->n_folds + 1;
  const gint64 start = g_get_monotonic_time();
  if (!train(run, NULL, 0, TIMED_STEPS))
    return leave_out(run, "the time is too short");
  const double step =
      (double)(g_get_monotonic_time() - start) / (G_USEC_PER_SEC * (double)TIMED_STEPS);
  /* The pictures run through the blocks once more in each run, and in the end through the whole
   * network; and there is another cross-validation. */
  const double fixed =
      n_runs * epoch * step / 3 + run->options->seconds_pictures + run->seconds_cross;
  const double left = PLANNED * seconds_left(run) - fixed;
  const double possible = left / (n_runs * step);
  if (possible < MIN_EPOCHS * epoch)
    return leave_out(run, "the time is too short: about %.0f s more are needed at least",
                     ceil(((MIN_EPOCHS * epoch - possible) * n_runs * step) / PLANNED));
  tuning->steps = (guint)MIN(possible, EPOCHS * epoch);
  return TRUE;
}

static gboolean run_folds(Run *run)
{
  Tuning *tuning = run->tuning;
  Progress progress = progress_start(tuning->n_folds * tuning->steps, "steps of fine-tuning");
  run->progress = &progress;
  tuning->by_fold = g_new0(Examples *, tuning->n_folds + 1);
  gboolean fine = TRUE;
  for (guint fold = 0; fine && fold < tuning->n_folds; fold++) {
    fine = train(run, run->before->folds, fold, tuning->steps);
    if (fine)
      tuning->by_fold[fold] = find_features(run);
  }
  run->progress = NULL;
  progress_clear(&progress);
  return fine || leave_out(run, "it took longer than expected, or did not converge");
}

/* ---- Judgement ---- */

static TuningScore score(const Examples *examples, const Cross *cross)
{
  g_autoptr(Outcome) outcome = outcome_new(examples, cross);
  return (TuningScore){ (double)outcome->right / outcome->n, cross->loss };
}

/* Decides whether the trained blocks are better. */
static gboolean judge(const Run *run)
{
  Tuning *t = run->tuning;
  t->cross = cross_run_folds(run->tuning->seen, run->before->folds, t->n_folds,
                             (const Examples *const *)t->by_fold, run->options->sigmoid,
                             run->options->features.threads);
  t->before = score(run->tuning->seen, run->before);
  t->after = score(run->tuning->seen, t->cross);
  if (t->after.loss < t->before.loss && t->after.top1 >= t->before.top1)
    return TRUE;
  return leave_out(run, "it was worse by cross-validation");
}

/* ---- All of it ---- */

static gboolean train_whole(Run *run)
{
  Progress progress = progress_start(run->tuning->steps, "steps of fine-tuning with all pictures");
  run->progress = &progress;
  const gboolean fine = train(run, NULL, 0, run->tuning->steps);
  run->progress = NULL;
  progress_clear(&progress);
  return fine || leave_out(run, "it took longer than expected");
}

/* Cross-validates the network as it is, with the folds of all that follows. */
static gboolean prepare(Run *run)
{
  const TuningOptions *o = run->options;
  Tuning *tuning = run->tuning;
  g_autofree guint *folds = folds_deal(o->examples, o->sigmoid, MAX_FOLDS, &tuning->n_folds);
  const gint64 start = g_get_monotonic_time();
  run->before =
      cross_run_folds(o->examples, folds, tuning->n_folds, NULL, o->sigmoid, o->features.threads);
  run->seconds_cross = (double)(g_get_monotonic_time() - start) / G_USEC_PER_SEC;
  const double bytes = (double)entry_tokens_measure(o->description) * o->examples->list->len;
  const guint n_views = run->before->n_views * bytes > MAX_BYTES ? 1 : run->before->n_views;
  if (n_views * bytes > MAX_BYTES)
    return leave_out(run, "%u pictures are too many", o->examples->list->len);
  /* In float, the network takes at least as long as in int8. */
  if (2 * n_views * o->seconds_pictures / o->examples->n_views > seconds_left(run))
    return leave_out(run, "the time is too short for %u pictures", o->examples->list->len);
  run->tuning->seen = copy_examples(o->examples, n_views);
  tuning->first = tail_first(o->description, TUNING_BLOCKS);
  tuning->n_blocks = o->description->depth - tuning->first;
  return TRUE;
}

static gboolean tune(Run *run, GError **error)
{
  const TuningOptions *o = run->options;
  Tuning *t = run->tuning;
  t->entries = entry_tokens_run(run->tuning->seen, run->tuning->seen->n_views, o->pictures,
                                &o->features, o->file, o->description, t->first, error);
  t->tail = t->entries ? tail_new(t->entries->network, t->first, run->tuning->seen->labels->len,
                                  o->sigmoid, t->entries->gate_bias, o->features.threads, error)
                       : NULL;
  if (!t->tail)
    return FALSE;
  if (choose_steps(run) && run_folds(run) && judge(run))
    train_whole(run);
  return TRUE;
}

Tuning *tuning_run(const TuningOptions *options, GError **error)
{
  Run run = { .options = options, .tuning = g_new0(Tuning, 1), .start = g_get_monotonic_time() };
  run.end = run.start + (gint64)(options->limit * G_USEC_PER_SEC);
  const gboolean fine = !prepare(&run) || tune(&run, error);
  cross_free(&run.before);
  if (!fine)
    tuning_free(&run.tuning);
  return run.tuning;
}
