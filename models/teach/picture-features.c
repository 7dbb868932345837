#include "teach/picture-features.h"

#include <string.h>

#include "base/clean-text.h"
#include "base/command-error.h"
#include "base/progress.h"
#include "data/photo-reader.h"
#include "teach/views.h"

typedef struct {
  const FeaturesOptions *options;
  guint n_views;
  GPtrArray *unusable; /* (nullable) */
  FeaturesVisit visit;
  gpointer data;
  VitgateSession *session;
  guint image_size;
  float *tensors; /* [n_views][3][image_size][image_size] */
  Progress progress;
  guint n_done;
} Run;

/* Adds the examples. */
typedef struct {
  Examples *examples;
  const FeaturesOptions *options;
  GPtrArray *sources;
  VitgateSession *session;
} Adder;

static gboolean add_example(gpointer data, const Picture *picture, const float *tensors,
                            GError **error)
{
  const Adder *adder = data;
  Examples *examples = adder->examples;
  const VitgateResult *results =
      vitgate_session_forward(adder->session, tensors, examples->n_views, error);
  if (!results)
    return FALSE;
  Example *example = examples_add(examples, picture->hash, 0, picture->path);
  for (guint v = 0; v < examples->n_views; v++)
    memcpy(example->features + (gsize)v * examples->n_features, results[v].features,
           examples->n_features * sizeof(float));
  for (guint i = 0; adder->options->places && i < picture->classes->len; i++)
    example->shown[adder->options->places[g_array_index(picture->classes, guint, i)]] = 1;
  g_ptr_array_add(adder->sources, (gpointer)picture);
  return TRUE;
}

static gboolean see(Run *run, const Picture *picture, const GdkPixbuf *pixels, GError **error)
{
  const VitgateImage image = decode_as_image(pixels);
  return views_make(run->session, &image, run->image_size, run->n_views, run->tensors, error) &&
         run->visit(run->data, picture, run->tensors, error);
}

static void note_unusable(Run *run, const Picture *picture, const GError *reason)
{
  if (!run->unusable)
    return;
  progress_clear(&run->progress);
  g_ptr_array_add(run->unusable, g_strdup(picture->path));
  command_note("skipped %s: %s", picture->path, reason->message);
}

static gboolean run_dataset(Run *run, const Dataset *dataset, const GPtrArray *pictures,
                            GError **error)
{
  g_autofree guint *order = g_new(guint, pictures->len + 1);
  for (guint i = 0; i < pictures->len; i++)
    order[i] = ((const Picture *)pictures->pdata[i])->index;
  g_autoptr(PhotoReader) reader = photo_reader_new(dataset, order, pictures->len);
  for (guint i = 0; i < pictures->len; i++) {
    const Picture *picture = pictures->pdata[i];
    g_autoptr(DecodedPhotograph) photograph = photo_reader_next(reader);
    if (!photograph->pixels)
      note_unusable(run, picture, photograph->error);
    else if (!see(run, picture, photograph->pixels, error))
      return FALSE;
    progress_update(&run->progress, ++run->n_done);
  }
  return TRUE;
}

/* Returns: (transfer container): the pictures of @dataset that are not known */
static GPtrArray *list_pictures(const Pictures *pictures, const Dataset *dataset, GHashTable *known)
{
  GPtrArray *list = g_ptr_array_new();
  for (guint i = 0; i < pictures->pictures->len; i++) {
    const Picture *picture = pictures_get(pictures, i);
    if (picture->dataset == dataset && !(known && g_hash_table_contains(known, &picture->hash)))
      g_ptr_array_add(list, (gpointer)picture);
  }
  return list;
}

static gboolean run_all(Run *run, const Pictures *pictures, const char *unit, GError **error)
{
  gboolean fine = TRUE;
  run->image_size = vitgate_model_get_info(run->options->model)->image_size;
  run->tensors = g_new(float, (gsize)run->n_views * 3 * run->image_size * run->image_size);
  run->progress = progress_start(pictures->pictures->len, unit);
  for (guint i = 0; fine && i < pictures->datasets->len; i++) {
    const Dataset *dataset = pictures->datasets->pdata[i];
    g_autoptr(GPtrArray) list = list_pictures(pictures, dataset, run->options->known);
    fine = run_dataset(run, dataset, list, error);
  }
  progress_clear(&run->progress);
  g_free(run->tensors);
  return fine;
}

static VitgateSession *open_session(const FeaturesOptions *options, guint n_views, GError **error)
{
  const VitgateSessionOptions session = { .threads = options->threads,
                                          .max_batch = n_views,
                                          .fit = options->fit };
  return vitgate_session_new(options->model, &session, error);
}

gboolean features_visit(const Pictures *pictures, const FeaturesOptions *options, guint n_views,
                        const char *unit, FeaturesVisit visit, gpointer data, GError **error)
{
  Run run = { .options = options, .n_views = n_views, .visit = visit, .data = data };
  run.session = open_session(options, n_views, error);
  const gboolean fine = run.session && run_all(&run, pictures, unit, error);
  vitgate_session_free(&run.session);
  return fine;
}

gboolean features_run(Examples *examples, const Pictures *pictures, const FeaturesOptions *options,
                      GPtrArray *sources, GPtrArray *unusable, GError **error)
{
  Adder adder = { examples, options, sources, open_session(options, examples->n_views, error) };
  Run run = { .options = options,
              .n_views = examples->n_views,
              .unusable = unusable,
              .visit = add_example,
              .data = &adder,
              .session = adder.session };
  const gboolean fine = run.session && run_all(&run, pictures, "pictures", error);
  vitgate_session_free(&run.session);
  return fine;
}
