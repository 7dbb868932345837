/* Measures the cost of static compression without training: cuts a model after calibration on some
 * photographs of a set, and compares it with the uncut one on others. Not a test; figures in
 * reports come from it.
 *
 *   measure-static --data train.tar --compute 0.9 [-o CUT] MODEL */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "data/decode.h"
#include "data/photo-reader.h"
#include "file/architecture.h"
#include "file/source.h"
#include "train/cut/allocation.h"
#include "train/cut/compensation.h"
#include "train/cut/cut.h"
#include "train/cut/importance.h"
#include "train/run/model-writer.h"
#include "vitgate.h"

/* Maximum number of held-out photographs per folder; calibration starts after them. */
#define MAX_HELD_OUT 200

#define MAX_FOLDERS 16
#define BATCH       16

typedef struct {
  char *data, *out, *folders, *held_out_folders;
  double neurons, compute, parameters, ridge, least_patches;
  int n_images, n_held_out, n_threads;
  gboolean whole_attention, uniform, no_metric, no_trials, float32;
} Options;

typedef struct {
  guint n;
  gsize pixels;
  guint *folder;  /* [n] */
  float *tensors; /* [n][pixels] */
} Images;

static guint give_images(gpointer data, guint first, real *tensors, guint max, GError **error)
{
  const Images *images = data;
  const guint n = MIN(max, images->n - first);
  memcpy(tensors, images->tensors + first * images->pixels, n * images->pixels * sizeof *tensors);
  return n;
}

/* Returns: a folder's photographs in a random order that is always the same */
static GArray *shuffle_folder(const Dataset *dataset, const char *folder)
{
  g_autoptr(GRand) random = g_rand_new_with_seed(5);
  GArray *indices = g_array_new(FALSE, FALSE, sizeof(guint));
  for (guint i = 0; i < dataset->photographs->len; i++)
    if (!strcmp(dataset->folders->pdata[dataset_get(dataset, i)->folder], folder))
      g_array_append_val(indices, i);
  guint *index = (guint *)indices->data;
  for (guint i = indices->len; i > 1; i--) {
    const guint j = (guint)g_rand_int_range(random, 0, (gint32)i), other = index[j];
    index[j] = index[i - 1];
    index[i - 1] = other;
  }
  return indices;
}

/* Chooses photographs from the folders in turn, from @first to @end in each folder. */
static GArray *choose(const Dataset *dataset, const char *list, guint first, guint end, guint n)
{
  GArray *chosen = g_array_new(FALSE, FALSE, sizeof(guint));
  g_auto(GStrv) names = g_strsplit(list, ",", MAX_FOLDERS);
  const guint n_folders = g_strv_length(names);
  GArray *of[MAX_FOLDERS];
  for (guint f = 0; f < n_folders; f++)
    of[f] = shuffle_folder(dataset, names[f]);
  for (guint i = 0; i < n; i++) {
    const GArray *from = of[i % n_folders];
    const guint k = first + i / n_folders;
    if (k < MIN(end, from->len))
      g_array_append_val(chosen, g_array_index(from, guint, k));
  }
  for (guint f = 0; f < n_folders; f++)
    g_array_unref(of[f]);
  return chosen;
}

static Images load(VitgateModel *model, const Dataset *dataset, const GArray *order)
{
  const guint size = vitgate_model_get_info(model)->image_size;
  g_autoptr(VitgateSession) session = vitgate_session_new(model, NULL, NULL);
  Images images = { .pixels = (gsize)3 * size * size, .folder = g_new(guint, order->len) };
  images.tensors = g_new(float, order->len *images.pixels);
  g_autoptr(PhotoReader) reader = photo_reader_new(dataset, (const guint *)order->data, order->len);
  DecodedPhotograph *photograph;
  while ((photograph = photo_reader_next(reader))) {
    if (photograph->pixels) {
      const VitgateImage image = decode_as_image(photograph->pixels);
      images.folder[images.n] = dataset_get(dataset, photograph->index)->folder;
      images.n += vitgate_session_preprocess(session, &image,
                                             images.tensors + images.n * images.pixels, NULL);
    }
    decoded_photograph_free(photograph);
  }
  return images;
}

static void clear_images(Images *images)
{
  g_free(images->folder);
  g_free(images->tensors);
}

static void run_pass(gpointer data, guint member)
{
  training_pass_pack(&((TrainingPass *)data)->shares[member]);
  training_pass_forward(&((TrainingPass *)data)->shares[member]);
}

/* Returns: [n][n_classes] */
static float *find_logits(const Network *network, Team *team, const Images *images)
{
  const guint n_classes = network->description->n_classes;
  float *logits = g_new(float, (gsize)images->n *n_classes);
  TrainingPass *pass = training_pass_new(network, team, BATCH, FALSE, TRUE, NULL);
  for (guint first = 0; first < images->n; first += pass->n_images) {
    pass->n_images = MIN(BATCH, images->n - first);
    pass->tensors = images->tensors + first * images->pixels;
    vitgate__team_run(team, run_pass, pass);
    for (guint i = 0; i < pass->n_images; i++)
      memcpy(logits + (gsize)(first + i) * n_classes, training_pass_get_logits(pass, i),
             n_classes * sizeof *logits);
  }
  training_pass_free(&pass);
  return logits;
}

/* Adds 1 to @agreed if both have the same best class.
 * Returns: KL(p || q) */
static double compare(const float *p, const float *q, guint n, guint *agreed)
{
  guint best_p = 0, best_q = 0;
  double sum_p = 0, sum_q = 0, sum = 0;
  for (guint i = 1; i < n; i++) {
    best_p = p[i] > p[best_p] ? i : best_p;
    best_q = q[i] > q[best_q] ? i : best_q;
  }
  for (guint i = 0; i < n; i++) {
    const double a = p[i] - p[best_p], b = q[i] - q[best_q];
    sum_p += exp(a);
    sum_q += exp(b);
    sum += exp(a) * (a - b);
  }
  *agreed += best_p == best_q;
  return sum / sum_p - log(sum_p) + log(sum_q);
}

static void report_folder(const char *name, const float *teacher, const float *student,
                          const Images *images, int folder, guint n_classes)
{
  double divergence = 0;
  guint n = 0, agreed = 0;
  for (guint i = 0; i < images->n; i++)
    if (folder < 0 || images->folder[i] == (guint)folder) {
      const gsize at = (gsize)i * n_classes;
      divergence += compare(teacher + at, student + at, n_classes, &agreed);
      n++;
    }
  if (n)
    g_print("%-12s %4u held-out photographs: divergence %.4f, agreement %.1f %%\n", name, n,
            divergence / n, 100.0 * agreed / n);
}

static void report(const Dataset *dataset, const Images *images, const float *teacher,
                   const float *student, const Description *d)
{
  g_print("%.3f GMACs, %.3f M parameters; heads/neurons", vitgate__description_gmacs(d),
          (double)vitgate__description_parameters(d) / 1e6);
  for (guint b = 0; b < d->depth; b++)
    g_print(" %u/%u", d->blocks[b].heads, d->blocks[b].neurons);
  g_print("\n");
  for (guint f = 0; f < dataset->folders->len; f++)
    report_folder(dataset->folders->pdata[f], teacher, student, images, (int)f, d->n_classes);
  report_folder("all", teacher, student, images, -1, d->n_classes);
}

static Budget find_budget(const Options *options, const Description *d)
{
  double mlps = 0;
  if (options->neurons <= 0)
    return (Budget){ options->compute, options->parameters, options->whole_attention };
  for (guint b = 0; b < d->depth; b++)
    mlps += vitgate__mlp_gmacs(d, d->blocks[b].neurons, vitgate__description_n_tokens(d));
  return (Budget){ .compute = 1 - (1 - options->neurons) * mlps / d->dense_gmacs,
                   .whole_attention = TRUE };
}

static void apply_variants(Probe *c, const Options *options)
{
  for (guint i = 0; options->uniform && i < 4 * c->network->description->depth; i++)
    c->token_weights[i] = 1;
  if (options->no_metric)
    g_clear_pointer(&c->metrics, g_free);
  if (options->no_trials)
    c->n_trials = c->all_trials = 0;
}

static gboolean cut_and_compare(const Options *options, const Dataset *dataset,
                                const Images *calibrating, const Images *held_out, Network *network,
                                GError **error)
{
  const Description *d = network->description;
  Team *team = vitgate__team_new((guint)options->n_threads);
  g_autofree float *teacher = find_logits(network, team, held_out);
  const ProbeOptions how = { .max_images = calibrating->n,
                             .least_patches = options->least_patches,
                             .bf16 = matmul_has_bf16() && !options->float32 };
  g_autofree BlockShape *shapes = g_new0(BlockShape, d->depth);
  Ranking **rankings = NULL;
  Network *cut = NULL;
  Description *description = NULL;
  const Budget budget = find_budget(options, d);
  const gint64 start = g_get_monotonic_time();
  Probe *c = probe_new(network, team, &how, give_images, (gpointer)calibrating, error);
  if (c) {
    apply_variants(c, options);
    rankings = rankings_new(c, options->ridge, error);
  }
  if (rankings && allocate_units(d, rankings, &budget, shapes, error) &&
      compensate_network(c, rankings, shapes, options->ridge, error))
    cut = cut_network(network, rankings, shapes, d->name, &description);
  if (cut) {
    g_print("%u photographs in %.1f s: ", calibrating->n,
            (double)(g_get_monotonic_time() - start) * 1e-6);
    g_autofree float *student = find_logits(cut, team, held_out);
    report(dataset, held_out, teacher, student, description);
  }
  const gboolean done =
      cut && (!options->out || network_write(cut, VITGATE_PRECISION_FLOAT32, options->out, error));
  if (rankings)
    rankings_free(&rankings, d->depth);
  probe_free(&c);
  if (cut)
    network_free(&cut);
  vitgate__description_free(&description);
  vitgate__team_free(&team);
  return done;
}

static gboolean run(const Options *options, const char *path, GError **error)
{
  g_autoptr(Dataset) dataset = dataset_open(options->data, error);
  g_autoptr(VitgateModel) model = dataset ? vitgate_model_open(path, error) : NULL;
  g_autoptr(Source) source = model ? vitgate__source_open(path, error) : NULL;
  g_autoptr(Description) description = source ? vitgate__source_describe(source, 0, error) : NULL;
  if (!description)
    return FALSE;
  g_autoptr(GArray) first =
      choose(dataset, options->held_out_folders, 0, MAX_HELD_OUT, (guint)options->n_held_out);
  g_autoptr(GArray) others =
      choose(dataset, options->folders, MAX_HELD_OUT, G_MAXUINT, (guint)options->n_images);
  Images held_out = load(model, dataset, first), calibrating = load(model, dataset, others);
  Network *network = network_new(description, FALSE);
  const gboolean done = network_load(network, source->file, error) &&
                        cut_and_compare(options, dataset, &calibrating, &held_out, network, error);
  network_free(&network);
  clear_images(&held_out);
  clear_images(&calibrating);
  return done;
}

int main(int argc, char **argv)
{
  Options o = { .folders = "caltech,imagenet20,tiny200",
                .held_out_folders = "caltech,imagenet20,tiny200",
                .ridge = 1e-3,
                .least_patches = 0.6,
                .n_images = 1000,
                .n_held_out = 450,
                .n_threads = 2 };
  const GOptionEntry entries[] = {
    { "data", 0, 0, G_OPTION_ARG_FILENAME, &o.data, "Archive of photographs", "TAR" },
    { "output", 'o', 0, G_OPTION_ARG_FILENAME, &o.out, "Model file to write", "CUT" },
    { "folders", 0, 0, G_OPTION_ARG_STRING, &o.folders, "Folders to calibrate on", "A,B" },
    { "held-out-folders", 0, 0, G_OPTION_ARG_STRING, &o.held_out_folders, "Folders to compare on",
      "A,B" },
    { "images", 0, 0, G_OPTION_ARG_INT, &o.n_images, "Number of photographs to calibrate on", "N" },
    { "held-out", 0, 0, G_OPTION_ARG_INT, &o.n_held_out, "Number of photographs to compare on",
      "N" },
    { "threads", 0, 0, G_OPTION_ARG_INT, &o.n_threads, "Number of threads", "N" },
    { "neurons", 0, 0, G_OPTION_ARG_DOUBLE, &o.neurons,
      "Share of the neurons to keep, with all heads", "R" },
    { "compute", 0, 0, G_OPTION_ARG_DOUBLE, &o.compute, "Share of the multiply-adds to keep", "R" },
    { "parameters", 0, 0, G_OPTION_ARG_DOUBLE, &o.parameters, "Share of the parameters to keep",
      "R" },
    { "whole-attention", 0, 0, G_OPTION_ARG_NONE, &o.whole_attention, "Keep all heads", NULL },
    { "ridge", 0, 0, G_OPTION_ARG_DOUBLE, &o.ridge,
      "Ridge, relative to the mean diagonal of the moments", "R" },
    { "least-patches", 0, 0, G_OPTION_ARG_DOUBLE, &o.least_patches, "Minimum weight of patches",
      "R" },
    { "uniform", 0, 0, G_OPTION_ARG_NONE, &o.uniform, "Weight all tokens equally", NULL },
    { "no-metric", 0, 0, G_OPTION_ARG_NONE, &o.no_metric, "Weight all outputs equally", NULL },
    { "no-trials", 0, 0, G_OPTION_ARG_NONE, &o.no_trials, "Trust the predicted errors", NULL },
    { "float32", 0, 0, G_OPTION_ARG_NONE, &o.float32, "No bfloat16", NULL },
    G_OPTION_ENTRY_NULL,
  };
  g_autoptr(GOptionContext) context = g_option_context_new("MODEL");
  g_option_context_add_main_entries(context, entries, NULL);
  g_autoptr(GError) error = NULL;
  if (g_option_context_parse(context, &argc, &argv, &error) && argc == 2 && o.data &&
      run(&o, argv[1], &error))
    return EXIT_SUCCESS;
  g_printerr("%s\n", error ? error->message : "see --help");
  return EXIT_FAILURE;
}
