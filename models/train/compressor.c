#include "compressor.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <string.h>

#include "checkpoint.h"
#include "class-subset.h"
#include "command.h"
#include "cut.h"
#include "dial-table.h"
#include "dial.h"
#include "mask.h"
#include "model-writer.h"
#include "model.h"
#include "run-log.h"
#include "static-cut.h"
#include "teacher.h"

#define CALIBRATION_IMAGES 1000
#define DIAL_IMAGES        512
#define HELD_OUT           0.05
#define RIDGE              1e-3
#define SEARCH_SHARE       0.25 /* of the steps */
#define ANNEAL_SHARE       0.4  /* of a stage: the target falls until then */
#define CHECKPOINT_SECONDS 120
#define TIMED_STEPS        8    /* to find out how many fit into a time limit */
#define MERGE_GAIN         0.02 /* of the dial, by step, for an error of one in the ratio */
#define PATH_IMAGES        128  /* for the way that merging takes before training */

typedef struct {
  const CompressOptions *options;
  VitgateModel *model;
  Description *dense; /* the teacher with the student's classes */
  guint *classes;
  guint n_classes;
  Collection *collection;
  Teacher *teacher;
  RunLog *log;
  char *folder, *checkpoint;

  Description *description; /* of the network */
  Network *network;
  Trainer *trainer;
  guint64 steps; /* of both stages together; 0: not known yet */
  guint64 draw;
  double merge_offset; /* added to the compute ratio that the dial is asked for */
} Run;

static volatile sig_atomic_t stop_asked;

static void ask_stop(int signal)
{
  stop_asked = 1;
}

/* ---- Beginning ---- */

/* The teacher's weights, of the student's classes. */
static Network *load_dense(const Run *run, GError **error)
{
  const Description *d = vitgate__model_get_description(run->model);
  g_autoptr(Safetensors) file = vitgate__safetensors_open(run->options->teacher, error);
  Network *whole = file ? network_new(d, FALSE) : NULL;
  if (!whole || !network_load(whole, file, error)) {
    network_free(&whole);
    return NULL;
  }
  Network *network = network_new(run->dense, FALSE);
  for (guint i = 0; i < network->parameters->len; i++) {
    const Parameter *p = &g_array_index(network->parameters, Parameter, i);
    const Parameter *from = network_find(whole, p->name);
    const gboolean head = run->classes && g_str_has_prefix(p->name, "head");
    const gsize row = p->n / p->shape[0];
    for (guint r = 0; head && r < p->shape[0]; r++)
      memcpy(network->values + p->offset + r * row,
             whole->values + from->offset + run->classes[r] * row, row * sizeof(real));
    if (!head)
      memcpy(network->values + p->offset, whole->values + from->offset, p->n * sizeof(real));
  }
  network_free(&whole);
  return network;
}

static gboolean open_teacher(Run *run, GError **error)
{
  const CompressOptions *o = run->options;
  run->model = vitgate_model_open(o->teacher, error);
  if (!run->model)
    return FALSE;
  const Description *d = vitgate__model_get_description(run->model);
  if (o->classes && !(run->classes = class_subset_read(o->classes, d, &run->n_classes, error)))
    return FALSE;
  run->dense = class_subset_describe(d, run->classes, run->n_classes);
  Network *network = load_dense(run, error);
  run->teacher = network ? teacher_new(network, o->batch, o->threads) : NULL;
  return network != NULL;
}

/* What the data's labels are looked up in: the student's classes. */
static gboolean open_data(Run *run, GError **error)
{
  const CollectionOptions options = { .paths = run->options->data,
                                      .folders = run->options->folders,
                                      .held_out = HELD_OUT,
                                      .memory = COLLECTION_MEMORY };
  const Description *student = run->dense;
  VitgateModelInfo info = *vitgate_model_get_info(run->model);
  info.n_classes = student->n_classes;
  info.labels = (const char *const *)student->labels;
  info.label_ids = (const char *const *)student->label_ids;
  info.has_labels = student->labels != NULL;
  if (!student->labels)
    info.labels = vitgate_model_get_info(run->model)->labels;
  run->collection = collection_open(&options, &info, error);
  return run->collection != NULL;
}

/* ---- Static compression ---- */

static StaticCutOptions cut_options(void)
{
  return (StaticCutOptions){ CALIBRATION_IMAGES, RIDGE, product_has_bf16() };
}

/* What the cut may leave: of the compute that is wanted, merging and gates spare a part. */
static double static_target(const CompressOptions *o)
{
  if (o->static_target > 0)
    return o->static_target;
  return o->static_only ? o->target : MIN(1, 0.5 * (1 + o->target));
}

static void replace_network(Run *run, Network *network, Description *description)
{
  trainer_free(&run->trainer);
  network_free(&run->network);
  vitgate__description_free(&run->description);
  run->network = network;
  run->description = description;
}

static void describe_shapes(Run *run, const BlockShape *shapes)
{
  g_autoptr(GString) text = g_string_new("structure:");
  for (guint b = 0; b < run->dense->depth; b++)
    g_string_append_printf(text, " %u/%u", shapes[b].heads, shapes[b].neurons);
  run_log_note(run->log, "%s (heads/neurons by block)", text->str);
}

/* Cuts @network, which ends here, to the shapes that the search chose, or, without them, to those
 * that the budget allows. */
static gboolean cut(Run *run, Network *network, const BlockShape *chosen, GError **error)
{
  const CompressOptions *o = run->options;
  const StaticCutOptions how = cut_options();
  const guint depth = network->description->depth;
  g_autofree BlockShape *shapes = g_new0(BlockShape, depth + 1);
  const Budget budget = { .compute = static_target(o), .parameters = o->parameters_target };
  Team *team = vitgate__team_new(o->threads);
  Calibration *calibration = NULL;
  Ranking **rankings = static_cut_rank(network, team, run->collection, &how, &calibration, error);
  Network *result = NULL;
  Description *description = NULL;
  if (rankings && chosen)
    memcpy(shapes, chosen, depth * sizeof *shapes);
  if (rankings &&
      (chosen || allocate_units(network->description, rankings, &budget, shapes, error)))
    result = static_cut_apply(calibration, rankings, shapes, RIDGE, &description, error);
  if (rankings)
    rankings_free(&rankings, depth);
  calibration_free(&calibration);
  vitgate__team_free(&team);
  network_free(&network);
  if (!result)
    return FALSE;
  describe_shapes(run, shapes);
  replace_network(run, result, description);
  return TRUE;
}

/* ---- Training ---- */

static gboolean has_gates(const Description *d)
{
  for (guint b = 0; b < d->depth; b++)
    if (d->blocks[b].attention_gate || d->blocks[b].mlp_gate)
      return TRUE;
  return FALSE;
}

static void make_trainer(Run *run)
{
  const CompressOptions *o = run->options;
  const TrainerOptions options = {
    .batch = o->batch,
    .threads = o->threads,
    .bf16 = product_has_bf16(),
    .seed = o->seed,
    .steps = run->network->searches ? (guint64)(SEARCH_SHARE * (double)run->steps) : run->steps,
    .warm_up = 0.03,
    .optimizer = { .rate = o->rate,
                   .steering_rate = 5 * o->rate,
                   .decay = 0.01,
                   .beta1 = 0.9,
                   .beta2 = 0.999,
                   .eps = 1e-8,
                   .clip = 1,
                   .average_keep = 0.998 },
    .loss = { .distillation = 1,
              .temperature = 1,
              .tokens = 1,
              .labels = o->labels,
              .smoothing = 0.1,
              .compute = has_gates(run->description) || run->network->searches ? 100 : 0,
              .target = o->target,
              .dense_gmacs = run->description->dense_gmacs },
    .first_target = vitgate__description_gmacs(run->description) / run->description->dense_gmacs,
    .anneal = ANNEAL_SHARE,
    .temperature = { 1, 0.5 },
    .sub_groups = o->sub_groups,
    .group_size = o->group_size,
  };
  run->trainer = trainer_new(run->network, &options);
}

/* The compute ratio that merging alone is to leave, with all gates open, at this step. */
static double merge_target(const Run *run, double progress)
{
  const double from = vitgate__description_gmacs(run->description) / run->description->dense_gmacs;
  const double to =
      has_gates(run->description) ? sqrt(from * run->options->target) : run->options->target;
  return from + (to - from) * MIN(1, progress / ANNEAL_SHARE);
}

static void set_merging(Run *run, double progress)
{
  Dial dial;
  vitgate__dial_set(&dial, run->description, merge_target(run, progress) + run->merge_offset);
  for (guint b = 0; b < run->description->depth; b++)
    run->network->blocks[b].merge_threshold =
        dial.thresholds[b] < MERGE_NEVER ? dial.thresholds[b] : 2;
}

/* Turns the dial towards the compute that is wanted of merging, by what the last step took. */
static void steer_merging(Run *run, double progress)
{
  if (!run->description->n_calibration || run->network->searches)
    return;
  const Pass *pass = trainer_get_pass(run->trainer);
  const double ratio = loss_open_ratio(pass, run->description->dense_gmacs);
  run->merge_offset =
      CLAMP(run->merge_offset - MERGE_GAIN * (ratio - merge_target(run, progress)), -0.3, 0.3);
  set_merging(run, progress);
}

/* The way that merging takes as its share of the saving grows. */
static gboolean find_merging(Run *run, GError **error)
{
  const CompressOptions *o = run->options;
  if (!o->merging || !o->train)
    return TRUE;
  const DialTableOptions how = { .collection = run->collection,
                                 .max_images = PATH_IMAGES,
                                 .priced_images = PATH_IMAGES,
                                 .batch = o->batch,
                                 .least = merge_target(run, 1) - 0.1 };
  return dial_table_make(run->trainer, run->teacher, &how, o->target, run->description, error);
}

static gboolean save(Run *run, GError **error)
{
  g_autoptr(JsonObject) state = json_object_new();
  json_object_set_int_member(state, "steps", (gint64)run->steps);
  json_object_set_int_member(state, "draw", (gint64)run->draw);
  json_object_set_double_member(state, "merge_offset", run->merge_offset);
  return checkpoint_write(run->checkpoint, trainer_get_optimizer(run->trainer), state, error);
}

static gboolean one_step(Run *run, Samples *samples, StepReport *report, GError **error)
{
  const Batch *batch = samples_next(samples, error);
  if (!batch)
    return FALSE;
  teacher_run(run->teacher, batch->tensors, batch->n);
  const LossTargets targets = { .teacher_logits = teacher_get_logits(run->teacher),
                                .teacher_tokens = teacher_get_tokens(run->teacher),
                                .labels = batch->labels };
  const gboolean fine = trainer_step(run->trainer, batch->tensors, &targets, report, error);
  run->draw = batch->next_draw;
  samples_release(&batch);
  return fine;
}

/* How many steps fit into the time that is left, by those that were taken. */
static void settle_steps(Run *run, gint64 start)
{
  const double each = (double)(g_get_monotonic_time() - start) / G_USEC_PER_SEC / TIMED_STEPS;
  run->steps = MAX(1, (guint64)(run->options->time_limit * 0.93 / each));
  trainer_set_steps(run->trainer, run->network->searches
                                      ? (guint64)(SEARCH_SHARE * (double)run->steps)
                                      : run->steps);
  run_log_note(run->log, "%.2f s a step: %" G_GUINT64_FORMAT " steps fit into the time limit", each,
               run->steps);
}

/* Trains the network at hand to the end of its stage. */
static gboolean train(Run *run, GError **error)
{
  const CompressOptions *o = run->options;
  const Augmentation augmentation = AUGMENTATION_DEFAULT;
  const SamplesOptions how = { .order = { .part = SAMPLER_TRAINING,
                                          .weights = o->folder_weights,
                                          .n_weights = o->n_folder_weights,
                                          .seed = o->seed },
                               .augmentation = &augmentation,
                               .batch_size = o->batch };
  g_autoptr(Samples) samples = samples_new(run->collection, &how, error);
  if (!samples)
    return FALSE;
  samples_seek(samples, run->draw);
  if (!save(run, error))
    return FALSE;
  gint64 start = g_get_monotonic_time(), saved = start;
  while (!run->steps || trainer_get_step(run->trainer) < trainer_get_steps(run->trainer)) {
    StepReport report;
    if (!one_step(run, samples, &report, error))
      return FALSE;
    const guint64 step = trainer_get_step(run->trainer);
    if (!run->steps && step == TIMED_STEPS)
      settle_steps(run, start);
    const guint64 steps = trainer_get_steps(run->trainer);
    steer_merging(run, (double)step / (double)steps);
    if (run->steps)
      run_log_step(run->log, step, steps, &report);
    const gint64 now = g_get_monotonic_time();
    const gboolean due = now - saved > CHECKPOINT_SECONDS * G_USEC_PER_SEC;
    if ((due || stop_asked) && run->steps) {
      if (!save(run, error))
        return FALSE;
      saved = now;
    }
    if (stop_asked && run->steps) {
      g_set_error(error, COMMAND_ERROR, COMMAND_ERROR_INTERRUPTED,
                  "stopped behind step %" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT
                  "; go on with --resume %s",
                  step, steps, run->folder);
      return FALSE;
    }
  }
  return TRUE;
}

/* ---- Stages ---- */

/* The network whose structure is searched: units in order of importance, gates, choices. */
static gboolean start_search(Run *run, Network *network, GError **error)
{
  const StaticCutOptions how = cut_options();
  Team *team = vitgate__team_new(run->options->threads);
  Calibration *calibration = NULL;
  Ranking **rankings = static_cut_rank(network, team, run->collection, &how, &calibration, error);
  if (rankings) {
    order_units(network, rankings);
    Description *d = class_subset_describe(network->description, NULL, 0);
    if (run->options->gates)
      description_add_gates(d);
    Network *searching = network_new(d, TRUE);
    network_copy_values(searching, network);
    replace_network(run, searching, d);
    rankings_free(&rankings, d->depth);
  }
  calibration_free(&calibration);
  vitgate__team_free(&team);
  network_free(&network);
  return run->network != NULL;
}

/* Cuts to the candidates with the largest alphas and takes the gates along. */
static gboolean end_search(Run *run, GError **error)
{
  const Network *searched = run->network;
  const guint depth = run->description->depth;
  g_autofree BlockShape *shapes = g_new0(BlockShape, depth + 1);
  for (guint b = 0; b < depth; b++) {
    const TrainBlock *block = &searched->blocks[b];
    const Choice *heads = &block->heads_choice, *neurons = &block->neurons_choice;
    shapes[b].heads = heads->n ? heads->counts[mask_chosen(searched, heads)] : 0;
    shapes[b].neurons = neurons->n ? neurons->counts[mask_chosen(searched, neurons)] : 0;
  }
  Network *gates = g_steal_pointer(&run->network);
  Description *described = g_steal_pointer(&run->description);
  gboolean fine = cut(run, network_copy_plain(gates), shapes, error);
  if (fine && run->options->gates) {
    Description *d = class_subset_describe(run->description, NULL, 0);
    description_add_gates(d);
    Network *gated = network_new(d, FALSE);
    network_copy_values(gated, run->network);
    network_copy_gates(gated, gates);
    replace_network(run, gated, d);
  }
  network_free(&gates);
  vitgate__description_free(&described);
  return fine;
}

/* Without a search: cut at once, then give the rest its gates. */
static gboolean start_training(Run *run, Network *network, GError **error)
{
  if (!cut(run, network, NULL, error))
    return FALSE;
  if (!run->options->gates || run->options->static_only || !run->options->train)
    return TRUE;
  Description *d = class_subset_describe(run->description, NULL, 0);
  description_add_gates(d);
  Network *gated = network_new(d, FALSE);
  network_copy_values(gated, run->network);
  replace_network(run, gated, d);
  return TRUE;
}

static gboolean start(Run *run, GError **error)
{
  Network *network = load_dense(run, error);
  if (!network)
    return FALSE;
  run->steps = run->options->steps;
  return run->options->search && run->options->train ? start_search(run, network, error)
                                                     : start_training(run, network, error);
}

static gboolean resume(Run *run, GError **error)
{
  g_autoptr(Safetensors) file = NULL;
  g_autoptr(JsonObject) state = NULL;
  Description *d = checkpoint_open(run->checkpoint, &file, &state, error);
  if (!d)
    return FALSE;
  const gboolean search = json_object_get_boolean_member_with_default(state, "search", FALSE);
  replace_network(run, network_new(d, search), d);
  run->steps = (guint64)json_object_get_int_member_with_default(state, "steps", 0);
  run->draw = (guint64)json_object_get_int_member_with_default(state, "draw", 0);
  run->merge_offset = json_object_get_double_member_with_default(state, "merge_offset", 0);
  make_trainer(run);
  if (!checkpoint_read(file, trainer_get_optimizer(run->trainer), error))
    return FALSE;
  if (!search)
    set_merging(run, (double)trainer_get_step(run->trainer) / (double)run->steps);
  run_log_note(run->log, "resumed behind step %" G_GUINT64_FORMAT " of the %s",
               trainer_get_step(run->trainer), search ? "search" : "training");
  return TRUE;
}

/* The running mean of the weights, rounded as the file will hold them, with its dial. */
static gboolean finish(Run *run, GError **error)
{
  const CompressOptions *o = run->options;
  if (o->train)
    memcpy(run->network->values, trainer_get_optimizer(run->trainer)->average,
           run->network->n_values * sizeof(real));
  if (!strcmp(o->precision, "int8"))
    network_round_to_int8(run->network);
  if (!o->static_only) {
    const DialTableOptions how = { .collection = run->collection,
                                   .max_images = DIAL_IMAGES,
                                   .priced_images = PATH_IMAGES,
                                   .batch = o->batch,
                                   .gates = TRUE,
                                   .least = 0.6 * o->target };
    run_log_note(run->log, "calibrating the dial on up to %d photographs held out", DIAL_IMAGES);
    if (!dial_table_make(run->trainer, run->teacher, &how, o->target, run->description, error))
      return FALSE;
  }
  run->description->provenance = json_object_new();
  JsonObject *p = run->description->provenance;
  g_autofree char *teacher = g_path_get_basename(o->teacher);
  json_object_set_string_member(p, "teacher", teacher);
  json_object_set_string_member(p, "made_by", "vitgate compress " VITGATE_VERSION);
  json_object_set_int_member(p, "seed", (gint64)o->seed);
  json_object_set_int_member(p, "steps", (gint64)(o->train ? run->steps : 0));
  json_object_set_int_member(p, "batch", o->batch);
  json_object_set_double_member(p, "target", o->target);
  return network_write(run->network, o->precision, o->out, error);
}

static gboolean run_stages(Run *run, GError **error)
{
  const gboolean resumed = run->options->resume && g_file_test(run->checkpoint, G_FILE_TEST_EXISTS);
  if (!(resumed ? resume(run, error) : start(run, error)))
    return FALSE;
  if (!run->trainer)
    make_trainer(run);
  if (!run->options->train)
    return finish(run, error);
  if (run->network->searches) {
    if (!train(run, error) || !end_search(run, error))
      return FALSE;
    make_trainer(run);
  }
  const gboolean fresh = !run->description->n_calibration;
  return (!fresh || find_merging(run, error)) && train(run, error) && finish(run, error);
}

static void clear(Run *run)
{
  trainer_free(&run->trainer);
  network_free(&run->network);
  vitgate__description_free(&run->description);
  vitgate__description_free(&run->dense);
  teacher_free(&run->teacher);
  collection_close(&run->collection);
  vitgate_model_unref(&run->model);
  run_log_free(&run->log);
  g_free(run->classes);
  g_free(run->folder);
  g_free(run->checkpoint);
}

static gboolean open_folder(Run *run, GError **error)
{
  const CompressOptions *o = run->options;
  run->folder = o->resume ? g_strdup(o->resume) : g_strconcat(o->out, ".training", NULL);
  run->checkpoint = g_build_filename(run->folder, "checkpoint.safetensors", NULL);
  if (g_mkdir_with_parents(run->folder, 0777)) {
    g_set_error(error, COMMAND_ERROR, COMMAND_ERROR_IO, "%s: cannot be made: %s", run->folder,
                g_strerror(errno));
    return FALSE;
  }
  g_autofree char *path = g_build_filename(run->folder, "log.jsonl", NULL);
  run->log = run_log_new(path, o->batch, error);
  return run->log != NULL;
}

gboolean compress(const CompressOptions *options, GError **error)
{
  Run run = { .options = options };
  struct sigaction stop = { .sa_handler = ask_stop }, before[2];
  sigaction(SIGINT, &stop, &before[0]);
  sigaction(SIGTERM, &stop, &before[1]);
  gboolean fine = open_teacher(&run, error) && open_data(&run, error) && open_folder(&run, error);
  fine = fine && run_stages(&run, error);
  sigaction(SIGINT, &before[0], NULL);
  sigaction(SIGTERM, &before[1], NULL);
  clear(&run);
  return fine;
}
