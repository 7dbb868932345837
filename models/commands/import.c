/* vitgate import: makes a complete model file from published weights. */
#include <glib/gstdio.h>
#include <string.h>

#include "base/clean-text.h"
#include "base/ranks.h"
#include "commands/command.h"
#include "file/architecture.h"
#include "file/description-json.h"
#include "file/description.h"
#include "file/safetensors-write.h"
#include "file/source.h"
#include "file/tensor-specs.h"
#include "file/weights.h"
#include "report/report.h"
#include "train/dial/precision-record.h"
#include "train/run/run-ranks.h"
#include "write/encoded-tensors.h"
#include "write/output-file.h"
#include "write/positions.h"

typedef struct {
  char *out, *labels, *name, *interpolation, *mean, *std, *reference, *activation, *fit;
  char **data;
  int heads, resize, image_size;
  gboolean no_orientation;
  VitgatePrecision precision; /* of the weights in OUT; auto: as in IN */
} ImportOptions;

static void clear_options(ImportOptions *options)
{
  g_free(options->out);
  g_free(options->labels);
  g_free(options->name);
  g_free(options->interpolation);
  g_free(options->mean);
  g_free(options->std);
  g_free(options->reference);
  g_free(options->activation);
  g_free(options->fit);
  g_strfreev(options->data);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(ImportOptions, clear_options)

/* "0.485,0.456,0.406" */
static gboolean parse_rgb(const char *option, const char *text, double least, float rgb[3],
                          GError **error)
{
  if (!text)
    return TRUE;
  g_auto(GStrv) parts = g_strsplit(text, ",", -1);
  gboolean valid = g_strv_length(parts) == 3;
  for (guint i = 0; valid && i < 3; i++) {
    char *end;
    double value = g_ascii_strtod(parts[i], &end);
    valid = *parts[i] && !*end && value >= least && value <= 1;
    rgb[i] = (float)value;
  }
  if (!valid)
    g_set_error(error, COMMAND_ERROR, COMMAND_ERROR_USAGE,
                "%s takes three numbers from %g to 1 as \"red,green,blue\", not \"%s\"", option,
                least, text);
  return valid;
}

static gboolean set_activation(Description *description, const char *name, GError **error)
{
  const gboolean sigmoid = !strcmp(name, vitgate_activation_name(VITGATE_ACTIVATION_SIGMOID));
  if (!sigmoid && strcmp(name, vitgate_activation_name(VITGATE_ACTIVATION_SOFTMAX)))
    return command_fail(error, "--activation is \"%s\", expected softmax or sigmoid", name);
  if (!sigmoid && description->n_classes == 1)
    return command_fail(error, "--activation is softmax, expected sigmoid for a single class");
  description->activation = sigmoid ? VITGATE_ACTIVATION_SIGMOID : VITGATE_ACTIVATION_SOFTMAX;
  if (!sigmoid && description->thresholds) {
    command_note("dropped the thresholds of the classes, which a softmax does not have");
    g_clear_pointer(&description->thresholds, g_free);
  }
  return TRUE;
}

/* Without --resize, the whole image fills the input, unless it is cropped. */
static gboolean set_fit(Description *description, const char *name, GError **error)
{
  Preprocessing *preprocessing = &description->preprocessing;
  VitgateFit fit;
  if (!vitgate_fit_parse(name, &fit, error))
    return FALSE;
  if (fit != VITGATE_FIT_MODEL)
    preprocessing->fit = fit == VITGATE_FIT_CROP ? VITGATE_FIT_MODEL : fit;
  if (fit > VITGATE_FIT_CROP)
    preprocessing->resize = description->image_size;
  return TRUE;
}

/* Options override what the file says. */
static gboolean override(Description *description, const ImportOptions *options, GError **error)
{
  Preprocessing *preprocessing = &description->preprocessing;
  const char *interpolation = options->interpolation;
  if (options->resize && (guint)options->resize < description->image_size) {
    g_set_error(error, COMMAND_ERROR, COMMAND_ERROR_USAGE,
                "--resize is %d, expected at least the %u pixels of the network's input",
                options->resize, description->image_size);
    return FALSE;
  }
  if (interpolation && strcmp(interpolation, "bicubic") && strcmp(interpolation, "bilinear")) {
    g_set_error(error, COMMAND_ERROR, COMMAND_ERROR_USAGE,
                "--interpolation is \"%s\", expected bicubic or bilinear", interpolation);
    return FALSE;
  }
  if (!parse_rgb("--mean", options->mean, 0, preprocessing->mean, error) ||
      !parse_rgb("--std", options->std, 1e-3, preprocessing->std, error))
    return FALSE;
  if (options->fit && !set_fit(description, options->fit, error))
    return FALSE;
  if (options->resize)
    preprocessing->resize = (guint)options->resize;
  if (interpolation)
    preprocessing->bicubic = !strcmp(interpolation, "bicubic");
  if (options->activation && !set_activation(description, options->activation, error))
    return FALSE;
  if (options->name) {
    g_free(description->name);
    description->name = g_strdup(options->name);
  }
  if (options->labels) {
    g_auto(GStrv) ids = NULL;
    char **labels = vitgate_labels_read(options->labels, description->n_classes, &ids, error);
    if (!labels)
      return FALSE;
    g_strfreev(description->labels);
    g_strfreev(description->label_ids);
    description->labels = labels;
    description->label_ids = g_steal_pointer(&ids);
  }
  return TRUE;
}

/* Records where the weights come from. A provenance already in the file is kept. */
static void add_provenance(Description *description, const Safetensors *file)
{
  if (!description->provenance) {
    static const char *const copied[] = { "model", "license", "note" };
    g_autofree char *source = g_path_get_basename(vitgate__safetensors_get_path(file));
    g_autofree char *valid = g_utf8_make_valid(source, -1);
    description->provenance = json_object_new();
    json_object_set_string_member(description->provenance, "source", valid);
    for (guint i = 0; i < G_N_ELEMENTS(copied); i++) {
      const char *text = vitgate__safetensors_get_metadata(file, copied[i]);
      if (text)
        json_object_set_string_member(description->provenance, copied[i], text);
    }
  }
  json_object_set_string_member(description->provenance, "imported_by", "vitgate " VITGATE_VERSION);
}

/* Reads every weight, so that values that are not finite are found before anything is written.
 * @storage: (nullable): receives the weights */
static gboolean read_weights(const Safetensors *file, const GArray *specs, EncodedTensors *storage,
                             GError **error)
{
  for (guint i = 0; i < specs->len; i++) {
    const TensorSpec *spec = &g_array_index(specs, TensorSpec, i);
    gsize n = vitgate__tensor_n_elements(vitgate__safetensors_find(file, spec->name));
    g_autofree float *values = g_try_new(float, n);
    if (!values && n) {
      g_set_error(error, VITGATE_ERROR, VITGATE_ERROR_MEMORY, "%s: out of memory for tensor '%s'",
                  vitgate__safetensors_get_path(file), spec->name);
      return FALSE;
    }
    if (!vitgate__weights_read(file, spec->name, values, error))
      return FALSE;
    if (storage)
      encoded_tensors_add(storage, spec->name, spec->shape, spec->n_dims, values);
  }
  return TRUE;
}

/* Adds the stored features as they are. */
static void keep_views(EncodedTensors *storage, const Safetensors *file)
{
  static const char *const names[] = { TEACH_FEATURES, TEACH_FEATURES "_scale" };
  for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
    const Tensor *tensor = vitgate__safetensors_find(file, names[i]);
    if (tensor)
      g_array_append_val(storage->tensors, *tensor);
  }
}

/* @precision: auto keeps every tensor as it is in @file */
static gboolean write_model(const char *path, const Safetensors *file,
                            const Description *description, VitgatePrecision precision,
                            GError **error)
{
  g_autoptr(GArray) specs = vitgate__description_tensors(description);
  g_autoptr(EncodedTensors) storage =
      precision == VITGATE_PRECISION_AUTO ? NULL : encoded_tensors_new(precision);
  guint n_tensors;
  const Tensor *tensors = vitgate__safetensors_list(file, &n_tensors);
  if (!read_weights(file, specs, storage, error) ||
      !vitgate__weights_check_views(description, file, error))
    return FALSE;
  if (storage) {
    if (description->n_views)
      keep_views(storage, file);
    tensors = (const Tensor *)(gpointer)storage->tensors->data;
    n_tensors = storage->tensors->len;
  }
  g_autofree char *text = vitgate__description_to_json(description);
  g_autoptr(GHashTable) metadata = g_hash_table_new(g_str_hash, g_str_equal);
  g_hash_table_insert(metadata, "vitgate", text);
  /* Python's loaders expect it. */
  g_hash_table_insert(metadata, "format", "pt");
  return vitgate__safetensors_write(path, tensors, n_tensors, metadata, error);
}

/* A model made by compress was trained on all photographs except those held out. */
static gboolean was_trained(const Description *description)
{
  return description->provenance && json_object_has_member(description->provenance, "held_out");
}

/* Checks that all ranks have written the same models to measure.
 * @fine: whether this rank has written them; if not, @error is set
 * @whole: (nullable) */
static gboolean agree(gboolean fine, const char *path, const char *whole, GError **error)
{
  if (ranks_count() == 1)
    return fine;
  const char *const paths[] = { path, whole };
  if (!ranks_all_fine(fine, error) || !run_check_processors(error))
    return FALSE;
  for (guint i = 0; i < G_N_ELEMENTS(paths) && paths[i]; i++) {
    g_autofree char *weights = vitgate__source_find(paths[i], error);
    g_autoptr(GMappedFile) model = weights ? g_mapped_file_new(weights, FALSE, error) : NULL;
    if (!ranks_all_fine(model != NULL, error) ||
        !ranks_check_same_data("contents of a model file", g_mapped_file_get_contents(model),
                               g_mapped_file_get_length(model), error))
      return FALSE;
  }
  return TRUE;
}

/* Measures what products below float32 lose, and records it in the description. This needs the
 * model as a file and, if its weights are rounded, a second file with the original weights. Each
 * rank writes its own: they may have no folder in common.
 * @source: (nullable)
 * @description: (nullable): NULL: this rank could not read the model; @error is set
 * Returns: FALSE with an error, on all ranks if it fails on one */
static gboolean compare_precisions(const Source *source, Description *description,
                                   const ImportOptions *options, GError **error)
{
  const Safetensors *file = source ? source->file : NULL;
  g_autofree char *folder = !description       ? NULL
                            : ranks_is_first() ? g_path_get_dirname(options->out)
                                               : g_dir_make_tmp("vitgate-XXXXXX", error);
  g_autofree char *base = g_path_get_basename(options->out);
  g_autofree char *path = folder ? g_strconcat(folder, "/", base, ".measured", NULL) : NULL;
  g_autofree char *whole = folder ? g_strconcat(folder, "/", base, ".reference", NULL) : NULL;
  const gboolean rounds = options->precision != VITGATE_PRECISION_AUTO && !options->reference;
  guint n = 0;
  if (agree(folder && write_model(path, file, description, options->precision, error) &&
                (!rounds || write_model(whole, file, description, VITGATE_PRECISION_AUTO, error)),
            path, rounds ? whole : options->reference, error))
    n = precision_record_data(path, rounds ? whole : options->reference,
                              (const char *const *)options->data, was_trained(description),
                              options->no_orientation ? DECODE_AS_STORED : DECODE_UPRIGHT,
                              description->agreement, error);
  if (path)
    g_unlink(path);
  if (path && rounds)
    g_unlink(whole);
  if (folder && !ranks_is_first())
    g_rmdir(folder);
  for (guint p = VITGATE_PRECISION_FLOAT32; n && p < VITGATE_N_PRECISIONS; p++)
    if (description->agreement[p] > 0)
      g_print("products in %s: %.1f %% of %u photographs get the same class as with %s\n",
              vitgate_precision_name((VitgatePrecision)p), 100 * description->agreement[p], n,
              options->reference ? "the reference" : "float32");
  return n > 0;
}

/* Records the precision to which the weights will be rounded, and drops what was measured with
 * other weights. */
static void set_precision(Description *description, const ImportOptions *options)
{
  double *agreement = description->agreement;
  const char *name = encoded_tensors_name(options->precision);
  if (options->precision == VITGATE_PRECISION_AUTO || !strcmp(description->precision, name))
    return;
  if (!options->data &&
      (agreement[VITGATE_PRECISION_BF16] > 0 || agreement[VITGATE_PRECISION_INT8] > 0))
    command_note("dropped the agreement with the teacher that IN records; use --data to measure "
                 "that of the rounded weights");
  memset(agreement, 0, sizeof description->agreement);
  description->precision = name;
}

static char *network_name(const Description *description)
{
  return g_strconcat(description->distilled ? "distilled " : "", description->family->title, NULL);
}

static void print_summary(const Description *description, const char *out)
{
  const Preprocessing *preprocessing = &description->preprocessing;
  g_autofree char *name = vitgate__clean_text(description->name);
  g_autofree char *file = vitgate__clean_text(out);
  g_autofree char *network = network_name(description);
  g_autofree char *geometry = report_geometry(preprocessing->fit, preprocessing->resize,
                                              preprocessing->bicubic, description->image_size);
  g_print("%s: a %s of %u blocks, %u wide, heads of %u, for %u x %u pixels in patches of %u "
          "(%u tokens); %u classes %s labels%s%s; %.1f M parameters, %.3f GMACs. "
          "Images: %s, mean %.3f %.3f %.3f, std %.3f %.3f %.3f. Written to %s as %s.\n",
          name, network, description->depth, description->dim, description->head_dim,
          description->image_size, description->image_size, description->patch_size,
          vitgate__description_n_tokens(description), description->n_classes,
          description->labels ? "with" : "without",
          description->mean_pooling ? ", computed from the mean of all patches" : "",
          description->activation == VITGATE_ACTIVATION_SIGMOID
              ? ", each with a probability of its own (sigmoid)"
              : "",
          (double)vitgate__description_parameters(description) / 1e6,
          vitgate__description_gmacs(description), geometry, preprocessing->mean[0],
          preprocessing->mean[1], preprocessing->mean[2], preprocessing->std[0],
          preprocessing->std[1], preprocessing->std[2], file, description->precision);
}

/* Without this line, the speed would surprise a user of --precision. */
static void print_products(const Description *description)
{
  const double *agreement = description->agreement;
  if (agreement[VITGATE_PRECISION_BF16] == 0 && agreement[VITGATE_PRECISION_INT8] == 0)
    g_print(
        "By default, products are computed in float32, since what int8 and bf16 lose is not known. "
        "Use --data to measure it.\n");
}

/* Reports what the file contains and which tensors are not used. */
static void print_found(const Source *source, const Description *description)
{
  const Dialect *dialect = &source->dialect;
  guint n;
  vitgate__safetensors_list(source->file, &n);
  g_autofree char *prefix = vitgate__clean_text(dialect->prefix);
  g_print("Found %u tensors under %s%s%s.\n", n, dialect->names,
          *prefix ? ", all with the prefix " : "", prefix);
  if (description->layer_scale)
    g_print("The output of each module is scaled (LayerScale).\n");
  if (source->no_class_position)
    g_print("The class token has no position; it is set to zeros.\n");
  if (!dialect->left_out->len)
    return;
  g_print("Skipped tensors that a classifier does not use:");
  for (guint i = 0; i < dialect->left_out->len; i++) {
    g_autofree char *name = vitgate__clean_text(g_ptr_array_index(dialect->left_out, i));
    g_print("%s %s", i ? "," : "", name);
  }
  g_print(".\n");
}

/* @source: (out) (transfer full) (nullable): also after an error
 * Returns: (transfer full): what to write about the model, or NULL with an error */
static Description *describe(const char *in, const ImportOptions *options, Source **source,
                             GError **error)
{
  *source = vitgate__source_open(in, error);
  g_autoptr(Description) description =
      *source ? vitgate__source_describe(*source, (guint)options->heads, error) : NULL;
  if (!description ||
      (options->image_size && !vitgate__positions_resize((*source)->file, description,
                                                         (guint)options->image_size, error)) ||
      !override(description, options, error))
    return NULL;
  add_provenance(description, (*source)->file);
  set_precision(description, options);
  return g_steal_pointer(&description);
}

/* Only the first rank writes. The others help to measure, if there is something to measure. */
static gboolean run(const char *in, const ImportOptions *options, GError **error)
{
  g_autoptr(Source) source = NULL;
  g_autoptr(Description) description = NULL;
  if (!options->data && !ranks_is_first())
    return TRUE;
  if (!ranks_is_first() || output_file_check(options->out, error))
    description = describe(in, options, &source, error);
  if (options->data ? !compare_precisions(source, description, options, error) : !description)
    return FALSE;
  if (!ranks_is_first())
    return TRUE;
  if (!write_model(options->out, source->file, description, options->precision, error))
    return FALSE;
  print_found(source, description);
  print_summary(description, options->out);
  print_products(description);
  return TRUE;
}

int command_import(int argc, char **argv, GError **error)
{
  g_auto(ImportOptions) options = { 0 };
  g_autofree char *precision = NULL;
  const GOptionEntry entries[] = {
    { "output", 'o', 0, G_OPTION_ARG_FILENAME, &options.out, "Model file to write", "OUT" },
    { "labels", 'l', 0, G_OPTION_ARG_FILENAME, &options.labels,
      "Class labels in class order, one per line: \"label\" or \"id<TAB>label\" (other forms: see "
      "below)",
      "FILE" },
    { "name", 0, 0, G_OPTION_ARG_STRING, &options.name, "Name of the model", "NAME" },
    { "heads", 0, 0, G_OPTION_ARG_INT, &options.heads, "Heads per block, if heads are not 64 wide",
      "N" },
    { "resize", 0, 0, G_OPTION_ARG_INT, &options.resize,
      "Shorter side of an image in pixels, before the crop (with --fit, the sides that it resizes)",
      "N" },
    { "fit", 0, 0, G_OPTION_ARG_STRING, &options.fit,
      "How images of another shape become square: crop, squash or letterbox (default: as IN says)",
      "FIT" },
    { "image-size", 0, 0, G_OPTION_ARG_INT, &options.image_size,
      "Side of the network's input in pixels; position embeddings are interpolated", "N" },
    { "interpolation", 0, 0, G_OPTION_ARG_STRING, &options.interpolation,
      "Interpolation for resizing: bicubic or bilinear, both antialiased", "NAME" },
    { "mean", 0, 0, G_OPTION_ARG_STRING, &options.mean, "Mean of each colour, from 0 to 1",
      "R,G,B" },
    { "std", 0, 0, G_OPTION_ARG_STRING, &options.std, "Standard deviation of each colour",
      "R,G,B" },
    { "activation", 0, 0, G_OPTION_ARG_STRING, &options.activation,
      "softmax, or sigmoid if each class has a probability of its own (default: as IN says)",
      "NAME" },
    { "data", 'd', 0, G_OPTION_ARG_FILENAME_ARRAY, &options.data,
      "Photographs on which to measure what int8 and bf16 lose; can be repeated", "TAR|DIR" },
    { "no-orientation", 0, 0, G_OPTION_ARG_NONE, &options.no_orientation,
      COMMAND_NO_ORIENTATION_HELP, NULL },
    { "reference", 0, 0, G_OPTION_ARG_FILENAME, &options.reference,
      "Model to compare with, such as the teacher of a compressed model (default: IN in float32)",
      "MODEL" },
    { "precision", 0, 0, G_OPTION_ARG_STRING, &precision,
      "Precision of the weights in OUT: float32, bf16 or int8 (default: as in IN)", "P" },
    G_OPTION_ENTRY_NULL,
  };
  const CommandSyntax syntax = {
    entries, "IN", "Makes a complete model file from published weights.",
    "IN is one of these:\n"
    "  - a safetensors file of a DeiT, ViT or T2T-ViT as published by timm, Hugging\n"
    "    Face or its authors\n"
    "  - an index of such files\n"
    "  - a folder with them, as downloaded from a hub\n"
    "  - a model file of vitgate, to change its description\n"
    "\n"
    "config.json and preprocessor_config.json next to the weights are read. If\n"
    "nothing describes the pre-processing, that of DeiT is used: bicubic, a crop of\n"
    "0.875 of the resized image (0.9 for T2T-ViT), with ImageNet's mean and standard\n"
    "deviation. For a ViT with Hugging Face's tensor names, that of its processor is\n"
    "used: bilinear, no crop but squashed to a square, mean and standard deviation\n"
    "0.5.\n"
    "\n"
    "--labels also takes lines with class numbers (\"87 name\", \"87: name\",\n"
    "\"name,87\"; CSV, with or without a header), Caffe's synset_words.txt, Python\n"
    "dictionaries and lists, and JSON: a list, id2label, label2id or a Keras class\n"
    "index.\n"
    "\n"
    "vitgate chooses fast products in int8 or bf16 by itself only if OUT records\n"
    "that they lose little. --data measures this on up to 512 photographs; they need\n"
    "no labels.\n"
  };
  g_autofree char *in = command_parse_one(&syntax, argc, argv, "weights file", error);
  if (!in || !command_check_given("--output", options.out != NULL, error))
    return 1;
  if ((options.reference || options.no_orientation) && !options.data) {
    g_set_error(error, COMMAND_ERROR, COMMAND_ERROR_USAGE, "%s needs --data",
                options.reference ? "--reference" : "--no-orientation");
    return 1;
  }
  if ((precision && !encoded_tensors_parse(precision, &options.precision, error)) ||
      (options.heads && !command_check_range("--heads", options.heads, 1, 1024, error)) ||
      (options.resize && !command_check_range("--resize", options.resize, 1, 16384, error)) ||
      (options.image_size &&
       !command_check_range("--image-size", options.image_size, 1, DESCRIPTION_MAX_IMAGE, error)))
    return 1;
  const gboolean fine = run(in, &options, error);
  ranks_meet();
  return ranks_all_fine(fine, error) ? 0 : 1;
}
