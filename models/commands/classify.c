/* vitgate classify: classifies images. */
#include <math.h>
#include <string.h>

#include "base/clean-text.h"
#include "commands/command.h"
#include "data/decode.h"
#include "data/store-folder.h"
#include "data/store.h"
#include "report/explain-svg.h"
#include "report/report.h"
#include "vitgate.h"
#include "write/output-file.h"

#define MAX_TOP_K     1000
#define DEFAULT_TOP_K 5
#define MAX_EXPLAINED 5 /* classes beside a picture */
#define UNSET         G_MININT

typedef struct {
  const char *path; /* of the model; NULL: the shipped one */
  VitgateModel *model;
  VitgateSession *session;
  guint threads, top_k;
  float threshold;
  const float *thresholds; /* (nullable) [n_classes] of each class instead */
  double unknown_threshold;
  DecodeOrientation orientation;
  const char *explain; /* (nullable): SVG file to write */
  JsonBuilder *json;   /* NULL: text */
} Classifier;

static void print_text(const Classifier *classifier, const char *file, const VitgateResult *result,
                       const guint *indices, const float *scores, guint n)
{
  const VitgateModelInfo *info = vitgate_model_get_info(classifier->model);
  g_autofree char *name = vitgate__clean_text(file);
  g_print("%s\n", name);
  if (command_is_unknown(result, classifier->unknown_threshold))
    g_print("  %5.1f %%  unknown; among the classes:\n", 100.0 * result->unknown);
  for (guint i = 0; i < n; i++) {
    g_autofree char *label = vitgate__clean_text(info->labels[indices[i]]);
    g_print("  %5.1f %%  %s\n", 100.0 * scores[i], label);
  }
  if (n == 0)
    g_print("  no class reaches the threshold\n");
}

static void add_json(const Classifier *classifier, const char *file, const VitgateResult *result,
                     const guint *indices, const float *scores, guint n)
{
  const VitgateModelInfo *info = vitgate_model_get_info(classifier->model);
  JsonBuilder *json = classifier->json;
  json_builder_begin_object(json);
  report_string(json, "file", file);
  json_builder_set_member_name(json, "classes");
  json_builder_begin_array(json);
  for (guint i = 0; i < n; i++) {
    json_builder_begin_object(json);
    report_count(json, "index", indices[i]);
    report_string(json, "label", info->labels[indices[i]]);
    report_string(json, "id", info->label_ids ? info->label_ids[indices[i]] : NULL);
    report_number(json, "score", scores[i]);
    json_builder_end_object(json);
  }
  json_builder_end_array(json);
  report_number(json, "unknown", info->has_unknown ? result->unknown : NAN);
  report_boolean(json, "is_unknown", command_is_unknown(result, classifier->unknown_threshold));
  report_number(json, "gmacs", result->gmacs);
  report_number(json, "preprocess_ms", (double)result->preprocess_ns / 1e6);
  report_number(json, "forward_ms", (double)result->forward_ns / 1e6);
  json_builder_end_object(json);
}

/* @bytes: (nullable): NULL if the file is too large for an image */
static gboolean is_video(const char *path, GBytes *bytes)
{
  gsize n = 0;
  const guchar *data = bytes ? g_bytes_get_data(bytes, &n) : NULL;
  g_autofree char *type = g_content_type_guess(path, data, n, NULL);
  g_autofree char *mime = g_content_type_get_mime_type(type);
  return mime && (g_str_has_prefix(mime, "video/") || !strcmp(mime, "application/x-matroska")) &&
         g_file_test(path, G_FILE_TEST_IS_REGULAR);
}

/* Only GStreamer decodes videos, and this command does without it. */
static void advise_on_video(const Classifier *classifier, const char *path, GError **error)
{
  g_autofree char *location = g_shell_quote(path);
  g_autofree char *model = classifier->path ? g_shell_quote(classifier->path) : NULL;
  g_clear_error(error);
  g_set_error(error, COMMAND_ERROR, COMMAND_ERROR_DATA,
              "is a video; classify reads images. For the labels of its frames, run: "
              "gst-launch-1.0 -q filesrc location=%s ! decodebin ! vitgate%s%s ! "
              "vitgatejson format=text ! fdsink",
              location, model ? " model=" : "", model ? model : "");
}

static GdkPixbuf *read_image(const Classifier *classifier, const char *path, GError **error)
{
  g_autoptr(GBytes) bytes = store_read_file(path, error);
  GdkPixbuf *pixels = bytes ? decode_pixels(bytes, classifier->orientation, error) : NULL;
  if (!pixels && is_video(path, bytes))
    advise_on_video(classifier, path, error);
  return pixels;
}

/* Draws what happened to the patches of an image.
 * @tensor: the network's input
 * @indices, @scores: [n] classes to show */
static gboolean explain(const Classifier *classifier, const char *file, const VitgateResult *result,
                        const float *tensor, const guint *indices, const float *scores, guint n,
                        GError **error)
{
  const VitgateModelInfo *info = vitgate_model_get_info(classifier->model);
  g_auto(GStrv) answer = g_new0(char *, n + 1);
  g_autofree char *name = g_path_get_basename(file);
  for (guint i = 0; i < n; i++) {
    g_autofree char *label = vitgate__clean_text(info->labels[indices[i]]);
    answer[i] = g_strdup_printf("%.1f %%  %s", 100.0 * scores[i], label);
  }
  const Explanation explanation = { info, result, tensor, name, answer };
  g_autofree char *svg = explanation_to_svg(&explanation, error);
  g_autoptr(GError) failure = NULL;
  if (!svg || g_file_set_contents(classifier->explain, svg, -1, &failure))
    return svg != NULL;
  g_set_error(error, COMMAND_ERROR, COMMAND_ERROR_IO, "%s: %s", classifier->explain,
              failure->message);
  return FALSE;
}

static gboolean classify_file(const Classifier *classifier, const char *path, GError **error)
{
  g_autoptr(GdkPixbuf) pixels = read_image(classifier, path, error);
  if (!pixels)
    return FALSE;
  VitgateImage image = decode_as_image(pixels);
  const gsize size = vitgate_model_get_info(classifier->model)->image_size;
  g_autofree float *tensor = classifier->explain ? g_new(float, 3 * size * size) : NULL;
  if (tensor && !vitgate_session_preprocess(classifier->session, &image, tensor, error))
    return FALSE;
  const VitgateResult *result = vitgate_session_classify(classifier->session, &image, 1, error);
  if (!result)
    return FALSE;
  g_autofree guint *indices = g_new(guint, classifier->top_k);
  g_autofree float *scores = g_new(float, classifier->top_k);
  const guint n =
      classifier->thresholds
          ? vitgate_result_top_k_above(result, classifier->top_k, classifier->thresholds, indices,
                                       scores)
          : vitgate_result_top_k(result, classifier->top_k, classifier->threshold, indices, scores);
  if (tensor &&
      !explain(classifier, path, result, tensor, indices, scores, MIN(n, MAX_EXPLAINED), error))
    return FALSE;
  if (classifier->json)
    add_json(classifier, path, result, indices, scores, n);
  else
    print_text(classifier, path, result, indices, scores, n);
  return TRUE;
}

/* Classifies a file, and prints a note if it cannot be used.
 * Returns: the number of files that cannot be used */
static guint try_file(const Classifier *classifier, const char *path)
{
  g_autoptr(GError) wrong = NULL;
  if (classify_file(classifier, path, &wrong))
    return 0;
  command_note("%s: %s", path, wrong->message);
  return 1;
}

/* Classifies the images in a folder and its subfolders, which are chosen by their names. */
static guint classify_folder(const Classifier *classifier, const char *folder)
{
  g_autoptr(GError) wrong = NULL;
  g_autoptr(Store) store = store_open(folder, &wrong);
  guint n_failed = 0, n_others = 0;
  if (!store) {
    command_note("%s", wrong->message);
    return 1;
  }
  for (guint i = 0; i < store->files->len; i++) {
    const StoredFile *file = g_ptr_array_index(store->files, i);
    g_autofree char *path = g_build_filename(folder, file->name, NULL);
    if (decode_name_is_image(file->name))
      n_failed += try_file(classifier, path);
    else
      n_others++;
  }
  if (n_others == store->files->len) {
    command_note("%s: holds no images", folder);
    return 1;
  }
  if (n_others)
    command_note("%s: skipped %u file%s whose names are not those of images", folder, n_others,
                 n_others == 1 ? "" : "s");
  return n_failed;
}

/* Classifies every file, even if some fail.
 * Returns: the number of files that cannot be used */
static guint classify_all(const Classifier *classifier, char **files)
{
  guint n_failed = 0;
  for (guint i = 0; files[i]; i++)
    n_failed += g_file_test(files[i], G_FILE_TEST_IS_DIR) ? classify_folder(classifier, files[i])
                                                          : try_file(classifier, files[i]);
  return n_failed;
}

static guint report_all(Classifier *classifier, const char *path, char **files)
{
  g_autoptr(JsonBuilder) json = json_builder_new();
  json_builder_begin_object(json);
  report_setting(json, vitgate_model_get_info(classifier->model), path, classifier->threads, 1);
  json_builder_set_member_name(json, "images");
  json_builder_begin_array(json);
  classifier->json = json;
  guint n_failed = classify_all(classifier, files);
  json_builder_end_array(json);
  json_builder_end_object(json);
  report_print(json);
  return n_failed;
}

/* @top_k: or UNSET
 * @threshold: NAN: unset */
static void choose_classes(Classifier *classifier, int top_k, double threshold)
{
  const VitgateModelInfo *info = vitgate_model_get_info(classifier->model);
  const gboolean any_number = info->activation == VITGATE_ACTIVATION_SIGMOID;
  classifier->top_k = top_k != UNSET ? (guint)top_k : any_number ? info->n_classes : DEFAULT_TOP_K;
  classifier->threshold = !isnan(threshold) ? (float)threshold : any_number ? 0.5f : 0;
  classifier->thresholds = isnan(threshold) ? info->thresholds : NULL;
}

/* Without labels, classes are numbers, which surprises a user of weights as published. */
static void note_missing_labels(const Classifier *classifier, const char *path)
{
  if (!vitgate_model_get_info(classifier->model)->has_labels)
    command_note("%s: has no labels, so classes are numbers. Add labels with: vitgate import "
                 "--labels LABELS %s -o OUT",
                 path, path);
}

static gboolean check_threshold(double threshold, GError **error)
{
  return isnan(threshold) || (threshold >= 0 && threshold <= 1) ||
         command_fail(error, "--threshold must be from 0 to 1, not %g", threshold);
}

/* @picture: (nullable): SVG file that will be written */
static gboolean check_picture(const char *picture, char **files, GError **error)
{
  if (!picture)
    return TRUE;
  if (files[1])
    return command_fail(error, "--explain draws one image, got %u", g_strv_length(files));
  if (g_file_test(files[0], G_FILE_TEST_IS_DIR))
    return command_fail(error, "--explain draws one image, %s is a folder", files[0]);
  return output_file_check(picture, error);
}

int command_classify(int argc, char **argv, GError **error)
{
  gboolean as_json = FALSE, no_orientation = FALSE;
  int top_k = UNSET, threads = 1;
  double threshold = NAN, unknown_threshold = COMMAND_UNKNOWN_THRESHOLD;
  g_autofree char *path = NULL, *precision_name = NULL, *fit = NULL, *picture = NULL;
  VitgatePrecision precision;
  VitgateSessionOptions options = { 0 };
  const GOptionEntry entries[] = {
    { "model", 'm', 0, G_OPTION_ARG_FILENAME, &path,
      "Model file, or folder from a hub (default: the shipped model)", "MODEL" },
    { "top-k", 'k', 0, G_OPTION_ARG_INT, &top_k,
      "Maximum number of classes per image, best first (default: 5; no limit if each class has a "
      "probability of its own)",
      "K" },
    { "threshold", 0, 0, G_OPTION_ARG_DOUBLE, &threshold,
      "Minimum probability of a class (default: 0; if each class has a probability of its own, the "
      "model's threshold of each class, or 0.5)",
      "P" },
    { "unknown-threshold", 0, 0, G_OPTION_ARG_DOUBLE, &unknown_threshold,
      COMMAND_UNKNOWN_THRESHOLD_HELP, "P" },
    { "threads", 't', 0, G_OPTION_ARG_INT, &threads,
      "Number of threads for the network (default: 1)", "T" },
    { "precision", 0, 0, G_OPTION_ARG_STRING, &precision_name, COMMAND_PRECISION_HELP, "P" },
    { "no-orientation", 0, 0, G_OPTION_ARG_NONE, &no_orientation, COMMAND_NO_ORIENTATION_HELP,
      NULL },
    { "fit", 0, 0, G_OPTION_ARG_STRING, &fit, COMMAND_FIT_HELP, "FIT" },
    { "explain", 0, 0, G_OPTION_ARG_FILENAME, &picture,
      "Also draw which patches of the image each module ran for, to an SVG file", "FILE" },
    { "json", 0, 0, G_OPTION_ARG_NONE, &as_json, "Print the result as a JSON object", NULL },
    G_OPTION_ENTRY_NULL,
  };
  const CommandSyntax syntax = {
    entries, "FILE|DIR…", "Classifies images.",
    "A folder stands for all images in it and in its subfolders. MODEL may also be\n"
    "weights as published, in a file or in a folder with config.json, as downloaded\n"
    "from a hub; \"vitgate import --help\" lists what can be read.\n"
    "\n"
    "The shipped model is searched for in $VITGATE_MODEL_DIR, then in the installed\n"
    "data folder. The exit status is 1 if any image cannot be used.\n"
    "\n"
    "A model made by vitgate teach scores each image: the share of the classes' own\n"
    "pictures that are nearer to a class. From --unknown-threshold on, the image shows\n"
    "none of the classes.\n"
    "\n"
    "--explain takes one image. Its picture shows the image as the network sees it\n"
    "and, for each module, the patches that it ran for, those that got its\n"
    "substitute, and those that had merged with others. The file contains the image.\n"
  };
  g_auto(GStrv) files = NULL;
  if (!command_parse(&syntax, argc, argv, &files, error) ||
      (top_k != UNSET && !command_check_range("--top-k", top_k, 1, MAX_TOP_K, error)) ||
      !check_threshold(threshold, error) ||
      !command_check_unknown_threshold(unknown_threshold, error) ||
      !command_check_range("--threads", threads, 1, VITGATE_MAX_THREADS, error) ||
      !vitgate_precision_parse(precision_name ? precision_name : "auto", &precision, error) ||
      !vitgate_fit_parse(fit ? fit : "model", &options.fit, error))
    return 1;
  if (!files[0]) {
    g_set_error(error, COMMAND_ERROR, COMMAND_ERROR_USAGE, "no image given (see %s --help)",
                g_get_prgname());
    return 1;
  }
  if (!check_picture(picture, files, error))
    return 1;
  g_autofree char *found = path ? g_strdup(path) : vitgate_default_model_find(error);
  if (!found) {
    g_prefix_error(error, "--model is missing: ");
    return 1;
  }

  g_autoptr(VitgateModel) model = vitgate_model_open_with(found, precision, error);
  options.threads = (guint)threads;
  options.patches = picture != NULL;
  g_autoptr(VitgateSession) session = model ? vitgate_session_new(model, &options, error) : NULL;
  if (!session)
    return 1;
  Classifier classifier = { .path = path,
                            .model = model,
                            .session = session,
                            .threads = (guint)threads,
                            .unknown_threshold = unknown_threshold,
                            .explain = picture,
                            .orientation = no_orientation ? DECODE_AS_STORED : DECODE_UPRIGHT };
  choose_classes(&classifier, top_k, threshold);
  if (!as_json)
    note_missing_labels(&classifier, found);
  guint n_failed =
      as_json ? report_all(&classifier, found, files) : classify_all(&classifier, files);
  return n_failed ? 1 : 0;
}
