/* vitgate eval: measures accuracy and compute on photographs. */
#include <float.h>
#include <math.h>

#include "base/clean-text.h"
#include "base/gate-control.h"
#include "base/granularity.h"
#include "base/progress.h"
#include "commands/command.h"
#include "commands/eval-sigmoid.h"
#include "data/classes.h"
#include "data/decode.h"
#include "data/photo-reader.h"
#include "data/selection.h"
#include "model.h"
#include "report/accuracy.h"
#include "report/gate-usage.h"
#include "report/module-numbers.h"
#include "report/report.h"
#include "session.h"

#define MAX_UNMATCHED_NOTES 5

typedef struct {
  guint64 images, skipped;
  Accuracy overall;
  Accuracy *folders;  /* [dataset folders] */
  ScoreTable *scores; /* instead of these two if each class has a probability of its own */
  double gmacs_sum, gmacs_min, gmacs_max;
  guint64 agreed;        /* images to which the reference gives the same label */
  double divergence;     /* from the reference's classes, summed over all images */
  guint64 tokens;        /* tokens left after the last block, summed over all images */
  double *ran;           /* [2 * depth] shares as in gate-usage.h, summed over all images */
  double *module_tokens; /* [2 * depth] tokens for which each module ran, over all images */
  gint64 engine_us;      /* time in the engine: pre-processing and network */
} Counts;

typedef struct {
  const char *path; /* of the model */
  VitgatePrecision precision;
  VitgateSessionOptions options;
  LogitControlKind control;
  double compute;         /* ratio requested; 0: the model's default */
  gboolean among_present; /* show the column in the table */
  const VitgateModelInfo *info;
  const char *stored; /* precision of the weights in the model file */
  VitgateSession *session;
  VitgateSession *reference; /* (nullable): its labels are compared with the model's */
  const Dataset *dataset;
  guint *order; /* [n] photographs of the dataset to evaluate */
  guint n;
  const Classes *classes;
  guint8 **present; /* [folders][n_classes] classes that occur in each folder; rows may be shared */
  Counts counts;
  Progress progress;
} Evaluation;

/* Returns: the share of the tokens that came to a module for which it ran; 0 if it did not run */
static double share_that_ran(const VitgateResult *result, guint module)
{
  const double ran = result->module_tokens[module], others = result->module_substitutes[module];
  return ran > 0 ? ran / (ran + others) : 0;
}

static void count_result(Evaluation *eval, guint index, const VitgateResult *result)
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
  counts->gmacs_sum += result->gmacs;
  counts->gmacs_min = MIN(counts->gmacs_min, result->gmacs);
  counts->gmacs_max = MAX(counts->gmacs_max, result->gmacs);
  counts->tokens += result->n_tokens;
  for (guint m = 0; m < 2 * eval->info->depth; m++) {
    counts->ran[m] += share_that_ran(result, m);
    counts->module_tokens[m] += result->module_tokens[m];
  }
}

/* Compares the labels and probabilities of both sessions. */
static gboolean compare_labels(Evaluation *eval, const VitgateResult *results,
                               const VitgateImage *images, guint n, GError **error)
{
  if (!eval->reference)
    return TRUE;
  const VitgateResult *expected = vitgate_session_classify(eval->reference, images, n, error);
  const VitgateActivation activation = eval->info->activation;
  for (guint i = 0; expected && i < n; i++) {
    eval->counts.agreed +=
        accuracy_answer(&results[i], activation) == accuracy_answer(&expected[i], activation);
    eval->counts.divergence += accuracy_divergence(&results[i], &expected[i], activation);
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
  if (!results || !compare_labels(eval, results, images, batch->len, error))
    return FALSE;
  for (guint i = 0; i < batch->len; i++)
    count_result(eval, ((DecodedPhotograph *)batch->pdata[i])->index, &results[i]);
  g_ptr_array_set_size(batch, 0);
  return TRUE;
}

static void note_skipped(Evaluation *eval, const DecodedPhotograph *photograph)
{
  eval->counts.skipped++;
  progress_clear(&eval->progress);
  g_autofree char *name =
      g_filename_display_name(dataset_get(eval->dataset, photograph->index)->name);
  command_note("skipped %s: %s", name, photograph->error->message);
}

static gboolean evaluate(Evaluation *eval, GError **error)
{
  guint n = eval->n;
  g_autoptr(PhotoReader) reader = photo_reader_new(eval->dataset, eval->order, n);
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
  if (fine && eval->counts.images == 0) {
    g_set_error(error, COMMAND_ERROR, COMMAND_ERROR_DATA, "none of the %u photographs can be used",
                n);
    return FALSE;
  }
  return fine;
}

/* Clamped, because rounding can push the mean of equal numbers past them. */
static double mean_gmacs(const Counts *counts)
{
  return CLAMP(counts->gmacs_sum / (double)counts->images, counts->gmacs_min, counts->gmacs_max);
}

static double mean_tokens(const Counts *counts)
{
  return (double)counts->tokens / (double)counts->images;
}

/* Returns: (transfer full): the mean of @sums over all images, laid out as described in
 * gate-usage.h */
static double *find_means(const Evaluation *eval, const double *sums)
{
  const guint n = 2 * eval->info->depth;
  double *usage = g_new(double, n + 1);
  for (guint m = 0; m < n; m++)
    usage[m] =
        module_numbers_has_module(eval->info, m) ? sums[m] / (double)eval->counts.images : NAN;
  return usage;
}

static gboolean has_dial(const VitgateModelInfo *info)
{
  return info->min_compute < info->max_compute;
}

/* Returns the dial's setting: the ratio requested, or the nearest one in the model's range. */
static double dial_compute(const Evaluation *eval)
{
  const VitgateModelInfo *info = eval->info;
  return eval->compute > 0 ? CLAMP(eval->compute, info->min_compute, info->max_compute)
                           : info->default_compute;
}

/* Returns a percentage, or NaN without a reference. */
static double agreement(const Evaluation *eval)
{
  return eval->reference ? 100.0 * (double)eval->counts.agreed / (double)eval->counts.images : NAN;
}

/* Returns a mean, or NaN without a reference. */
static double divergence(const Evaluation *eval)
{
  return eval->reference ? eval->counts.divergence / (double)eval->counts.images : NAN;
}

static double images_per_second(const Counts *counts)
{
  return (double)counts->images * G_USEC_PER_SEC / (double)MAX(counts->engine_us, 1);
}

static void report_accuracy(JsonBuilder *json, const Accuracy *accuracy)
{
  report_count(json, "images", accuracy->images);
  report_count(json, "labelled", accuracy->labelled);
  report_number(json, "top1", accuracy_percent(accuracy->top1, accuracy));
  report_number(json, "top5", accuracy_percent(accuracy->top5, accuracy));
  report_number(json, "top1_among_present", accuracy_percent(accuracy->among_present, accuracy));
}

/* Opens an object with the images' multiply-adds divided by @unit. The caller closes it. */
static void report_spread(JsonBuilder *json, const char *name, const Counts *counts, double unit)
{
  report_begin(json, name);
  report_number(json, "mean", mean_gmacs(counts) / unit);
  report_number(json, "min", counts->gmacs_min / unit);
  report_number(json, "max", counts->gmacs_max / unit);
}

static void report_compute(JsonBuilder *json, const Evaluation *eval)
{
  const VitgateModelInfo *info = eval->info;
  report_spread(json, "gmacs", &eval->counts, 1);
  report_number(json, "dense", info->dense_gmacs);
  json_builder_end_object(json);
  report_spread(json, "compute_ratio", &eval->counts, info->dense_gmacs);
  json_builder_end_object(json);
  report_begin(json, "tokens");
  report_number(json, "mean", mean_tokens(&eval->counts));
  report_count(json, "all", info->n_tokens);
  json_builder_end_object(json);
  g_autofree double *usage = find_means(eval, eval->counts.ran),
                    *tokens = find_means(eval, eval->counts.module_tokens);
  gate_usage_report(json, usage, info);
  report_numbers(json, "module_tokens", tokens, 2 * info->depth);
}

static SigmoidReport sigmoid_report(const Evaluation *eval)
{
  return (SigmoidReport){ eval->counts.scores, eval->dataset, eval->classes, eval->info };
}

/* Adds the members "overall" and "folders". */
static void report_folders(const Evaluation *eval, JsonBuilder *json)
{
  const Counts *counts = &eval->counts;
  report_begin(json, "overall");
  report_accuracy(json, &counts->overall);
  json_builder_end_object(json);
  report_begin(json, "folders");
  for (guint i = 0; i < eval->dataset->folders->len; i++) {
    if (!counts->folders[i].images)
      continue;
    g_autofree char *name = g_filename_display_name(g_ptr_array_index(eval->dataset->folders, i));
    report_begin(json, name);
    report_accuracy(json, &counts->folders[i]);
    json_builder_end_object(json);
  }
  json_builder_end_object(json);
}

static void print_json(const Evaluation *eval)
{
  const SigmoidReport sigmoid = sigmoid_report(eval);
  const Counts *counts = &eval->counts;
  g_autofree char *granularity = granularity_to_text(&eval->options);
  g_autoptr(JsonBuilder) json = json_builder_new();
  json_builder_begin_object(json);
  report_setting(json, eval->info, eval->path, eval->options.threads, eval->options.max_batch);
  report_string(json, "stored_precision", eval->stored);
  report_string(json, "granularity", granularity);
  report_string(json, "gate_control", gate_control_name(eval->control));
  report_number(json, "compute", has_dial(eval->info) ? dial_compute(eval) : NAN);
  report_count(json, "images", counts->images);
  report_count(json, "skipped", counts->skipped);
  if (counts->scores)
    eval_sigmoid_report(&sigmoid, json);
  else
    report_folders(eval, json);
  report_compute(json, eval);
  report_number(json, "agreement", agreement(eval));
  report_number(json, "divergence", divergence(eval));
  report_count(json, "parameters", eval->info->n_parameters);
  report_number(json, "images_per_second", images_per_second(counts));
  json_builder_end_object(json);
  report_print(json);
}

static void print_row(const Evaluation *eval, const char *name, const Accuracy *accuracy)
{
  g_autofree char *clean = vitgate__clean_text(name);
  g_print("%-20s %7" G_GUINT64_FORMAT, clean, accuracy->images);
  if (accuracy->labelled == 0) {
    g_print("       -       -\n");
    return;
  }
  g_print(" %7.1f %7.1f", accuracy_percent(accuracy->top1, accuracy),
          accuracy_percent(accuracy->top5, accuracy));
  if (eval->among_present)
    g_print(" %15.1f", accuracy_percent(accuracy->among_present, accuracy));
  g_print("\n");
}

static void print_usage(const Evaluation *eval)
{
  g_autofree double *usage = find_means(eval, eval->counts.ran);
  const int width = gate_usage_kinds(eval->info) & GATES_FOR_TOKENS ? 16 : 10;
  g_print("\nshare of %s for which each module ran\n%8s %*s %*s\n",
          gate_usage_shares_of(eval->info), "block", width, "attention", width, "mlp");
  for (guint i = 0; i < eval->info->depth; i++) {
    g_autofree char *attention = gate_usage_to_text(usage, eval->info, 2 * i),
                    *mlp = gate_usage_to_text(usage, eval->info, 2 * i + 1);
    g_print("%8u %*s %*s\n", i, width, attention, width, mlp);
  }
}

static void print_compute(const Evaluation *eval)
{
  const Counts *counts = &eval->counts;
  const VitgateModelInfo *info = eval->info;
  const double dense = info->dense_gmacs;
  const guint threads = eval->options.threads;
  g_autofree char *name = vitgate__clean_text(info->name);
  g_autofree char *granularity = granularity_to_text(&eval->options);
  g_print("\n%s, stored as %s, products in %s, %u thread%s, batches of %u: %.1f images/s in the "
          "engine\n",
          name, eval->stored, vitgate_precision_name(info->precision), threads,
          threads == 1 ? "" : "s", eval->options.max_batch, images_per_second(counts));
  if (gate_usage_kinds(info))
    g_print("gates: granularity %s\n", granularity);
  if (eval->control)
    g_print("control of token gates: %s\n", gate_control_name(eval->control));
  if (has_dial(info))
    g_print("dial: compute %.3f of %.3f to %.3f\n", dial_compute(eval), info->min_compute,
            info->max_compute);
  g_print("GMACs: mean %.3f, min %.3f, max %.3f, dense %.3f; %" G_GUINT64_FORMAT " parameters\n",
          mean_gmacs(counts), counts->gmacs_min, counts->gmacs_max, dense, info->n_parameters);
  g_print("compute ratio: mean %.3f, min %.3f, max %.3f\n", mean_gmacs(counts) / dense,
          counts->gmacs_min / dense, counts->gmacs_max / dense);
  g_print("tokens left: mean %.1f of %u\n", mean_tokens(counts), info->n_tokens);
  if (eval->reference)
    g_print("same %s as the reference: %.1f %% of images; divergence from it: %.4f\n",
            counts->scores ? "labels" : "label", agreement(eval), divergence(eval));
}

static void print_folders(const Evaluation *eval)
{
  const Counts *counts = &eval->counts;
  g_print("%-20s %7s %7s %7s%s\n", "folder", "images", "Top-1", "Top-5",
          eval->among_present ? "   among present" : "");
  for (guint i = 0; i < eval->dataset->folders->len; i++)
    if (counts->folders[i].images)
      print_row(eval, g_ptr_array_index(eval->dataset->folders, i), &counts->folders[i]);
  print_row(eval, "all", &counts->overall);
}

static void print_table(const Evaluation *eval)
{
  const Counts *counts = &eval->counts;
  const SigmoidReport sigmoid = sigmoid_report(eval);
  if (counts->scores)
    eval_sigmoid_print(&sigmoid);
  else
    print_folders(eval);
  print_compute(eval);
  if (counts->skipped)
    g_print("%" G_GUINT64_FORMAT " skipped\n", counts->skipped);
  if (gate_usage_kinds(eval->info))
    print_usage(eval);
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
  if (eval->compute > 0 && !has_dial(info))
    command_note("the model has no dial: --compute %g has no effect", eval->compute);
  else if (eval->compute > 0 && dial_compute(eval) != eval->compute)
    command_note("the model's dial ranges from %.3f to %.3f: --compute %g is set to %.3f",
                 info->min_compute, info->max_compute, eval->compute, dial_compute(eval));
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
    print_json(eval);
  else if (fine)
    print_table(eval);
  classes_free_present(eval->present, dataset->folders->len);
  score_table_free(&eval->counts.scores);
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
  };
  g_autofree char *path = command_parse_one(&syntax, argc, argv, "model file", error);
  if (!path || !command_check_range("--batch-size", batch_size, 1, VITGATE_MAX_BATCH, error) ||
      !command_check_range("--threads", threads, 1, VITGATE_MAX_THREADS, error))
    return 1;
  Evaluation eval = { .path = path, .among_present = among_present };
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
