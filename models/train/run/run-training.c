#include "train/run/run-training.h"

#include <math.h>
#include <signal.h>
#include <string.h>

#include "base/command-error.h"
#include "base/progress.h"
#include "base/random.h"
#include "base/ranks.h"
#include "file/architecture.h"
#include "network/dial.h"
#include "train/dial/dial-table.h"
#include "train/run/checkpoint.h"
#include "train/run/run-ranks.h"

/* Shares of the steps. */
#define SEARCH_SHARE 0.25 /* for the search */
#define ANNEAL_SHARE 0.4  /* of a stage, during which the target falls */

#define CHECKPOINT_SECONDS 120
#define TIMED_STEPS        8    /* steps timed to find how many fit into a time limit */
#define LIMIT_MARGIN       0.95 /* share of the remaining time that is planned for steps */
#define MERGE_GAIN         0.02 /* change of the dial per step for an error of one in the ratio */
#define PATH_IMAGES        64   /* images for run_find_merging() */
#define WATCH_STEPS        100  /* steps between measurements on the held-out photographs */
#define BIAS_RANGE         4    /* range of the gates' bias from the target to the whole student */
#define GAMMA              100  /* weight of the compute term (the paper's) */
#define WARM_UP            0.03 /* share of the steps */
#define FRESH_WARM_UP      0.1  /* the same for fresh weights */

/* Identifies a purpose of random numbers, other than those of the sampler and the batches. */
#define DIALLING 101

/* Set by a signal. */
static volatile sig_atomic_t stop_asked;

double run_whole_ratio(const Run *run)
{
  const Description *d = run->student.description;
  return vitgate__description_gmacs(d) / d->dense_gmacs;
}

static guint64 stage_steps(const Run *run)
{
  return run->student.network->searches ? MAX(1, (guint64)(SEARCH_SHARE * (double)run->steps))
                                        : run->steps;
}

gboolean run_make_trainer(Run *run, GError **error)
{
  const RunOptions *o = run->options;
  const Network *network = run->student.network;
  const gboolean alike = run->teacher && student_is_alike(run->student.description,
                                                          teacher_get_description(run->teacher));
  const TrainerOptions options = {
    .batch = o->batch,
    .threads = o->threads,
    .bf16 = matmul_prefers_bf16(),
    .seed = o->seed,
    .steps = stage_steps(run),
    .warm_up = o->variant ? FRESH_WARM_UP : WARM_UP,
    .optimizer = OPTIMIZER_DEFAULT(o->rate, o->gate_rate),
    .loss = { .distillation = run->teacher ? 1 : 0,
              .temperature = 1,
              .tokens = alike ? 1 : 0,
              .features = o->features,
              .others = o->others,
              .labels = o->labels,
              .smoothing = 0.1,
              .compute = student_has_gates(&run->student) || network->searches || o->learn_gates
                             ? GAMMA
                             : 0,
              .target = run_whole_ratio(run),
              .spread = o->gate_control == GATES_LEARNED ? o->gate_spread : 0,
              .dense_gmacs = run->student.description->dense_gmacs,
              .wide = run->wide },
    .temperature = { 1, 0.5 },
    .sub_groups = o->sub_groups,
    .group_size = o->group_size,
    .levels = alike ? teacher_match(run->teacher, run->student.description) : (Levels){ 0 },
    .evaluates_only = run->trained || !o->train,
  };
  trainer_free(&run->trainer);
  network_control_gates(run->student.network, o->gate_control, FALSE);
  network_learn_token_gates(run->student.network, o->learn_gates);
  run->trainer = trainer_new(run->student.network, &options, error);
  if (run->trainer)
    trainer_get_pass(run->trainer)->decisions.control = o->token_control;
  return run->trainer != NULL;
}

/* ---- The dial ---- */

/* Training moves the dial as users will: every other step asks for the target, and the rest for a
 * random compute ratio between the target and the whole student's. */
static double asked_ratio(const Run *run)
{
  const guint64 step = trainer_get_step(run->trainer), steps = trainer_get_steps(run->trainer);
  const double progress = steps ? (double)step / (double)steps : 0, whole = run_whole_ratio(run);
  const double min = whole + (run->options->target - whole) * MIN(1, progress / ANNEAL_SHARE);
  if (run->student.network->searches || run->options->fixed_dial || step % 2 == 0)
    return min;
  Random random = { random_key(run->options->seed, DIALLING, step) };
  return random_between(&random, min, whole);
}

/* Returns: the compute ratio that merging alone should reach, with all gates open, so that gates
 * and merging together reach @ratio */
static double merge_share(const Run *run, double ratio)
{
  return student_has_gates(&run->student) ? sqrt(run_whole_ratio(run) * ratio) : ratio;
}

static void turn_dial(Run *run, double ratio)
{
  const double whole = run_whole_ratio(run), target = run->options->target;
  run->asked = ratio;
  const double way = whole > target ? CLAMP((run->asked - target) / (whole - target), 0, 1) : 0;
  run->bias = way * BIAS_RANGE;
  trainer_set_dial(run->trainer, run->bias, run->asked);
  if (!run->student.description->n_calibration || run->student.network->searches)
    return;
  Dial dial;
  vitgate__dial_set(&dial, run->student.description,
                    merge_share(run, run->asked) + run->merge_offset);
  for (guint b = 0; b < run->student.description->depth; b++)
    trainer_set_merging(run->trainer, b, dial.thresholds[b]);
  if (!description_has_token_gates(run->student.description))
    return;
  run->bias = (double)dial.gate_bias;
  trainer_set_dial(run->trainer, run->bias, run->asked);
}

/* Corrects the dial by the compute ratio of the last step with all gates open. */
static void steer_merging(Run *run)
{
  const double ratio =
      loss_open_ratio(trainer_get_pass(run->trainer), run->student.description->dense_gmacs);
  const double error = ratio - merge_share(run, run->asked);
  run->merge_offset = CLAMP(run->merge_offset - MERGE_GAIN * error, -0.3, 0.3);
}

void run_find_merging(Run *run)
{
  const RunOptions *o = run->options;
  const DialTableOptions how = { .held_out = run->held_out,
                                 .images = MIN(run->held_out->n, PATH_IMAGES),
                                 .priced_images = MIN(run->held_out->n, PATH_IMAGES),
                                 .batch = o->batch,
                                 .merging = o->merging,
                                 .token_gates =
                                     description_has_token_gates(run->student.description),
                                 .least = merge_share(run, o->target) - 0.1,
                                 .phase = "finding the dial's path" };
  run_log_note(run->log, "finding the dial's path on %u held-out photographs", how.images);
  const double divergence =
      dial_table_make(run->trainer, &how, o->target, run->student.description);
  run_log_note(run->log, "divergence from the teacher before training: %.4f", divergence);
}

/* ---- Checkpoints ---- */

/* Checks that the run has the options recorded in the checkpoint. */
static gboolean check_options(const Run *run, JsonObject *state, GError **error)
{
  JsonNode *node = json_object_get_member(state, "options");
  if (node && JSON_NODE_HOLDS_OBJECT(node))
    return run_options_check_same(run->options, json_node_get_object(node), run->checkpoint, error);
  g_set_error(error, COMMAND_ERROR, COMMAND_ERROR_DATA,
              "%s: does not record the options of its run", run->checkpoint);
  return FALSE;
}

static gboolean save(const Run *run, GError **error)
{
  if (!ranks_is_first())
    return TRUE;
  g_autoptr(JsonObject) state = json_object_new();
  json_object_set_object_member(state, "options", run_options_describe(run->options));
  json_object_set_int_member(state, "steps", (gint64)run->steps);
  json_object_set_int_member(state, "draw", (gint64)run->draw);
  json_object_set_double_member(state, "merge_offset", run->merge_offset);
  return checkpoint_write(run->checkpoint, trainer_get_optimizer(run->trainer), state, error);
}

gboolean run_resume(Run *run, GError **error)
{
  g_autoptr(Safetensors) file = NULL;
  g_autoptr(JsonObject) state = NULL;
  Description *d = checkpoint_open(run->checkpoint, &file, &state, error);
  if (!d || !check_options(run, state, error)) {
    vitgate__description_free(&d);
    return FALSE;
  }
  const gboolean search = json_object_get_boolean_member_with_default(state, "search", FALSE);
  student_take(&run->student, network_new(d, search), d);
  run->steps = (guint64)json_object_get_int_member_with_default(state, "steps", 0);
  run->draw = (guint64)json_object_get_int_member_with_default(state, "draw", 0);
  run->merge_offset = json_object_get_double_member_with_default(state, "merge_offset", 0);
  if (!run_make_trainer(run, error) ||
      !checkpoint_read(file, trainer_get_optimizer(run->trainer), error))
    return FALSE;
  run_log_note(run->log, "resumed after step %" G_GUINT64_FORMAT " of the %s",
               trainer_get_step(run->trainer), search ? "search" : "training");
  return TRUE;
}

/* ---- Steps ---- */

static gboolean one_step(Run *run, Batches *batches, StepReport *report, GError **error)
{
  const Batch *batch = batches_next(batches, error);
  if (!batch)
    return FALSE;
  LossTargets targets = { .labels = batch->labels };
  if (run->teacher) {
    teacher_run(run->teacher, batch->tensors, batch->n);
    targets.teacher_logits = teacher_get_logits(run->teacher);
    targets.teacher_tokens = teacher_get_tokens(run->teacher);
    targets.teacher_class = teacher_get_class_tokens(run->teacher);
  }
  const gboolean fine = trainer_step(run->trainer, batch->tensors, &targets, report, error);
  run->draw = batch->next_draw;
  batches_release(&batch);
  return fine;
}

static double seconds_since(gint64 start)
{
  return (double)(g_get_monotonic_time() - start) / G_USEC_PER_SEC;
}

double run_elapsed(const Run *run)
{
  return seconds_since(run->start);
}

/* Returns: seconds for one held-out image with all modules running and no tokens merged */
static double time_evaluation(Run *run)
{
  const HeldOut *h = run->held_out;
  if (!h || !h->n)
    return 0;
  turn_dial(run, run_whole_ratio(run));
  const guint n = MIN(h->n, run->options->batch);
  const gint64 start = g_get_monotonic_time();
  held_out_measure(h, run->trainer, 0, n, run->options->batch);
  return seconds_since(start) / n;
}

/* Sets the number of steps that fit into the time limit: the time that is left, less what the run
 * needs after its steps and to watch the held-out photographs.
 * @start: of the first step */
static void settle_steps(Run *run, gint64 start)
{
  const RunOptions *o = run->options;
  const double each = seconds_since(start) / TIMED_STEPS, image = time_evaluation(run);
  const double watching = run->held_out ? image * run->held_out->n / WATCH_STEPS : 0;
  const double end = run->later_images * image + run->later_seconds;
  const double left = o->time_limit - run_elapsed(run) - end;
  run->steps = TIMED_STEPS + (guint64)(MAX(0, left) * LIMIT_MARGIN / (each + watching));
  ranks_broadcast(&run->steps, sizeof run->steps);
  trainer_set_steps(run->trainer, stage_steps(run));
  g_autofree char *before = progress_clock(run_elapsed(run)), *after = progress_clock(end);
  run_log_note(run->log,
               "%" G_GUINT64_FORMAT
               " steps of %.2f s fit into the time limit (%s used, about %s kept "
               "for later)",
               run->steps, each, before, after);
  if (left <= 0)
    run_log_note(run->log, "the time limit is too short to train for more than these steps");
}

/* Returns: FALSE as long as more steps have to be timed */
static gboolean finish_timing(Run *run, Progress *progress, gint64 start)
{
  const guint64 step = trainer_get_step(run->trainer);
  progress_update(progress, (double)step);
  if (step < TIMED_STEPS)
    return FALSE;
  progress_clear(progress);
  settle_steps(run, start);
  run_log_begin(run->log, run->trainer);
  return TRUE;
}

static gboolean stop(const Run *run, GError **error)
{
  g_set_error(error, COMMAND_ERROR, COMMAND_ERROR_INTERRUPTED,
              "stopped after step %" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT
              "; continue with --resume %s",
              trainer_get_step(run->trainer), trainer_get_steps(run->trainer), run->folder);
  return FALSE;
}

/* Measures the running mean of the weights on held-out photographs, with the dial at the target. */
static void watch(Run *run)
{
  turn_dial(run, run->options->target);
  trainer_swap_average(run->trainer);
  const HeldOutOutcome outcome = held_out_measure(run->held_out, run->trainer, run->bias,
                                                  run->held_out->n, run->options->batch);
  trainer_swap_average(run->trainer);
  run_log_held_out(run->log, run->trainer, &outcome);
}

static gboolean take_steps(Run *run, Batches *batches, GError **error)
{
  gint64 start = g_get_monotonic_time(), saved = start;
  const guint64 first = trainer_get_step(run->trainer);
  Progress progress = { 0 };
  if (!run->steps)
    progress = progress_start_phase("timing the first steps", TIMED_STEPS, "steps");
  run_log_begin(run->log, run->trainer);
  while (!run->steps || trainer_get_step(run->trainer) < trainer_get_steps(run->trainer)) {
    StepReport report;
    const gboolean timing = !run->steps;
    turn_dial(run, asked_ratio(run));
    if (!one_step(run, batches, &report, error))
      return FALSE;
    run_report_skipped(run);
    steer_merging(run);
    if (timing && !finish_timing(run, &progress, start))
      continue;
    if (!timing)
      run_log_step(run->log, run->trainer, &report);
    if (run->held_out && trainer_get_step(run->trainer) % WATCH_STEPS == 0)
      watch(run);
    const gboolean stops = ranks_any(stop_asked);
    if (stops || g_get_monotonic_time() - saved > CHECKPOINT_SECONDS * G_USEC_PER_SEC) {
      if (!save(run, error))
        return FALSE;
      saved = g_get_monotonic_time();
    }
    if (stops)
      return stop(run, error);
  }
  run_report_sums(run, trainer_get_step(run->trainer) - first, seconds_since(start));
  return TRUE;
}

static const int stop_signals[] = { SIGINT, SIGTERM, SIGUSR1 };

/* mpirun leaves its ranks little time after SIGINT and SIGTERM, but passes on SIGUSR1. */
static guint n_stop_signals(void)
{
  return G_N_ELEMENTS(stop_signals) - (ranks_count() == 1);
}

static void ask_stop(int signal)
{
  stop_asked = 1;
}

gboolean run_train(Run *run, GError **error)
{
  const RunOptions *o = run->options;
  Augmentation augmentation = AUGMENTATION_DEFAULT;
  augmentation.mixup = o->mixup;
  const guint first = ranks_slice(o->batch, ranks_own());
  const BatchesOptions how = { .order = { .part = SAMPLER_TRAINING,
                                          .weights = o->folder_weights,
                                          .n_weights = o->n_folder_weights,
                                          .seed = o->seed },
                               .augmentation = &augmentation,
                               .batch_size = o->batch,
                               .first = first,
                               .n = ranks_slice(o->batch, ranks_own() + 1) - first,
                               .threads = o->threads };
  g_autoptr(Batches) batches = batches_new(run->collection, &how, error);
  if (!batches || !run_agree_on_student(run, error))
    return FALSE;
  batches_seek(batches, run->draw);
  /* A second signal ends the process at once. */
  struct sigaction handler = { .sa_handler = ask_stop, .sa_flags = (int)SA_RESETHAND };
  struct sigaction before[G_N_ELEMENTS(stop_signals)];
  stop_asked = 0;
  for (guint i = 0; i < n_stop_signals(); i++)
    sigaction(stop_signals[i], &handler, &before[i]);
  const gboolean fine = save(run, error) && take_steps(run, batches, error) &&
                        run_agree_on_student(run, error) && save(run, error);
  for (guint i = 0; i < n_stop_signals(); i++)
    sigaction(stop_signals[i], &before[i], NULL);
  return fine;
}
