#include "train/run/token-gates.h"

#include "base/command-error.h"
#include "base/progress.h"
#include "base/ranks.h"
#include "train/gates/token-fit.h"
#include "train/network/training-team.h"

#define IMAGES_PER_THREAD 8 /* in a batch */

/* Adds this rank's part of the next batch.
 * @part: its first image in a batch
 * @n: (inout): images of all batches so far
 * Returns: FALSE if there is none left, or with @error set */
static gboolean add_batch(TokenFit *fit, Batches *batches, guint part, guint max, guint *n,
                          GError **error)
{
  const Batch *batch = batches_next(batches, error);
  if (!batch)
    return FALSE;
  const guint first = (guint)batch->first_draw + part;
  const guint some = first < max ? MIN(max - first, batch->n) : 0;
  const gboolean fine = !some || token_fit_add(fit, batch->tensors, some, first, error);
  *n = (guint)MIN(batch->next_draw, max);
  batches_release(&batch);
  return fine;
}

/* Returns: images of all ranks in a batch, so that all batches have about as many */
static guint batch_size(const RunOptions *o, guint n_images)
{
  const guint max = IMAGES_PER_THREAD * o->threads * ranks_count();
  const guint n_batches = (n_images + max - 1) / max;
  return MAX((n_images + n_batches - 1) / MAX(n_batches, 1), ranks_count());
}

/* Adds the photographs of one of the two passes. */
static gboolean add_images(const Run *run, TokenFit *fit, Progress *progress, guint before,
                           GError **error)
{
  const RunOptions *o = run->options;
  const guint size = batch_size(o, o->gate_images), part = ranks_slice(size, ranks_own());
  const BatchesOptions order = { .order = { .part = SAMPLER_TRAINING,
                                            .seed = o->seed + 1,
                                            .weights = o->folder_weights,
                                            .n_weights = o->n_folder_weights },
                                 .batch_size = size,
                                 .first = part,
                                 .n = ranks_slice(size, ranks_own() + 1) - part,
                                 .threads = o->threads };
  g_autoptr(Batches) batches = batches_new(run->collection, &order, error);
  g_autoptr(GError) failure = NULL;
  guint n = 0;
  const guint max = batches ? MIN(o->gate_images, batches_count(batches)) : 0;
  while (n < max && add_batch(fit, batches, part, max, &n, &failure))
    progress_update(progress, before + n);
  if (!failure)
    return batches != NULL;
  g_propagate_error(error, g_steal_pointer(&failure));
  return FALSE;
}

static gboolean fit_gates(Run *run, TokenFit *fit, TokenFitResult *results, GError **error)
{
  const guint n = run->options->gate_images;
  Progress progress = progress_start_phase("fitting token gates", 2 * n, "images");
  const gboolean fine = ranks_all_fine(add_images(run, fit, &progress, 0, error), error) &&
                        token_fit_end_substitutes(fit, error) &&
                        ranks_all_fine(add_images(run, fit, &progress, n, error), error) &&
                        token_fit_end_gates(fit, results, error);
  progress_clear(&progress);
  return fine;
}

static void log_results(const Run *run, const TokenFitResult *results)
{
  const Description *d = run->student.description;
  g_autoptr(GString) text = g_string_new(NULL);
  for (guint module = 0; module < 2 * d->depth; module++) {
    if (module % 2 == 0)
      g_string_append_c(text, ' ');
    if (results[module].n)
      g_string_append_printf(text, "%.2f", results[module].explained);
    else
      g_string_append_c(text, '-');
    g_string_append(text, module % 2 ? "" : "/");
  }
  run_log_note(run->log, "gates explain of the tokens' costs (attention/MLP by block):%s",
               text->str);
}

gboolean run_fit_token_gates(Run *run, GError **error)
{
  const RunOptions *o = run->options;
  const guint n = student_add_token_gates(&run->student);
  if (!n) {
    run_log_note(run->log, "no module is large enough for a token gate");
    return TRUE;
  }
  Team *team = training_team_new(o->threads, error);
  const guint batch = MIN(o->gate_images, IMAGES_PER_THREAD * o->threads);
  TokenFit *fit =
      team ? token_fit_new(run->student.network, team, batch, matmul_prefers_bf16(), error) : NULL;
  g_autofree TokenFitResult *results = g_new0(TokenFitResult, 2 * run->student.description->depth);
  run_log_note(run->log, "fitting %u token gates on up to %u photographs", n, o->gate_images);
  const gboolean fine = ranks_all_fine(fit != NULL, error) && fit_gates(run, fit, results, error);
  token_fit_free(&fit);
  vitgate__team_free(&team);
  if (fine)
    log_results(run, results);
  return fine;
}
