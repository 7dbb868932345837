#include "teach/cross.h"

#include <math.h>
#include <string.h>

#include "base/progress.h"
#include "teach/folds.h"
#include "teach/head.h"

/* In descending order: the next fit starts from the last. */
static const double penalties[] = { 1, 0.3, 0.1, 0.03, 0.01, 0.003 };
#define N_PENALTIES G_N_ELEMENTS(penalties)

/* Numbers of views to choose from. */
static const guint view_counts[] = { 1, EXAMPLES_MAX_VIEWS };
#define N_VIEW_COUNTS G_N_ELEMENTS(view_counts)

#define TOLERANCE 1e-4

typedef struct {
  const Examples *examples;
  const Examples *const *by_fold; /* (nullable) */
  const guint *folds;
  gboolean sigmoid;
  guint threads;
  float *logits[N_VIEW_COUNTS][N_PENALTIES]; /* [examples][classes] */
  GAsyncQueue *done;
} Run;

typedef struct {
  guint fold, views;          /* index in view_counts */
  guint penalty, n_penalties; /* the first, and how many of them */
} Task;

static const Examples *examples_of(const Run *run, guint fold)
{
  return run->by_fold ? run->by_fold[fold] : run->examples;
}

static void predict(const Run *run, const Logistic *model, const HeadRows *rows, const Task *task,
                    guint penalty)
{
  const guint n_classes = model->n_classes;
  g_autofree double *row = g_new(double, model->n_features);
  g_autofree double *logits = g_new(double, model->stride);
  for (guint i = 0; i < run->examples->list->len; i++) {
    float *out = run->logits[task->views][penalty] + (gsize)i * n_classes;
    if (run->folds[i] != task->fold)
      continue;
    head_rows_apply(rows, examples_get(examples_of(run, task->fold), i)->features, row);
    logistic_predict(model, row, 1, logits);
    for (guint c = 0; c < n_classes; c++)
      out[c] = (float)logits[c];
  }
}

static void run_task(gpointer data, gpointer user_data)
{
  g_autofree Task *task = data;
  const Run *run = user_data;
  g_autoptr(Logistic) model = logistic_new(run->examples->n_features, run->examples->labels->len);
  HeadRows *rows =
      head_rows_new(examples_of(run, task->fold), view_counts[task->views], run->folds, task->fold);
  for (guint p = task->penalty; p < task->penalty + task->n_penalties; p++) {
    head_fit(model, rows, run->sigmoid, penalties[p], TOLERANCE);
    predict(run, model, rows, task, p);
  }
  head_rows_free(&rows);
  g_async_queue_push(run->done, GUINT_TO_POINTER(1));
}

/* Runs all folds, some at once. What they compute does not depend on the order. */
static void run_folds(Run *run, guint n_folds, guint views, guint penalty, guint n_penalties)
{
  GThreadPool *pool = g_thread_pool_new(run_task, run, (gint)run->threads, FALSE, NULL);
  Progress progress = progress_start(n_folds, "folds");
  run->done = g_async_queue_new();
  for (guint f = 0; f < n_folds; f++) {
    Task *task = g_new(Task, 1);
    *task = (Task){ f, views, penalty, n_penalties };
    g_thread_pool_push(pool, task, NULL);
  }
  for (guint f = 0; f < n_folds; f++) {
    g_async_queue_pop(run->done);
    progress_update(&progress, f + 1);
  }
  progress_clear(&progress);
  g_thread_pool_free(pool, FALSE, TRUE);
  g_async_queue_unref(run->done);
}

/* Takes a choice if it is better than the one so far, or as good.
 * Returns: whether it is */
static gboolean try_choice(Cross *cross, const Run *run, guint views, guint penalty)
{
  double loss;
  Predictions predictions = cross->predictions;
  predictions.logits = run->logits[views][penalty];
  const double factor = calibration_fit(&predictions, &loss);
  if (!(loss <= cross->loss))
    return FALSE;
  cross->loss = loss;
  cross->factor = factor;
  cross->n_views = view_counts[views];
  cross->penalty = penalties[penalty];
  cross->predictions.logits = cross->logits = run->logits[views][penalty];
  return TRUE;
}

/* Chooses the penalty with all views, then the views with that penalty: fewer if they are as good.
 */
static void choose(Cross *cross, Run *run, guint n_view_counts)
{
  const guint all = n_view_counts - 1;
  guint best = 0;
  cross->loss = INFINITY;
  run_folds(run, cross->n_folds, all, 0, N_PENALTIES);
  for (guint p = N_PENALTIES; p-- > 0;)
    if (try_choice(cross, run, all, p))
      best = p;
  for (guint v = all; v-- > 0;) {
    run_folds(run, cross->n_folds, v, best, 1);
    try_choice(cross, run, v, best);
  }
}

Cross *cross_run(const Examples *examples, gboolean sigmoid, guint threads)
{
  guint n_folds;
  g_autofree guint *folds = folds_deal(examples, sigmoid, G_MAXUINT, &n_folds);
  return cross_run_folds(examples, folds, n_folds, NULL, sigmoid, threads);
}

Cross *cross_run_folds(const Examples *examples, const guint *folds, guint n_folds,
                       const Examples *const *by_fold, gboolean sigmoid, guint threads)
{
  const guint n = examples->list->len, n_classes = examples->labels->len;
  Cross *cross = g_new0(Cross, 1);
  guint n_view_counts = 0;
  cross->folds = g_memdup2(folds, n * sizeof *folds);
  cross->n_folds = n_folds;
  cross->by_fold = by_fold;
  cross->shown = g_new(guint8 *, n + 1);
  for (guint i = 0; i < n; i++)
    cross->shown[i] = examples_get(examples, i)->shown;
  cross->predictions =
      (Predictions){ .n = n, .n_classes = n_classes, .shown = cross->shown, .sigmoid = sigmoid };
  Run run = { .examples = examples,
              .by_fold = by_fold,
              .folds = cross->folds,
              .sigmoid = sigmoid,
              .threads = threads };
  while (n_view_counts < N_VIEW_COUNTS && view_counts[n_view_counts] <= examples->n_views)
    n_view_counts++;
  for (guint v = 0; v < n_view_counts; v++)
    for (guint p = 0; p < N_PENALTIES; p++)
      run.logits[v][p] = g_new0(float, (gsize)n *n_classes);
  choose(cross, &run, n_view_counts);
  for (guint v = 0; v < n_view_counts; v++)
    for (guint p = 0; p < N_PENALTIES; p++)
      if (run.logits[v][p] != cross->logits)
        g_free(run.logits[v][p]);
  return cross;
}

void cross_free(Cross **cross)
{
  Cross *freeing = g_steal_pointer(cross);
  if (!freeing)
    return;
  g_free(freeing->folds);
  g_free(freeing->shown);
  g_free(freeing->logits);
  g_free(freeing);
}
