#include "train/run/compressor.h"

#include <glib/gstdio.h>
#include <math.h>
#include <string.h>

#include "base/command-error.h"
#include "base/ranks.h"
#include "model.h"
#include "network/dial.h"
#include "train/cut/allocation.h"
#include "train/cut/class-subset.h"
#include "train/cut/cut.h"
#include "train/cut/importance.h"
#include "train/dial/dial-table.h"
#include "train/dial/precision-record.h"
#include "train/network/training-team.h"
#include "train/run/closing.h"
#include "train/run/model-writer.h"
#include "train/run/provenance.h"
#include "train/run/run-open.h"
#include "train/run/run-ranks.h"
#include "train/run/run-training.h"
#include "train/run/token-gates.h"

#define PRICED_IMAGES 128
#define RIDGE         1e-3
#define MIN_SPREAD    0.1 /* minimum spread of a gate's logits for the gate to be kept */
#define DIAL_REACH    0.6 /* the dial's minimum, as a share of the target */

/* Times that all held-out photographs are run after training, besides the calibration: to watch
 * gates, in each precision on one thread, and to measure the final model. */
#define PASSES_AFTER 8

/* ---- Start ---- */

static gboolean check_held_out(const Run *run, GError **error)
{
  const RunOptions *o = run->options;
  if (o->static_only || run->collection->n_held_out)
    return TRUE;
  g_set_error(
      error, COMMAND_ERROR, COMMAND_ERROR_DATA,
      "%s: none of the %u photographs can be held out to calibrate the dial; more are needed",
      o->data[0], run->collection->items->len);
  return FALSE;
}

/* ---- Static compression ---- */

/* Returns: the compute ratio that the cut may leave. Merging and gates save the rest. */
static double static_target(const RunOptions *o)
{
  if (o->static_target > 0)
    return o->static_target;
  return o->static_only ? o->target : MIN(1, 0.5 * (1 + o->target));
}

static void describe_shapes(const Run *run)
{
  const Description *d = run->student.description;
  g_autoptr(GString) text = g_string_new("structure:");
  for (guint b = 0; b < d->depth; b++)
    g_string_append_printf(text, " %u/%u", d->blocks[b].heads, d->blocks[b].neurons);
  run_log_note(run->log, "%s (heads/neurons by block)", text->str);
}

static Ranking **rank(const Run *run, Network *network, Team *team, Probe **probe, GError **error)
{
  const RunOptions *o = run->options;
  const StaticCutOptions how = { .max_images = o->calibration_images,
                                 .threads = o->threads,
                                 .ridge = RIDGE,
                                 .weights = o->folder_weights,
                                 .n_weights = o->n_folder_weights,
                                 .bf16 = matmul_prefers_bf16() };
  run_log_note(
      run->log, "ranking heads and neurons on up to %u photographs",
      MIN(o->calibration_images, run->collection->items->len - run->collection->n_held_out));
  return static_cut_rank(network, team, run->collection, &how, probe, error);
}

static Budget budget_of(const RunOptions *o)
{
  return (Budget){ .compute = static_target(o), .parameters = o->parameters_target };
}

/* Cuts @network to make the student.
 * @chosen: (nullable): shapes chosen by the search; NULL: those that the budget allows */
static gboolean cut(Run *run, Network *network, const BlockShape *chosen, GError **error)
{
  const RunOptions *o = run->options;
  const guint depth = network->description->depth;
  const Budget budget = budget_of(o);
  g_autofree BlockShape *shapes = g_new0(BlockShape, depth + 1);
  Team *team = training_team_new(o->threads, error);
  Probe *probe = NULL;
  Ranking **rankings = team ? rank(run, network, team, &probe, error) : NULL;
  Network *result = NULL;
  Description *description = NULL;
  if (rankings && chosen)
    memcpy(shapes, chosen, depth * sizeof *shapes);
  if (rankings &&
      (chosen || allocate_units(network->description, rankings, &budget, shapes, error)))
    result = static_cut_apply(probe, rankings, shapes, RIDGE, &description, error);
  if (rankings)
    rankings_free(&rankings, depth);
  probe_free(&probe);
  vitgate__team_free(&team);
  if (!result)
    return FALSE;
  student_take(&run->student, result, description);
  return TRUE;
}

/* ---- Stages ---- */

static gboolean start_search(Run *run, GError **error)
{
  const double before = run_elapsed(run);
  Team *team = training_team_new(run->options->threads, error);
  const guint depth = run->student.description->depth;
  Probe *probe = NULL;
  Ranking **rankings = team ? rank(run, run->student.network, team, &probe, error) : NULL;
  const gboolean fine = rankings != NULL;
  probe_free(&probe);
  vitgate__team_free(&team);
  if (fine) {
    student_search(&run->student, rankings, run->options->module_gates);
    network_control_gates(run->student.network, run->options->gate_control, TRUE);
    rankings_free(&rankings, depth);
  }
  /* After the search, units are ranked again and the cut is compensated for. */
  run->later_seconds = 1.5 * (run_elapsed(run) - before);
  return fine;
}

/* Cuts the student to the candidates with the largest alphas, keeping its gates. */
static gboolean end_search(Run *run, GError **error)
{
  g_autofree BlockShape *shapes = g_new0(BlockShape, run->student.description->depth + 1);
  trainer_average(run->trainer);
  student_chosen(&run->student, shapes);
  Student searched = run->student;
  run->student = (Student){ 0 };
  Network *plain = network_copy_plain(searched.network);
  trainer_free(&run->trainer);
  const gboolean fine = cut(run, plain, shapes, error);
  network_free(&plain);
  if (fine)
    describe_shapes(run);
  if (fine && run->options->module_gates)
    student_add_gates(&run->student, searched.network);
  student_clear(&searched);
  run->later_seconds = 0;
  return fine && (!run->options->token_gates || run_fit_token_gates(run, error));
}

/* Cuts the student if it is over budget. */
static gboolean cut_student(Run *run, GError **error)
{
  const Budget budget = budget_of(run->options);
  if (budget_allows(&budget, run->student.description))
    return TRUE;
  Student whole = run->student;
  run->student = (Student){ 0 };
  const gboolean fine = cut(run, whole.network, NULL, error);
  student_clear(&whole);
  return fine;
}

/* Without a search, cuts at once and then adds gates. */
static gboolean start_training(Run *run, GError **error)
{
  const RunOptions *o = run->options;
  if (!cut_student(run, error))
    return FALSE;
  describe_shapes(run);
  if (o->module_gates && o->train) {
    student_add_gates(&run->student, NULL);
    network_control_gates(run->student.network, o->gate_control, TRUE);
  }
  if (o->token_gates)
    return run_fit_token_gates(run, error);
  if (description_has_token_gates(run->student.description))
    student_remove_token_gates(&run->student);
  return TRUE;
}

static gboolean load_earlier(Run *run, GError **error)
{
  const char *path = run->options->from;
  VitgateModel *model = vitgate_model_open(path, error);
  if (!model)
    return FALSE;
  const Description *d = vitgate__model_get_description(model);
  const Description *teacher = teacher_get_description(run->teacher);
  const gboolean fits =
      student_is_alike(d, teacher) && class_subset_equal(d, teacher) && !description_has_gates(d);
  if (!fits)
    g_set_error(error, COMMAND_ERROR, COMMAND_ERROR_DATA,
                "%s: does not fit the teacher: expected the teacher's image, token and class "
                "counts, and no gates",
                path);
  const gboolean fine = fits && student_load(&run->student, path, d, NULL, 0, error);
  if (fine)
    student_note_taught(path, d);
  vitgate_model_unref(&model);
  return fine;
}

static gboolean start(Run *run, GError **error)
{
  const RunOptions *o = run->options;
  const Description *d = vitgate__model_get_description(run->model);
  run->steps = o->steps;
  return (o->from
              ? load_earlier(run, error)
              : student_load(&run->student, o->teacher, d, run->classes, run->n_classes, error)) &&
         (o->search && o->train ? start_search(run, error) : start_training(run, error));
}

/* ---- End ---- */

static void add_decisions(gpointer data, const TrainingPass *pass, guint first)
{
  gate_sums_add(data, pass);
}

/* Sums the gates' decisions on the held-out photographs, at one setting of the dial.
 * Returns: (transfer full): [2 * depth] */
static GateSum *watch_gates(const Run *run, double compute)
{
  const Description *d = run->student.description;
  GateSum *sums = g_new0(GateSum, 2 * d->depth + 1);
  Dial dial;
  vitgate__dial_set(&dial, d, compute);
  for (guint b = 0; b < d->depth; b++)
    trainer_set_merging(run->trainer, b, dial.thresholds[b]);
  held_out_run(run->held_out, run->trainer, dial.gate_bias, run->held_out->n, run->options->batch,
               add_decisions, sums);
  return sums;
}

static gboolean has_learned_gates(const Run *run)
{
  return student_has_gates(&run->student) && run->options->gate_control == GATES_LEARNED;
}

static gboolean settle_gates(Run *run, GError **error)
{
  g_autofree GateSum *sums = watch_gates(run, run->options->target);
  g_autoptr(GPtrArray) notes = g_ptr_array_new_with_free_func(g_free);
  trainer_free(&run->trainer); /* before the network that it trained */
  student_settle_gates(&run->student, sums, MIN_SPREAD, notes);
  run_log_notes(run->log, notes);
  return run_make_trainer(run, error);
}

static DialTableOptions calibration_options(const Run *run)
{
  const RunOptions *o = run->options;
  return (DialTableOptions){ .held_out = run->held_out,
                             .images = run->held_out->n,
                             .priced_images = MIN(run->held_out->n, PRICED_IMAGES),
                             .batch = o->batch,
                             .gates = student_has_gates(&run->student),
                             .token_gates = description_has_token_gates(run->student.description),
                             .merging = o->merging,
                             .least = DIAL_REACH * o->target,
                             .phase = "calibrating the dial" };
}

/* Estimates what remains to be done after training, for the time limit. Without gates that stay
 * open, the dial is calibrated once; with them, twice. */
static void estimate_end(Run *run)
{
  if (!run->held_out)
    return;
  const DialTableOptions how = calibration_options(run);
  const guint times = has_learned_gates(run) ? 2 : 1;
  run->later_images = (double)times * dial_table_estimate(&how, run->student.description) +
                      PASSES_AFTER * run->held_out->n;
}

static void calibrate(Run *run)
{
  const RunOptions *o = run->options;
  const DialTableOptions how = calibration_options(run);
  run_log_note(run->log, "calibrating the dial on %u held-out photographs", how.images);
  const double divergence =
      dial_table_make(run->trainer, &how, o->target, run->student.description);
  run_log_note(run->log,
               "divergence from the teacher with all modules running and no tokens merged: %.4f",
               divergence);
}

/* Removes gates that never close. If merging saves at less cost along the whole dial, gates are
 * only a burden.
 * @any: (out): whether there were such gates */
static gboolean open_idle_gates(Run *run, gboolean *any, GError **error)
{
  g_autofree GateSum *sums = watch_gates(run, run->student.description->calibration[0].compute);
  g_autoptr(GPtrArray) notes = g_ptr_array_new_with_free_func(g_free);
  trainer_free(&run->trainer); /* before the network that it trained */
  *any = student_open_idle_gates(&run->student, sums, notes);
  run_log_notes(run->log, notes);
  return run_make_trainer(run, error);
}

/* Removes token gates that are all open at the default setting of the dial.
 * @removed: (out): whether there were such gates */
static gboolean drop_token_gates(Run *run, gboolean *removed, GError **error)
{
  Dial dial;
  vitgate__dial_set(&dial, run->student.description, run->student.description->default_compute);
  *removed = description_has_token_gates(run->student.description) &&
             dial.gate_bias >= TOKEN_GATES_OPEN && run->options->token_control == TOKENS_LEARNED;
  if (!*removed)
    return TRUE;
  run_log_note(run->log,
               "at the default setting of the dial, merging saves at less cost than token "
               "gates, so they are removed");
  trainer_free(&run->trainer); /* before the network that it trained */
  student_remove_token_gates(&run->student);
  return run_make_trainer(run, error);
}

static JsonArray *tokens_array(const double *tokens, guint n)
{
  JsonArray *array = json_array_new();
  for (guint m = 0; m < n; m++)
    if (isnan(tokens[m]))
      json_array_add_null_element(array);
    else
      json_array_add_double_element(array, round(100 * tokens[m]) / 100);
  return array;
}

/* @tokens: (nullable): that the modules run for, see report/module-numbers.h */
static void complete_provenance(const Run *run, const double *tokens)
{
  Description *d = run->student.description;
  JsonObject *p = provenance_record(run, "compress");
  if (tokens)
    json_object_set_array_member(p, "module_tokens", tokens_array(tokens, 2 * d->depth));
  if (!student_has_gates(&run->student) && !description_has_token_gates(d))
    return;
  g_autofree GateSum *sums = watch_gates(run, d->default_compute);
  json_object_set_array_member(p, "gate_usage", gate_sums_usage(sums, d));
  if (student_has_gates(&run->student))
    json_object_set_array_member(p, "gate_spread", gate_sums_spreads(sums, d));
}

/* Records in the model what it loses with products in less than float32. Measuring that takes a
 * temporary file of the model. */
static gboolean compare_precisions(const Run *run, double **tokens, GError **error)
{
  g_autofree char *path = g_build_filename(run->folder, "student.safetensors", NULL);
  const RunOptions *o = run->options;
  const HeldOut *h = run->held_out;
  double *agreement = run->student.description->agreement;
  g_autofree guint *labels = g_new(guint, h->n);
  for (guint i = 0; i < h->n; i++)
    labels[i] = loss_best(h->logits + (gsize)i * h->n_classes, h->n_classes);
  const guint depth = run->student.description->depth;
  gboolean fine = TRUE;
  if (ranks_is_first()) {
    fine = network_write(run->student.network, o->precision, path, error) &&
           precision_record(path, h, labels, agreement, tokens, error);
    g_unlink(path);
  }
  if (!ranks_all_fine(fine, error))
    return FALSE;
  if (!*tokens)
    *tokens = g_new0(double, 2 * depth);
  ranks_broadcast(agreement, VITGATE_N_PRECISIONS * sizeof *agreement);
  ranks_broadcast(*tokens, 2 * depth * sizeof **tokens);
  for (guint p = VITGATE_PRECISION_FLOAT32; fine && p < VITGATE_N_PRECISIONS; p++)
    if (agreement[p] > 0)
      run_log_note(run->log, "products in %s: %.1f %% of the teacher's classes",
                   vitgate_precision_name((VitgatePrecision)p), 100 * agreement[p]);
  return fine;
}

/* Makes the final model: the running mean of the weights, rounded as in the file, with its dial. */
static gboolean finish(Run *run, GError **error)
{
  const RunOptions *o = run->options;
  if (o->train)
    trainer_average(run->trainer);
  run->trained = TRUE;
  if (has_learned_gates(run) && !settle_gates(run, error))
    return FALSE;
  network_round(run->student.network, o->precision);
  g_autofree double *tokens = NULL;
  if (run->held_out) {
    calibrate(run);
    gboolean idle = FALSE;
    if (has_learned_gates(run) && !open_idle_gates(run, &idle, error))
      return FALSE;
    if (!idle && !drop_token_gates(run, &idle, error))
      return FALSE;
    if (idle)
      calibrate(run);
    if (!compare_precisions(run, &tokens, error))
      return FALSE;
  }
  complete_provenance(run, tokens);
  return run_agree_on_student(run, error) &&
         (!ranks_is_first() || network_write(run->student.network, o->precision, o->out, error)) &&
         closing_report(run, error);
}

static gboolean run_stages(Run *run, GError **error)
{
  const RunOptions *o = run->options;
  const gboolean resumed = run_can_resume(run);
  run_note_held_out(run);
  if (!o->static_only &&
      !(run->held_out = held_out_new(run->collection, run->teacher, HELD_OUT_IMAGES, o->batch,
                                     o->threads, o->classes != NULL, error)))
    return FALSE;
  if (!(resumed ? run_resume(run, error) : start(run, error)))
    return FALSE;
  if (!resumed && !run_make_trainer(run, error))
    return FALSE;
  estimate_end(run);
  if (o->train && run->student.network->searches) {
    if (!run_train(run, error) || !end_search(run, error) || !run_make_trainer(run, error))
      return FALSE;
  }
  if (o->train && (o->merging || description_has_token_gates(run->student.description)) &&
      !run->student.description->n_calibration)
    run_find_merging(run);
  estimate_end(run);
  return (!o->train || run_train(run, error)) && finish(run, error);
}

gboolean compress(const RunOptions *options, GError **error)
{
  Run run = { .options = options, .start = g_get_monotonic_time() };
  const gboolean opened =
      run_open_teacher(&run, error) &&
      (!options->train || run_check_memory(&run, teacher_get_network(run.teacher), error)) &&
      run_open_data(&run, teacher_get_description(run.teacher), error) &&
      check_held_out(&run, error) && run_open_folder(&run, error);
  const gboolean fine = run_agree(&run, opened, error) && run_stages(&run, error);
  run_clear(&run);
  return fine;
}
