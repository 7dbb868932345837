/* vitgate eval: measures accuracy and compute on photographs. */
#include <float.h>

#include "base/gate-control.h"
#include "base/granularity.h"
#include "base/ranks.h"
#include "commands/command.h"
#include "commands/eval-ranks.h"
#include "commands/eval-sigmoid.h"
#include "commands/evaluation.h"
#include "data/decode.h"
#include "data/photo-reader.h"
#include "data/selection.h"
#include "model.h"
#include "report/gate-usage.h"
#include "session.h"

#define MAX_UNMATCHED_NOTES 5

/* Returns: the share of the tokens that came to a module for which it ran; 0 if it did not run */
static double share_that_ran(const VitgateResult *result, guint module)
{
  const double ran = result->module_tokens[module], others = result->module_substitutes[module];
  return ran > 0 ? ran / (ran + others) : 0;
}

/* A photograph shows classes of the model, others, or it is not known what. It shows others, too,
 * if its folder is not named after a class, and other folders are. */
static guint what_shows(const Evaluation *eval, guint index)
{
  const Classes *classes = eval->classes;
  const guint folder = dataset_get(eval->dataset, index)->folder;
  if (classes->sets && classes->sets[index])
    return classes->sets[index]->len ? SHOWS_CLASSES : SHOWS_OTHERS;
  if (classes->of[index] != CLASS_NONE)
    return classes->of[index] == CLASS_FOREIGN ? SHOWS_OTHERS : SHOWS_CLASSES;
  return g_ptr_array_find_with_equal_func(classes->unmatched,
                                          g_ptr_array_index(eval->dataset->folders, folder),
                                          g_str_equal, NULL)
             ? SHOWS_OTHERS
             : SHOWS_ANYTHING;
}

static void count_unknown(Evaluation *eval, guint index, const VitgateResult *result)
{
  UnknownCount *count = &eval->counts.unknown[what_shows(eval, index)];
  count->images++;
  count->unknown += command_is_unknown(result, eval->unknown_threshold);
}

static void count_result(Evaluation *eval, guint index, const VitgateResult *result,
                         const EvalCompared *compared)
{
  const Photograph *photograph = dataset_get(eval->dataset, index);
  Counts *counts = &eval->counts;
  const GArray *set = counts->scores ? eval->classes->sets[index] : NULL;
  int class = eval->classes->of[index];
  const guint8 *all = eval->present[eval->dataset->folders->len];
  if (set)
    score_table_add(counts->scores, photograph->folder, result->logits, set);
  accuracy_count(&counts->overall, result->logits, result->n_classes, class, all);
  accuracy_count(&counts->folders[photograph->folder], result->logits, result->n_classes, class,
                 eval->present[photograph->folder]);
  counts->images++;
  count_unknown(eval, index, result);
  counts->gmacs_sum += result->gmacs;
  counts->gmacs_min = MIN(counts->gmacs_min, result->gmacs);
  counts->gmacs_max = MAX(counts->gmacs_max, result->gmacs);
  counts->tokens += result->n_tokens;
  counts->agreed += compared->agreed;
  counts->divergence += compared->divergence;
  for (guint m = 0; m < 2 * eval->info->depth; m++) {
    counts->ran[m] += share_that_ran(result, m);
    counts->module_tokens[m] += result->module_tokens[m];
  }
}

/* Compares the labels and probabilities of both sessions.
 * @compared: (out caller-allocates): [n] */
static gboolean compare_labels(const Evaluation *eval, const VitgateResult *results,
                               const VitgateImage *images, guint n, EvalCompared *compared,
                               GError **error)
{
  if (!eval->reference)
    return TRUE;
  const VitgateResult *expected = vitgate_session_classify(eval->reference, images, n, error);
  const VitgateActivation activation = eval->info->activation;
  for (guint i = 0; expected && i < n; i++) {
    compared[i].agreed =
        accuracy_answer(&results[i], activation) == accuracy_answer(&expected[i], activation);
    compared[i].divergence = accuracy_divergence(&results[i], &expected[i], activation);
  }
  return expected != NULL;
}

static gboolean classify_batch(Evaluation *eval, GPtrArray *batch, GError **error)
{
  if (batch->len == 0)
    return TRUE;
  g_autofree VitgateImage *images = g_new(VitgateImage, batch->len);
  for (guint i = 0; i < batch->len; i++)
    images[i] = decode_as_image(((DecodedPhotograph *)batch->pdata[i])->pixels);
  gint64 start = g_get_monotonic_time();
  const VitgateResult *results = vitgate_session_classify(eval->session, images, batch->len, error);
  eval->counts.engine_us += g_get_monotonic_time() - start;
  g_autofree EvalCompared *compared = g_new0(EvalCompared, batch->len);
  if (!results || !compare_labels(eval, results, images, batch->len, compared, error))
    return FALSE;
  for (guint i = 0; i < batch->len; i++) {
    const guint index = ((DecodedPhotograph *)batch->pdata[i])->index;
    if (eval->records)
      eval_records_add(eval->records, index, &results[i], &compared[i]);
    else
      count_result(eval, index, &results[i], &compared[i]);
  }
  g_ptr_array_set_size(batch, 0);
  return TRUE;
}

static void note_skipped(Evaluation *eval, const DecodedPhotograph *photograph)
{
  g_autofree char *name =
      g_filename_display_name(dataset_get(eval->dataset, photograph->index)->name);
  g_autofree char *note = g_strdup_printf("skipped %s: %s", name, photograph->error->message);
  if (eval->records) {
    eval_records_skip(eval->records, note);
    return;
  }
  eval->counts.skipped++;
  progress_clear(&eval->progress);
  command_note("%s", note);
}

static gboolean evaluate(Evaluation *eval, GError **error)
{
  const guint first = ranks_slice(eval->n, ranks_own());
  const guint n = ranks_slice(eval->n, ranks_own() + 1) - first;
  if (ranks_count() > 1 && !(eval->records = eval_records_new(eval->info, eval->n, error)))
    return FALSE;
  g_autoptr(PhotoReader) reader = photo_reader_new(eval->dataset, eval->order + first, n);
  g_autoptr(GPtrArray) batch =
      g_ptr_array_new_with_free_func((GDestroyNotify)decoded_photograph_free);
  eval->progress = progress_start(n, "images");
  gboolean fine = TRUE;
  DecodedPhotograph *photograph;
  while (fine && (photograph = photo_reader_next(reader))) {
    if (photograph->pixels) {
      g_ptr_array_add(batch, photograph);
    } else {
      note_skipped(eval, photograph);
      decoded_photograph_free(photograph);
    }
    if (batch->len == eval->options.max_batch)
      fine = classify_batch(eval, batch, error);
    progress_update(&eval->progress, (guint)(eval->counts.images + eval->counts.skipped));
  }
  fine = fine && classify_batch(eval, batch, error);
  progress_clear(&eval->progress);
  if (fine && eval->records)
    eval_records_visit(eval->records, eval, count_result);
  if (fine && eval->counts.images == 0) {
    g_set_error(error, COMMAND_ERROR, COMMAND_ERROR_DATA, "none of the %u photographs can be used",
                eval->n);
    return FALSE;
  }
  return fine;
}

/* Warns about photographs and folders for which no class of the model is found. */
static void note_labels(const Evaluation *eval)
{
  const Classes *classes = eval->classes;
  guint n_foreign = 0;
  for (guint i = 0; i < eval->n; i++)
    n_foreign += classes->of[eval->order[i]] == CLASS_FOREIGN;
  if (n_foreign)
    command_note("%u photographs show no class of the model; accuracy does not count them",
                 n_foreign);
  else if (classes->n_labelled == 0)
    command_note("the classes of the photographs are unknown; accuracy is not measured");
  guint n = classes->unmatched->len;
  for (guint i = 0; i < MIN(n, MAX_UNMATCHED_NOTES); i++) {
    g_autofree char *name = g_filename_display_name(g_ptr_array_index(classes->unmatched, i));
    command_note("the folder \"%s\" is not named after a class of the model%s", name,
                 classes->sets ? ": its photographs count as showing none of them" : "");
  }
  if (n > MAX_UNMATCHED_NOTES)
    command_note("and %u more folders", n - MAX_UNMATCHED_NOTES);
}

/* Warns about settings that have no effect, or another effect than expected. */
static void note_settings(const Evaluation *eval)
{
  const VitgateModelInfo *info = eval->info;
  const VitgateSessionOptions *options = &eval->options;
  if (eval->compute > 0 && !evaluation_has_dial(info))
    command_note("the model has no dial: --compute %g has no effect", eval->compute);
  else if (eval->compute > 0 && evaluation_dial(eval) != eval->compute)
    command_note("the model's dial ranges from %.3f to %.3f: --compute %g is set to %.3f",
                 info->min_compute, info->max_compute, eval->compute, evaluation_dial(eval));
  if (options->granularity != VITGATE_GRANULARITY_SAMPLE && !gate_usage_kinds(info))
    command_note("the model has no gates: --granularity has no effect");
  else if (options->granularity == VITGATE_GRANULARITY_GROUP &&
           options->group_size > options->max_batch)
    command_note("groups of %u do not fit into batches of %u: each batch decides as one group",
                 options->group_size, options->max_batch);
}

/* What to evaluate, and what to compare with. */
typedef struct {
  char *data, **folders, *shuffle, *reference;
  gboolean no_orientation, held_out;
} Choice;

static gboolean choose(Evaluation *eval, const Choice *choice, GError **error)
{
  guint64 seed = 0;
  if (choice->shuffle &&
      !g_ascii_string_to_unsigned(choice->shuffle, 10, 0, G_MAXUINT64, &seed, NULL)) {
    g_set_error(error, COMMAND_ERROR, COMMAND_ERROR_USAGE,
                "--shuffle is \"%s\", expected a whole number as the seed", choice->shuffle);
    return FALSE;
  }
  eval->order = selection_new(eval->dataset, (const char *const *)choice->folders, choice->held_out,
                              choice->shuffle != NULL, seed, &eval->n, error);
  return eval->order != NULL;
}

/* Opens the reference in float32, to compare other precisions or students with. */
static gboolean open_reference(Evaluation *eval, const char *path, GError **error)
{
  g_autoptr(VitgateModel) model =
      path ? vitgate_model_open_with(path, VITGATE_PRECISION_FLOAT32, error) : NULL;
  if (!model)
    return !path;
  const guint n = vitgate_model_get_info(model)->n_classes;
  if (n != eval->info->n_classes) {
    g_set_error(error, COMMAND_ERROR, COMMAND_ERROR_DATA,
                "%s: has %u classes, expected %u as in %s to compare labels", path, n,
                eval->info->n_classes, eval->path);
    return FALSE;
  }
  const VitgateSessionOptions options = { .threads = eval->options.threads,
                                          .max_batch = eval->options.max_batch,
                                          .fit = eval->options.fit };
  eval->reference = vitgate_session_new(model, &options, error);
  return eval->reference != NULL;
}

static int run(Evaluation *eval, const Choice *choice, gboolean as_json, GError **error)
{
  g_autoptr(VitgateModel) model = vitgate_model_open_with(eval->path, eval->precision, error);
  g_autoptr(Dataset) dataset = model ? dataset_open(choice->data, error) : NULL;
  if (!dataset)
    return 1;
  eval->info = vitgate_model_get_info(model);
  eval->stored = vitgate__model_get_description(model)->precision;
  dataset->orientation = choice->no_orientation ? DECODE_AS_STORED : DECODE_UPRIGHT;
  eval->dataset = dataset;
  if (!choose(eval, choice, error) ||
      !gate_control_check(eval->control, eval->info, eval->path, error))
    return 1;
  g_autoptr(Classes) classes = classes_resolve(dataset, eval->info, error);
  g_autoptr(VitgateSession) session =
      classes ? vitgate_session_new(model, &eval->options, error) : NULL;
  if (!session || !open_reference(eval, choice->reference, error))
    return 1;
  if (eval->compute > 0)
    vitgate_session_set_compute(session, eval->compute);
  vitgate__session_set_gate_control(session, eval->control);
  eval->classes = classes;
  eval->session = session;
  if (!eval_ranks_check(eval, choice->reference, error))
    return 1;
  note_settings(eval);
  note_labels(eval);

  g_autofree Accuracy *folders = g_new0(Accuracy, dataset->folders->len);
  g_autofree double *ran = g_new0(double, 2 * eval->info->depth + 1),
                    *tokens = g_new0(double, 2 * eval->info->depth + 1);
  eval->present = classes_find_present(dataset, classes, eval->info->n_classes);
  eval->counts =
      (Counts){ .folders = folders, .gmacs_min = DBL_MAX, .ran = ran, .module_tokens = tokens };
  if (classes->sets)
    eval->counts.scores = score_table_new(eval->n, eval->info->n_classes, error);
  gboolean fine = (!classes->sets || eval->counts.scores) && evaluate(eval, error);
  if (fine && as_json)
    evaluation_print_json(eval);
  else if (fine)
    evaluation_print_table(eval);
  classes_free_present(eval->present, dataset->folders->len);
  score_table_free(&eval->counts.scores);
  eval_records_free(&eval->records);
  vitgate_session_free(&eval->reference);
  return fine ? 0 : 1;
}

/* @text: (nullable): NULL sets @compute to 0 */
static gboolean parse_compute(const char *text, double *compute, GError **error)
{
  char *end = NULL;
  *compute = text ? g_ascii_strtod(text, &end) : 0;
  if (!text || (end != text && !*end && *compute > 0 && *compute <= 1))
    return TRUE;
  g_set_error(error, COMMAND_ERROR, COMMAND_ERROR_USAGE,
              "--compute is \"%s\", expected a ratio above 0 and up to 1", text);
  return FALSE;
}

int command_eval(int argc, char **argv, GError **error)
{
  gboolean as_json = FALSE, among_present = FALSE, no_orientation = FALSE, held_out = FALSE;
  int batch_size = 1, threads = 1;
  double unknown_threshold = COMMAND_UNKNOWN_THRESHOLD;
  g_autofree char *data = NULL, *granularity = NULL, *compute = NULL, *shuffle = NULL,
                  *precision = NULL, *reference = NULL, *fit = NULL, *control = NULL;
  g_auto(GStrv) folders = NULL;
  const GOptionEntry entries[] = {
    { "data", 'd', 0, G_OPTION_ARG_FILENAME, &data, "Archive or folder of photographs", "TAR|DIR" },
    { "folder", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &folders,
      "Use only photographs from this top folder; can be repeated", "FOLDER" },
    { "held-out", 0, 0, G_OPTION_ARG_NONE, &held_out,
      "Use only the 5 % of the photographs that compress and train never train on", NULL },
    { "shuffle", 0, 0, G_OPTION_ARG_STRING, &shuffle,
      "Shuffle the photographs with this seed (default: order by name)", "SEED" },
    { "no-orientation", 0, 0, G_OPTION_ARG_NONE, &no_orientation, COMMAND_NO_ORIENTATION_HELP,
      NULL },
    { "batch-size", 'b', 0, G_OPTION_ARG_INT, &batch_size, "Images per call (default: 1)", "N" },
    { "threads", 't', 0, G_OPTION_ARG_INT, &threads,
      "Number of threads for the network (default: 1)", "T" },
    { "unknown-threshold", 0, 0, G_OPTION_ARG_DOUBLE, &unknown_threshold,
      COMMAND_UNKNOWN_THRESHOLD_HELP, "P" },
    { "compute", 'c', 0, G_OPTION_ARG_STRING, &compute,
      "Set the dial to this mean compute ratio (default: the model's default)", "R" },
    { "precision", 0, 0, G_OPTION_ARG_STRING, &precision, COMMAND_PRECISION_HELP, "P" },
    { "fit", 0, 0, G_OPTION_ARG_STRING, &fit, COMMAND_FIT_HELP, "FIT" },
    { "reference", 0, 0, G_OPTION_ARG_FILENAME, &reference,
      "Count how often this model, run in float32, gives the same label or labels", "MODEL" },
    { "granularity", 'g', 0, G_OPTION_ARG_STRING, &granularity,
      "Images that share a gate's decision: sample, group:K or batch (default: sample)", "G" },
    { "gate-control", 0, 0, G_OPTION_ARG_STRING, &control,
      "Control for experiments with token gates: none, random, shuffled or position (default: "
      "none)",
      "C" },
    { "among-classes-present", 0, 0, G_OPTION_ARG_NONE, &among_present,
      "Also show Top-1 among the classes that occur in the data", NULL },
    { "json", 0, 0, G_OPTION_ARG_NONE, &as_json, "Print the result as a JSON object", NULL },
    G_OPTION_ENTRY_NULL,
  };
  const CommandSyntax syntax = {
    entries, "MODEL", "Measures accuracy and compute on photographs.",
    "Classes come from labels.tsv in the data; without it, from folders that are\n"
    "named after a WordNet id or label of the model. Without either, only compute is\n"
    "measured. Photographs that cannot be read are reported, counted and skipped.\n"
    "\n"
    "If each class of the model has a probability of its own (activation sigmoid),\n"
    "the mean average precision (mAP) is measured. A line of labels.tsv may then list\n"
    "several classes, separated by commas, or none (-1). A photograph in a folder\n"
    "shows the class of that folder and no other.\n"
    "\n"
    "If the model scores pictures of none of its classes (vitgate teach), the share of\n"
    "photographs taken for such is shown, of those that show its classes and of all\n"
    "others. Accuracy does not depend on it.\n"
    "\n"
    "Top-1 among the classes present considers only the classes that occur in the\n"
    "same folder. The JSON object always includes it.\n"
    "\n"
    "Groups and batches hold photographs that are neighbours in the order of their\n"
    "names (--shuffle mixes them); the last one may be smaller. GMACs are 1e9\n"
    "multiply-adds for one image. The compute ratio is GMACs divided by those of the\n"
    "dense teacher.\n"
    "\n"
    "--gate-control replaces what token gates see, to measure what they know: random\n"
    "permutes their logits among an image's tokens, shuffled takes those of the image\n"
    "before, position the mean at each position over the images so far.\n"
    "\n"
    "Images per second count only the time in the engine: pre-processing and\n"
    "network. One more thread, not counted in --threads, reads and decodes\n"
    "photographs at the same time.\n"
    "\n"
    "Under mpirun, each process runs its part of the photographs, and the first prints\n"
    "the figures of all. models/many-machines.md describes how.\n"
  };
  g_autofree char *path = command_parse_one(&syntax, argc, argv, "model file", error);
  if (!path || !command_check_range("--batch-size", batch_size, 1, VITGATE_MAX_BATCH, error) ||
      !command_check_range("--threads", threads, 1, VITGATE_MAX_THREADS, error) ||
      !command_check_unknown_threshold(unknown_threshold, error))
    return 1;
  Evaluation eval = { .path = path,
                      .among_present = among_present,
                      .unknown_threshold = unknown_threshold };
  eval.options.threads = (guint)threads;
  eval.options.max_batch = (guint)batch_size;
  if (!parse_compute(compute, &eval.compute, error) ||
      !vitgate_precision_parse(precision ? precision : "auto", &eval.precision, error) ||
      !vitgate_fit_parse(fit ? fit : "model", &eval.options.fit, error) ||
      !gate_control_parse(control ? control : "none", &eval.control, error) ||
      !granularity_parse(granularity ? granularity : "sample", &eval.options, error) ||
      !command_check_given("--data", data != NULL, error))
    return 1;
  const Choice choice = { data, folders, shuffle, reference, no_orientation, held_out };
  const int status = run(&eval, &choice, as_json, error);
  g_free(eval.order);
  return status;
}
