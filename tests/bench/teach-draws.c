/* Measures vitgate teach on draws of classes and pictures: accuracy, calibration and the score for
 * unknown pictures on pictures that were held out, beside the nearest class mean.
 *
 * Usage: teach-draws MODEL DIR [CLASSES:PICTURES[:DRAWS[:SEED[:VIEWS]]]...]
 *   DIR: one folder for each class, as in ../shared/data/train.tar, folder caltech
 *
 * The network runs once for each view of each picture; the draws use the same code as the command.
 * Draws have the seeds from SEED on (default: 1), and use the first VIEWS views of each picture
 * (default: 2, with its mirror image). Ten pictures of each class are held out. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "teach/head.h"
#include "teach/outcome.h"
#include "teach/own-distance.h"
#include "teach/picture-features.h"

#define HELD_OUT   10
#define MAX_OTHERS 500
#define TOLERANCE  1e-6

/* Sums over draws. */
typedef struct {
  double top1, cross_top1, class_mean, calibration_error, auroc, own_unknown, others_unknown,
      seconds;
} Figures;

typedef struct {
  const Examples *all;
  GArray **by_class; /* (element-type guint) */
  guint n_classes, n_pictures;
  GArray *classes, *held_out, *others; /* (element-type guint) */
  Examples *examples;
} Draw;

static void shuffle(GArray *numbers, Random *random)
{
  for (guint i = numbers->len; i > 1; i--) {
    const guint other = random_below(random, i);
    const guint before = g_array_index(numbers, guint, other);
    g_array_index(numbers, guint, other) = g_array_index(numbers, guint, i - 1);
    g_array_index(numbers, guint, i - 1) = before;
  }
}

static GArray *numbers_new(void)
{
  return g_array_new(FALSE, FALSE, sizeof(guint));
}

/* Adds a picture to those that are taught. */
static void teach_picture(Draw *draw, guint picture, guint class)
{
  const Example *from = examples_get(draw->all, picture);
  Example *to = examples_add(draw->examples, from->hash, draw->examples->list->len, from->path);
  memcpy(to->features, from->features,
         (gsize)draw->examples->n_views * draw->all->n_features * sizeof(float));
  to->shown[class] = 1;
}

/* Draws classes with enough pictures, and their pictures. */
static void draw_pictures(Draw *draw, Random *random)
{
  const guint n_all = draw->all->labels->len;
  g_autoptr(GPtrArray) labels = g_ptr_array_new();
  for (guint c = 0; c < n_all; c++)
    if (draw->by_class[c]->len >= HELD_OUT + draw->n_pictures)
      g_array_append_val(draw->classes, c);
  shuffle(draw->classes, random);
  g_array_set_size(draw->classes, MIN(draw->classes->len, draw->n_classes));
  for (guint i = 0; i < draw->classes->len; i++)
    g_ptr_array_add(labels, draw->all->labels->pdata[g_array_index(draw->classes, guint, i)]);
  draw->examples = examples_new(labels, draw->all->n_features, draw->all->n_views);
  g_autofree guint8 *own = g_new0(guint8, n_all);
  for (guint i = 0; i < draw->classes->len; i++) {
    g_autoptr(GArray) pictures =
        g_array_copy(draw->by_class[g_array_index(draw->classes, guint, i)]);
    own[g_array_index(draw->classes, guint, i)] = 1;
    shuffle(pictures, random);
    g_array_append_vals(draw->held_out, pictures->data, HELD_OUT);
    for (guint k = 0; k < draw->n_pictures; k++)
      teach_picture(draw, g_array_index(pictures, guint, HELD_OUT + k), i);
  }
  for (guint i = 0; i < draw->all->list->len; i++)
    if (!own[examples_class(draw->all, i)])
      g_array_append_val(draw->others, i);
  shuffle(draw->others, random);
  g_array_set_size(draw->others, MIN(draw->others->len, MAX_OTHERS));
  examples_sort(draw->examples);
}

/* Returns: the share of held-out pictures that are nearest to the mean of their class */
static double try_class_means(const Draw *draw)
{
  const guint f = draw->all->n_features, n_classes = draw->classes->len;
  g_autofree double *means = g_new0(double, (gsize)n_classes *f);
  guint n_right = 0;
  for (guint i = 0; i < draw->examples->list->len; i++)
    for (guint k = 0; k < f; k++)
      means[(gsize)examples_class(draw->examples, i) * f + k] +=
          examples_get(draw->examples, i)->features[k] / draw->n_pictures;
  for (guint i = 0; i < draw->held_out->len; i++) {
    const float *x = examples_get(draw->all, g_array_index(draw->held_out, guint, i))->features;
    double least = INFINITY;
    guint best = 0;
    for (guint c = 0; c < n_classes; c++) {
      double sum = 0;
      for (guint k = 0; k < f; k++)
        sum += (x[k] - means[(gsize)c * f + k]) * (x[k] - means[(gsize)c * f + k]);
      if (sum < least) {
        least = sum;
        best = c;
      }
    }
    n_right += best == i / HELD_OUT;
  }
  return (double)n_right / draw->held_out->len;
}

/* Computes the taught head's logits of the held-out pictures.
 * @logits: (out): [held_out][classes] */
static void try_head(const Draw *draw, const Cross *cross, float *logits)
{
  const guint f = draw->all->n_features, n_classes = draw->classes->len;
  g_autoptr(Logistic) model = logistic_new(f, n_classes);
  HeadRows *rows = head_rows_new(draw->examples, cross->n_views, NULL, 0);
  g_autofree float *weights = g_new(float, (gsize)n_classes *f), *bias = g_new(float, n_classes);
  head_fit(model, rows, FALSE, cross->penalty, TOLERANCE);
  head_fold(model, rows, cross->factor, weights, bias);
  head_rows_free(&rows);
  for (guint i = 0; i < draw->held_out->len; i++) {
    const float *x = examples_get(draw->all, g_array_index(draw->held_out, guint, i))->features;
    for (guint c = 0; c < n_classes; c++) {
      double sum = bias[c];
      for (guint k = 0; k < f; k++)
        sum += (double)weights[(gsize)c * f + k] * x[k];
      logits[(gsize)i * n_classes + c] = (float)sum;
    }
  }
}

static void measure_head(const Draw *draw, const Cross *cross, Figures *sum)
{
  const guint n = draw->held_out->len, n_classes = draw->classes->len;
  g_autofree float *logits = g_new(float, (gsize)n *n_classes);
  g_autofree guint8 *shown = g_new0(guint8, (gsize)n * n_classes), **rows = g_new(guint8 *, n);
  try_head(draw, cross, logits);
  guint n_right = 0;
  for (guint i = 0; i < n; i++) {
    const float *row = logits + (gsize)i * n_classes;
    guint best = 0;
    for (guint c = 1; c < n_classes; c++)
      if (row[c] > row[best])
        best = c;
    n_right += best == i / HELD_OUT;
    rows[i] = shown + (gsize)i * n_classes;
    rows[i][i / HELD_OUT] = 1;
  }
  const Predictions predictions = { n, n_classes, logits, rows, FALSE };
  sum->top1 += (double)n_right / n;
  sum->calibration_error += calibration_error(&predictions, 1);
}

static double *find_distances(const Draw *draw, const OwnDistance *distance, const GArray *numbers,
                              guint *n_beyond)
{
  double *distances = g_new(double, numbers->len + 1);
  *n_beyond = 0;
  for (guint i = 0; i < numbers->len; i++) {
    const guint number = g_array_index(numbers, guint, i);
    distances[i] = own_distance_find(distance, examples_get(draw->all, number)->features);
    *n_beyond += distances[i] >= distance->limit;
  }
  return distances;
}

static void measure_distance(const Draw *draw, const Cross *cross, Figures *sum)
{
  g_autofree double *by_cross = g_new(double, draw->examples->list->len);
  OwnDistance *distance = own_distance_new(draw->examples, cross, -1, by_cross);
  guint n_own, n_others;
  g_autofree double *own = find_distances(draw, distance, draw->held_out, &n_own);
  g_autofree double *others = find_distances(draw, distance, draw->others, &n_others);
  sum->own_unknown += (double)n_own / draw->held_out->len;
  sum->others_unknown += draw->others->len ? (double)n_others / draw->others->len : NAN;
  sum->auroc += own_distance_auroc(own, draw->held_out->len, others, draw->others->len);
  own_distance_free(&distance);
}

static void run_draw(const Examples *all, GArray **by_class, guint n_classes, guint n_pictures,
                     guint n_views, guint seed, Figures *sum)
{
  Draw draw = {
    .all = all, .by_class = by_class, .n_classes = n_classes, .n_pictures = n_pictures
  };
  Random random = { random_key(seed, n_classes, n_pictures) };
  draw.classes = numbers_new();
  draw.held_out = numbers_new();
  draw.others = numbers_new();
  draw_pictures(&draw, &random);
  draw.examples->n_views = n_views;
  const gint64 start = g_get_monotonic_time();
  g_autoptr(Cross) cross = cross_run(draw.examples, FALSE, g_get_num_processors());
  g_autoptr(Outcome) outcome = outcome_new(draw.examples, cross);
  measure_head(&draw, cross, sum);
  measure_distance(&draw, cross, sum);
  sum->seconds += (double)(g_get_monotonic_time() - start) / G_USEC_PER_SEC;
  sum->cross_top1 += (double)outcome->right / outcome->n;
  sum->class_mean += try_class_means(&draw);
  examples_free(&draw.examples);
  g_array_unref(draw.classes);
  g_array_unref(draw.held_out);
  g_array_unref(draw.others);
}

static void run_cell(const Examples *all, GArray **by_class, const char *text)
{
  guint n_classes = 0, n_pictures = 0, n_draws = 5, first = 1, n_views = EXAMPLES_MAX_VIEWS;
  if (sscanf(text, "%u:%u:%u:%u:%u", &n_classes, &n_pictures, &n_draws, &first, &n_views) < 2 ||
      !n_draws || !n_views || n_views > EXAMPLES_MAX_VIEWS) {
    fprintf(stderr, "%s: expected CLASSES:PICTURES[:DRAWS[:SEED[:VIEWS]]], at most %u views\n",
            text, EXAMPLES_MAX_VIEWS);
    exit(1);
  }
  Figures sum = { 0 };
  for (guint seed = first; seed < first + n_draws; seed++)
    run_draw(all, by_class, n_classes, n_pictures, n_views, seed, &sum);
  printf("%7u %8u %7.1f %7.1f %10.1f %11.1f %7.3f %8.1f %9.1f %7.1f\n", n_classes, n_pictures,
         100 * sum.top1 / n_draws, 100 * sum.cross_top1 / n_draws, 100 * sum.class_mean / n_draws,
         100 * sum.calibration_error / n_draws, sum.auroc / n_draws,
         100 * sum.own_unknown / n_draws, 100 * sum.others_unknown / n_draws,
         sum.seconds / n_draws);
  fflush(stdout);
}

/* Runs the network over all pictures. */
static Examples *read_all(const char *model_path, const char *data, GError **error)
{
  const char *const paths[] = { data, NULL };
  g_autoptr(VitgateModel) model = vitgate_model_open(model_path, error);
  g_autoptr(Pictures) pictures = model ? pictures_open(paths, FALSE, DECODE_UPRIGHT, error) : NULL;
  if (!pictures || !pictures_identify(pictures, FALSE, error))
    return NULL;
  g_autoptr(GPtrArray) sources = g_ptr_array_new();
  g_autoptr(GPtrArray) unusable = g_ptr_array_new_with_free_func(g_free);
  g_autofree guint *places = g_new(guint, pictures->labels->len);
  for (guint i = 0; i < pictures->labels->len; i++)
    places[i] = i;
  g_autoptr(Examples) all =
      examples_new(pictures->labels, vitgate_model_get_info(model)->n_features, EXAMPLES_MAX_VIEWS);
  const FeaturesOptions options = { .model = model,
                                    .fit = VITGATE_FIT_SQUASH, /* as the command with this model */
                                    .threads = MIN(g_get_num_processors(), VITGATE_MAX_THREADS),
                                    .places = places };
  const gint64 start = g_get_monotonic_time();
  if (!features_run(all, pictures, &options, sources, unusable, error))
    return NULL;
  const double ms = (double)(g_get_monotonic_time() - start) / 1e3;
  printf("%u pictures, %.1f ms for each of %u views\n", all->list->len,
         ms / all->list->len / EXAMPLES_MAX_VIEWS, EXAMPLES_MAX_VIEWS);
  return g_steal_pointer(&all);
}

int main(int argc, char **argv)
{
  static const char *const cells[] = { "2:5",  "2:10",  "2:20",  "5:5",    "5:10",    "5:20",
                                       "20:5", "20:10", "20:20", "98:5:2", "98:10:2", "98:20:2" };
  g_autoptr(GError) error = NULL;
  if (argc < 3) {
    fprintf(stderr, "usage: teach-draws MODEL DIR [CLASSES:PICTURES[:DRAWS[:SEED[:VIEWS]]]...]\n");
    return 1;
  }
  g_autoptr(Examples) all = read_all(argv[1], argv[2], &error);
  if (!all) {
    fprintf(stderr, "%s\n", error->message);
    return 1;
  }
  g_autofree GArray **by_class = g_new(GArray *, all->labels->len);
  for (guint c = 0; c < all->labels->len; c++)
    by_class[c] = numbers_new();
  for (guint i = 0; i < all->list->len; i++)
    g_array_append_val(by_class[examples_class(all, i)], i);
  printf("classes pictures   Top-1   cross class mean calibration   AUROC own > .95 others > .95"
         "       s\n");
  const guint n = argc > 3 ? (guint)argc - 3 : G_N_ELEMENTS(cells);
  for (guint i = 0; i < n; i++)
    run_cell(all, by_class, argc > 3 ? argv[3 + i] : cells[i]);
  for (guint c = 0; c < all->labels->len; c++)
    g_array_unref(by_class[c]);
  return 0;
}
