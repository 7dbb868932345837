#include "teach/lesson.h"

#include <glib/gstdio.h>
#include <math.h>
#include <string.h>

#include "base/command-error.h"
#include "base/ranks.h"
#include "model.h"
#include "teach/head.h"
#include "teach/lesson-ranks.h"
#include "teach/picture-features.h"
#include "teach/stored-examples.h"
#include "teach/taught-file.h"
#include "teach/tuned-model.h"
#include "teach/views.h"

#define TOLERANCE 1e-6

/* Pictures of this class may look like anything. */
#define NONE "none"

static double seconds_since(gint64 start)
{
  return (double)(g_get_monotonic_time() - start) / G_USEC_PER_SEC;
}

static gint64 size_of(const char *path)
{
  GStatBuf status;
  return g_stat(path, &status) ? 0 : status.st_size;
}

void lesson_free(Lesson **lesson)
{
  Lesson *freeing = g_steal_pointer(lesson);
  if (!freeing)
    return;
  outcome_free(&freeing->outcome);
  cross_free(&freeing->cross);
  tuning_free(&freeing->tuning);
  own_distance_free(&freeing->distance);
  examples_free(&freeing->examples);
  pictures_free(&freeing->pictures);
  vitgate__description_free(&freeing->description);
  vitgate__source_close(&freeing->source);
  vitgate_model_unref(&freeing->model);
  g_clear_pointer(&freeing->unusable, g_ptr_array_unref);
  g_clear_pointer(&freeing->cut, g_array_unref);
  g_free(freeing->distances);
  g_free(freeing);
}

/* ---- Base ---- */

/* What a crop would cut off may be what tells two states of a scene apart. */
static void choose_fit(Preprocessing *p, guint image_size, VitgateFit fit)
{
  if (fit == VITGATE_FIT_MODEL)
    fit = p->fit <= VITGATE_FIT_CROP ? VITGATE_FIT_SQUASH : p->fit;
  p->fit = fit;
  if (fit != VITGATE_FIT_CROP)
    p->resize = image_size;
}

/* @file: the base's weights */
static gboolean open_base(Lesson *lesson, const char *file, GError **error)
{
  const LessonOptions *o = lesson->options;
  lesson->model = vitgate_model_open(o->model, error);
  lesson->source = lesson->model ? vitgate__source_open(o->model, error) : NULL;
  lesson->description = lesson->source ? vitgate__source_describe(lesson->source, 0, error) : NULL;
  if (!lesson->description || !vitgate__source_check_unchanged(lesson->source, error))
    return FALSE;
  lesson->base_bytes = size_of(file);
  lesson->several = o->several;
  if (!o->add) {
    choose_fit(&lesson->description->preprocessing, lesson->description->image_size, o->fit);
    return TRUE;
  }
  if (!lesson->description->teach)
    return command_fail(error,
                        "%s: stores no features, so --add cannot continue: it was not taught, or "
                        "with --forget-features",
                        o->model);
  const gboolean sigmoid = lesson->description->activation == VITGATE_ACTIVATION_SIGMOID;
  if (o->several && !sigmoid)
    return command_fail(error, "%s: was taught without --multi-label, so --add cannot use it",
                        o->model);
  lesson->several = sigmoid;
  lesson->tuned_before =
      json_object_get_boolean_member_with_default(lesson->description->teach, "tuned", FALSE);
  return TRUE;
}

/* ---- Pictures ---- */

static int compare_labels(gconstpointer a, gconstpointer b)
{
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Returns: (transfer container) (element-type utf8): the labels of both, in the order of strcmp()
 */
static GPtrArray *join_labels(const GPtrArray *labels, const GPtrArray *more)
{
  g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
  GPtrArray *all = g_ptr_array_new();
  for (guint k = 0; k < 2; k++) {
    const GPtrArray *some = k ? more : labels;
    for (guint i = 0; some && i < some->len; i++)
      if (g_hash_table_add(seen, some->pdata[i]))
        g_ptr_array_add(all, some->pdata[i]);
  }
  g_ptr_array_sort(all, compare_labels);
  return all;
}

/* Returns: (transfer full): the place of each of @labels in @all */
static guint *find_places(const GPtrArray *labels, const GPtrArray *all)
{
  guint *places = g_new0(guint, labels->len + 1);
  for (guint i = 0; i < labels->len; i++)
    for (guint k = 0; k < all->len; k++)
      if (!strcmp(labels->pdata[i], all->pdata[k]))
        places[i] = k;
  return places;
}

/* Finds the pictures that the base was taught before.
 * @before: (nullable)
 * @places: of the pictures' classes in all
 * @before_places: of the base's classes in all
 * Returns: (transfer full): their hashes, or NULL with COMMAND_ERROR_DATA if one now shows another
 * class */
static GHashTable *find_known(Lesson *lesson, const Pictures *pictures, const Examples *before,
                              const guint *places, const guint *before_places, GError **error)
{
  g_autoptr(GHashTable) by_hash = g_hash_table_new(g_int64_hash, g_int64_equal);
  g_autoptr(GHashTable) known = g_hash_table_new(g_int64_hash, g_int64_equal);
  for (guint i = 0; before && i < before->list->len; i++)
    g_hash_table_insert(by_hash, &examples_get(before, i)->hash, GUINT_TO_POINTER(i + 1));
  for (guint i = 0; i < pictures->pictures->len; i++) {
    const Picture *picture = pictures_get(pictures, i);
    const guint found = GPOINTER_TO_UINT(g_hash_table_lookup(by_hash, &picture->hash));
    if (!found)
      continue;
    const int class = examples_class(before, found - 1);
    const guint now = picture->classes->len ? g_array_index(picture->classes, guint, 0) : 0;
    if (!lesson->several && before_places[class] != places[now]) {
      g_set_error(error, COMMAND_ERROR, COMMAND_ERROR_DATA,
                  "%s: shows \"%s\", but the model was taught the same picture as \"%s\"",
                  picture->path, (char *)pictures->labels->pdata[now],
                  (char *)before->labels->pdata[class]);
      return NULL;
    }
    g_hash_table_add(known, (gpointer)&examples_get(before, found - 1)->hash);
    lesson->n_known++;
  }
  return g_steal_pointer(&known);
}

/* Adds the examples that the base stores. Classes that one shows now are added to it. */
static void add_before(Examples *examples, const Examples *before, const guint *before_places,
                       const Pictures *pictures, const guint *places, GPtrArray *sources)
{
  g_autoptr(GHashTable) by_hash = g_hash_table_new(g_int64_hash, g_int64_equal);
  for (guint i = 0; i < before->list->len; i++) {
    const Example *from = examples_get(before, i);
    Example *to = examples_add(examples, from->hash, from->group, NULL);
    memcpy(to->features, from->features,
           (gsize)examples->n_views * examples->n_features * sizeof(float));
    for (guint c = 0; c < before->labels->len; c++)
      to->shown[before_places[c]] = from->shown[c];
    g_hash_table_insert(by_hash, &to->hash, to);
    g_ptr_array_add(sources, NULL);
  }
  for (guint i = 0; i < pictures->pictures->len; i++) {
    const Picture *picture = pictures_get(pictures, i);
    Example *example = g_hash_table_lookup(by_hash, &picture->hash);
    for (guint k = 0; example && k < picture->classes->len; k++)
      example->shown[places[g_array_index(picture->classes, guint, k)]] = 1;
  }
}

static gboolean refuse_class(const char *label, guint n, const char *which, GError **error)
{
  g_set_error(error, COMMAND_ERROR, COMMAND_ERROR_DATA,
              "the class \"%s\" has %u %spicture%s, expected at least %u", label, n, which,
              n == 1 ? "" : "s", PICTURES_MIN);
  return FALSE;
}

static gboolean check_n_classes(const Lesson *lesson, const GPtrArray *labels, GError **error)
{
  if (labels->len >= (lesson->several ? 1 : 2))
    return TRUE;
  g_set_error(error, COMMAND_ERROR, COMMAND_ERROR_DATA,
              "%s: only one class, \"%s\", expected at least 2; a folder named \"" NONE
              "\" can hold pictures of everything else",
              lesson->options->data[0], (char *)labels->pdata[0]);
  return FALSE;
}

/* Checks before the network runs that each class has enough pictures.
 * @before: (nullable) */
static gboolean check_pictures(const Pictures *pictures, const Examples *before, GError **error)
{
  g_autofree guint *counts = g_new0(guint, pictures->labels->len + 1);
  for (guint i = 0; i < pictures->pictures->len; i++) {
    const GArray *classes = pictures_get(pictures, i)->classes;
    for (guint k = 0; k < classes->len; k++)
      counts[g_array_index(classes, guint, k)]++;
  }
  for (guint c = 0; c < pictures->labels->len; c++) {
    const char *label = pictures->labels->pdata[c];
    for (guint k = 0; before && k < before->labels->len; k++)
      if (!strcmp(label, before->labels->pdata[k]))
        counts[c] += examples_count(before, k);
    if (counts[c] < PICTURES_MIN)
      return refuse_class(label, counts[c], "", error);
  }
  return TRUE;
}

/* The same afterwards: some may have been unusable. */
static gboolean check_examples(const Lesson *lesson, GError **error)
{
  for (guint c = 0; c < lesson->examples->labels->len; c++) {
    const guint n = examples_count(lesson->examples, c);
    if (n < PICTURES_MIN)
      return refuse_class(lesson->examples->labels->pdata[c], n, "usable ", error);
  }
  return TRUE;
}

/* @before: (nullable) */
static guint count_views(const Pictures *pictures, const Examples *before)
{
  const guint n = pictures->pictures->len + (before ? before->list->len : 0);
  return n > VIEWS_MAX_MIRRORED ? 1 : before ? before->n_views : EXAMPLES_MAX_VIEWS;
}

/* Reads the pictures and makes the examples, with those of the base. */
static gboolean gather(Lesson *lesson, GPtrArray *sources, const Pictures *pictures, GError **error)
{
  const LessonOptions *o = lesson->options;
  const guint n_features = vitgate_model_get_info(lesson->model)->n_features;
  g_autoptr(Examples) before =
      o->add ? stored_examples_read(lesson->source, lesson->description, error) : NULL;
  if (o->add && !before)
    return FALSE;
  g_autoptr(GPtrArray) labels = join_labels(pictures->labels, before ? before->labels : NULL);
  g_autofree guint *places = find_places(pictures->labels, labels);
  g_autofree guint *before_places = before ? find_places(before->labels, labels) : NULL;
  if (!check_n_classes(lesson, labels, error) || !check_pictures(pictures, before, error))
    return FALSE;
  g_autoptr(GHashTable) known = find_known(lesson, pictures, before, places, before_places, error);
  if (!known)
    return FALSE;
  lesson->n_before = before ? before->list->len : 0;
  lesson->examples = examples_new(labels, n_features, count_views(pictures, before));
  if (before)
    add_before(lesson->examples, before, before_places, pictures, places, sources);
  const FeaturesOptions features = { .model = lesson->model,
                                     .fit = lesson->description->preprocessing.fit,
                                     .threads = o->threads,
                                     .known = known,
                                     .places = places };
  if (!features_run(lesson->examples, pictures, &features, sources, lesson->unusable, error))
    return FALSE;
  lesson->n_new = lesson->examples->list->len - lesson->n_before;
  lesson->listed = pictures->listed || (o->add && lesson->description->label_ids);
  lesson->n_repeated = pictures->n_repeated;
  lesson->n_unlabelled = pictures->n_unlabelled;
  return check_examples(lesson, error);
}

static gboolean read_pictures(Lesson *lesson, GError **error)
{
  const LessonOptions *o = lesson->options;
  g_autoptr(GPtrArray) sources = g_ptr_array_new();
  lesson->pictures = pictures_open(o->data, lesson->several, o->orientation, error);
  if (!lesson_agree_on_pictures(lesson->pictures, error) ||
      !pictures_identify(lesson->pictures, lesson->several, error) ||
      !gather(lesson, sources, lesson->pictures, error) ||
      !groups_find(lesson->examples, sources, o->grouping, lesson->several, error))
    return FALSE;
  lesson->cut = groups_cut(lesson->examples, sources, lesson->several);
  examples_sort(lesson->examples);
  return TRUE;
}

/* ---- Others ---- */

/* How long it may take is known to the first rank only, and so is the model that it makes. */
static gboolean tuned_alone(const Lesson *lesson)
{
  return lesson->options->fine_tune > 0 && ranks_count() > 1;
}

/* Measures the distance on pictures of none of the classes.
 * @others: their examples */
static gboolean measure_distance(Lesson *lesson, const Examples *others, GError **error)
{
  g_autofree double *distances = g_new(double, others->list->len + 1);
  guint n_beyond = 0;
  lesson->n_others = others->list->len;
  for (guint i = 0; i < others->list->len; i++) {
    distances[i] = own_distance_find(lesson->distance, examples_get(others, i)->features);
    n_beyond += distances[i] >= lesson->distance->limit;
  }
  if (!lesson->n_others)
    return command_fail(error, "%s: contains no usable pictures", lesson->options->others[0]);
  lesson->auroc = own_distance_auroc(lesson->distances, lesson->examples->list->len, distances,
                                     lesson->n_others);
  lesson->others_unknown = (double)n_beyond / lesson->n_others;
  return TRUE;
}

/* Reads pictures of none of the classes, and measures the distance on them. */
static gboolean measure_others(Lesson *lesson, GError **error)
{
  const LessonOptions *o = lesson->options;
  g_autoptr(GPtrArray) sources = g_ptr_array_new(), labels = g_ptr_array_new();
  const gboolean alone = tuned_alone(lesson);
  lesson->auroc = NAN;
  if (!o->others || lesson->several || (alone && !ranks_is_first()))
    return TRUE;
  g_autoptr(Pictures) pictures = pictures_open_unlabelled(o->others, o->orientation, error);
  if (alone ? !pictures : !lesson_agree_on_pictures(pictures, error))
    return FALSE;
  g_autoptr(Examples) others = examples_new(labels, lesson->examples->n_features, 1);
  const FeaturesOptions features = { .model = lesson->model,
                                     .fit = lesson->description->preprocessing.fit,
                                     .threads = o->threads,
                                     .alone = alone };
  return features_run(others, pictures, &features, sources, lesson->unusable, error) &&
         (!ranks_is_first() || measure_distance(lesson, others, error));
}

/* ---- Fit ---- */

static int find_none(const Examples *examples)
{
  for (guint c = 0; c < examples->labels->len; c++)
    if (!strcmp(examples->labels->pdata[c], NONE))
      return (int)c;
  return -1;
}

static gboolean tuned_now(const Lesson *lesson)
{
  return lesson->tuning && !lesson->tuning->left_out;
}

static JsonObject *make_provenance(const Lesson *lesson)
{
  const Description *base = lesson->description;
  const Outcome *outcome = lesson->outcome;
  JsonObject *p = json_object_new();
  json_object_set_string_member(p, "made_by", "vitgate teach " VITGATE_VERSION);
  json_object_set_string_member(p, "base_name", base->name);
  json_object_set_string_member(
      p, "precision", vitgate_precision_name(vitgate_model_get_info(lesson->model)->precision));
  json_object_set_int_member(p, "photographs", outcome->n);
  json_object_set_int_member(p, "groups", outcome->n_groups);
  json_object_set_string_member(p, "group_by", grouping_name(lesson->options->grouping));
  json_object_set_int_member(p, "views", lesson->cross->n_views);
  json_object_set_double_member(p, "penalty", lesson->cross->penalty);
  json_object_set_double_member(p, lesson->several ? "all_right" : "top1",
                                (double)outcome->right / outcome->n);
  json_object_set_double_member(p, "calibration_error", outcome->calibration_error);
  if (tuned_now(lesson)) {
    json_object_set_int_member(p, "fine_tuned_blocks", lesson->tuning->n_blocks);
    json_object_set_int_member(p, "fine_tuning_steps", lesson->tuning->steps);
  }
  if (base->provenance)
    json_object_set_object_member(p, "of_base", json_object_ref(base->provenance));
  return p;
}

static gboolean write_file(Lesson *lesson, GError **error)
{
  const Examples *examples = lesson->examples;
  const Cross *cross = lesson->cross;
  const guint n_classes = examples->labels->len, f = examples->n_features;
  g_autoptr(Logistic) model = logistic_new(f, n_classes);
  HeadRows *rows = head_rows_new(examples, cross->n_views, NULL, 0);
  head_fit(model, rows, lesson->several, cross->penalty, TOLERANCE);
  g_autofree float *weights = g_new(float, (gsize)n_classes *f), *bias = g_new(float, n_classes);
  g_autofree double *thresholds = lesson->several ? g_new(double, n_classes) : NULL;
  head_fold(model, rows, cross->factor, weights, bias);
  head_rows_free(&rows);
  for (guint c = 0; thresholds && c < n_classes; c++)
    thresholds[c] = lesson->outcome->classes[c].threshold;
  g_autoptr(JsonObject) provenance = make_provenance(lesson);
  Taught taught = { .examples = examples,
                    .weights = weights,
                    .bias = bias,
                    .distance = lesson->distance,
                    .thresholds = thresholds,
                    .sigmoid = lesson->several,
                    .ids = lesson->listed,
                    .forget = lesson->options->forget,
                    .tuned = tuned_now(lesson) || lesson->tuned_before,
                    .name = lesson->options->name,
                    .provenance = provenance };
  if (!taught_file_write(lesson->options->out, lesson->source, lesson->description, &taught, error))
    return FALSE;
  lesson->n_stored = taught.n_stored;
  lesson->out_bytes = size_of(lesson->options->out);
  return TRUE;
}

/* Trains the last blocks of the model, if that helps: then the model, its source, the examples'
 * features and the cross-validation become those of the trained network. */
static gboolean tune(Lesson *lesson, GError **error)
{
  const gint64 start = g_get_monotonic_time();
  TuningOptions options = { .examples = lesson->examples,
                            .pictures = lesson->pictures,
                            .features = { .model = lesson->model,
                                          .fit = lesson->description->preprocessing.fit,
                                          .threads = lesson->options->threads,
                                          .alone = TRUE },
                            .file = lesson->source->file,
                            .description = lesson->description,
                            .sigmoid = lesson->several,
                            .limit = lesson->options->fine_tune,
                            .seconds_pictures = lesson->seconds_pictures * ranks_count() };
  lesson->tuning = tuning_run(&options, error);
  if (!lesson->tuning)
    return FALSE;
  if (!lesson->tuning->left_out) {
    if (!tuned_model_open(lesson->tuning, lesson->options->out, lesson->description,
                          &lesson->source, &lesson->model, error))
      return FALSE;
    options.features.model = lesson->model;
    if (!tuned_model_renew(lesson->examples, lesson->pictures, &options.features, error))
      return FALSE;
    cross_free(&lesson->cross);
    lesson->cross = g_steal_pointer(&lesson->tuning->cross);
  }
  lesson->seconds_tuning = seconds_since(start);
  return TRUE;
}

/* Fits the head, and trains the last blocks if that was asked for. */
static gboolean fit(Lesson *lesson, GError **error)
{
  const Examples *examples = lesson->examples;
  gint64 start = g_get_monotonic_time();
  lesson->cross = cross_run(examples, lesson->several, lesson->options->threads);
  lesson->seconds_fit = seconds_since(start);
  if (lesson->options->fine_tune > 0 && !tune(lesson, error))
    return FALSE;
  start = g_get_monotonic_time();
  lesson->outcome = outcome_new(examples, lesson->cross);
  if (!lesson->several) {
    lesson->distances = g_new(double, examples->list->len);
    lesson->distance =
        own_distance_new(examples, lesson->cross, find_none(examples), lesson->distances);
  }
  lesson->seconds_fit += seconds_since(start);
  return TRUE;
}

Lesson *lesson_run(const LessonOptions *options, GError **error)
{
  g_autoptr(Lesson) lesson = g_new0(Lesson, 1);
  const gint64 start = g_get_monotonic_time();
  lesson->options = options;
  lesson->unusable = g_ptr_array_new_with_free_func(g_free);
  g_autofree char *file = vitgate__source_find(options->model, error);
  if (!lesson_agree_on_base(file, file && open_base(lesson, file, error), error))
    return NULL;
  const gint64 opened = g_get_monotonic_time();
  if (!read_pictures(lesson, error))
    return NULL;
  lesson->seconds_pictures = seconds_since(opened);
  gboolean fine = !ranks_is_first() || fit(lesson, error);
  ranks_meet();
  fine = fine && measure_others(lesson, error) && (!ranks_is_first() || write_file(lesson, error));
  ranks_meet();
  if (!ranks_all_fine(fine, error))
    return NULL;
  lesson->seconds = seconds_since(start);
  return g_steal_pointer(&lesson);
}
