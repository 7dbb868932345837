#include "teach/picture-features.h"

#include <string.h>

#include "base/clean-text.h"
#include "base/command-error.h"
#include "base/progress.h"
#include "data/photo-reader.h"
#include "teach/views.h"

typedef struct {
  Examples *examples;
  const FeaturesOptions *options;
  GPtrArray *sources, *unusable;
  VitgateSession *session;
  guint image_size;
  float *tensors; /* [n_views][3][image_size][image_size] */
  Progress progress;
  guint n_done;
} Run;

static gboolean add_example(Run *run, const Picture *picture, const GdkPixbuf *pixels,
                            GError **error)
{
  Examples *examples = run->examples;
  const VitgateImage image = decode_as_image(pixels);
  if (!views_make(run->session, &image, run->image_size, examples->n_views, run->tensors, error))
    return FALSE;
  const VitgateResult *results =
      vitgate_session_forward(run->session, run->tensors, examples->n_views, error);
  if (!results)
    return FALSE;
  Example *example = examples_add(examples, picture->hash, 0, picture->path);
  for (guint v = 0; v < examples->n_views; v++)
    memcpy(example->features + (gsize)v * examples->n_features, results[v].features,
           examples->n_features * sizeof(float));
  for (guint i = 0; run->options->places && i < picture->classes->len; i++)
    example->shown[run->options->places[g_array_index(picture->classes, guint, i)]] = 1;
  g_ptr_array_add(run->sources, (gpointer)picture);
  return TRUE;
}

static void note_unusable(Run *run, const Picture *picture, const GError *reason)
{
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
    else if (!add_example(run, picture, photograph->pixels, error))
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

gboolean features_run(Examples *examples, const Pictures *pictures, const FeaturesOptions *options,
                      GPtrArray *sources, GPtrArray *unusable, GError **error)
{
  const VitgateModelInfo *info = vitgate_model_get_info(options->model);
  const VitgateSessionOptions session = { .threads = options->threads,
                                          .max_batch = examples->n_views,
                                          .fit = options->fit };
  const gsize length = (gsize)3 * info->image_size * info->image_size;
  Run run = { .examples = examples,
              .options = options,
              .sources = sources,
              .unusable = unusable,
              .image_size = info->image_size };
  run.session = vitgate_session_new(options->model, &session, error);
  if (!run.session)
    return FALSE;
  run.tensors = g_new(float, examples->n_views *length);
  run.progress = progress_start(pictures->pictures->len, "pictures");
  gboolean fine = TRUE;
  for (guint i = 0; fine && i < pictures->datasets->len; i++) {
    const Dataset *dataset = pictures->datasets->pdata[i];
    g_autoptr(GPtrArray) list = list_pictures(pictures, dataset, options->known);
    fine = run_dataset(&run, dataset, list, error);
  }
  progress_clear(&run.progress);
  g_free(run.tensors);
  vitgate_session_free(&run.session);
  return fine;
}
