#include "teach/picture-features.h"

#include <string.h>

#include "base/clean-text.h"
#include "base/command-error.h"
#include "base/progress.h"
#include "base/ranks.h"
#include "data/photo-reader.h"
#include "teach/views.h"

typedef struct {
  const FeaturesOptions *options;
  guint n_views;
  GPtrArray *list; /* (element-type Picture): all to see, those of a dataset one after the other */
  guint at, end;   /* in the list: the next picture, and the end of those that this rank sees */
  gboolean notes;
  GString *later; /* (nullable): notes for the first rank to print */
  FeaturesVisit visit;
  gpointer data;
  VitgateSession *session;
  guint image_size;
  float *tensors; /* [n_views][3][image_size][image_size] */
  Progress progress;
} Run;

/* The features of the pictures of Run.list. */
typedef struct {
  Run *run;
  gsize n;         /* features of a picture, with all its views */
  float *features; /* [list->len][n] */
  guint8 *usable;  /* [list->len] */
} Found;

static gboolean find_features(gpointer data, const Picture *picture, const float *tensors,
                              GError **error)
{
  const Found *found = data;
  const Run *run = found->run;
  const VitgateResult *results =
      vitgate_session_forward(run->session, tensors, run->n_views, error);
  if (!results)
    return FALSE;
  const gsize each = found->n / run->n_views;
  for (guint v = 0; v < run->n_views; v++)
    memcpy(found->features + run->at * found->n + v * each, results[v].features,
           each * sizeof(float));
  found->usable[run->at] = 1;
  return TRUE;
}

static void add_example(const Found *found, guint index, Examples *examples, GPtrArray *sources)
{
  const Picture *picture = found->run->list->pdata[index];
  const guint *places = found->run->options->places;
  Example *example = examples_add(examples, picture->hash, 0, picture->path);
  memcpy(example->features, found->features + index * found->n, found->n * sizeof(float));
  for (guint i = 0; places && i < picture->classes->len; i++)
    example->shown[places[g_array_index(picture->classes, guint, i)]] = 1;
  g_ptr_array_add(sources, (gpointer)picture);
}

static gboolean see(Run *run, const Picture *picture, const GdkPixbuf *pixels, GError **error)
{
  const VitgateImage image = decode_as_image(pixels);
  return views_make(run->session, &image, run->image_size, run->n_views, run->tensors, error) &&
         run->visit(run->data, picture, run->tensors, error);
}

static void note_unusable(Run *run, const Picture *picture, const GError *reason)
{
  if (!run->notes)
    return;
  progress_clear(&run->progress);
  if (run->later)
    g_string_append_printf(run->later, "skipped %s: %s\n", picture->path, reason->message);
  else
    command_note("skipped %s: %s", picture->path, reason->message);
}

/* Sees the next pictures of the list as long as they are of the same dataset. */
static gboolean run_dataset(Run *run, GError **error)
{
  const guint first = run->at, n = run->end - first;
  const Dataset *dataset = ((const Picture *)run->list->pdata[first])->dataset;
  g_autofree guint *order = g_new(guint, n);
  guint n_same = 0;
  for (; n_same < n; n_same++) {
    const Picture *picture = run->list->pdata[first + n_same];
    if (picture->dataset != dataset)
      break;
    order[n_same] = picture->index;
  }
  g_autoptr(PhotoReader) reader = photo_reader_new(dataset, order, n_same);
  for (; run->at < first + n_same; run->at++) {
    const Picture *picture = run->list->pdata[run->at];
    g_autoptr(DecodedPhotograph) photograph = photo_reader_next(reader);
    if (!photograph->pixels)
      note_unusable(run, picture, photograph->error);
    else if (!see(run, picture, photograph->pixels, error))
      return FALSE;
    progress_update(&run->progress, run->at + 1);
  }
  return TRUE;
}

/* Returns: (transfer container): the pictures that are not known, dataset by dataset */
static GPtrArray *list_pictures(const Pictures *pictures, GHashTable *known)
{
  GPtrArray *list = g_ptr_array_new();
  for (guint k = 0; k < pictures->datasets->len; k++)
    for (guint i = 0; i < pictures->pictures->len; i++) {
      const Picture *picture = pictures_get(pictures, i);
      if (picture->dataset == pictures->datasets->pdata[k] &&
          !(known && g_hash_table_contains(known, &picture->hash)))
        g_ptr_array_add(list, (gpointer)picture);
    }
  return list;
}

static gboolean run_all(Run *run, const char *unit, GError **error)
{
  gboolean fine = TRUE;
  run->image_size = vitgate_model_get_info(run->options->model)->image_size;
  run->tensors = g_new(float, (gsize)run->n_views * 3 * run->image_size * run->image_size);
  run->progress = progress_start(run->end, unit);
  while (fine && run->at < run->end)
    fine = run_dataset(run, error);
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
  run.list = list_pictures(pictures, options->known);
  run.end = run.list->len;
  run.session = open_session(options, n_views, error);
  const gboolean fine = run.session && run_all(&run, unit, error);
  vitgate_session_free(&run.session);
  g_ptr_array_unref(run.list);
  return fine;
}

/* Gathers what all ranks found.
 * @fine: whether this rank could run; if not, @error is set */
static gboolean gather(const Found *found, gboolean fine, GError **error)
{
  const Run *run = found->run;
  if (!run->later)
    return fine;
  if (!ranks_all_fine(fine, error))
    return FALSE;
  ranks_gather(found->features, run->list->len, found->n * sizeof(float));
  ranks_gather(found->usable, run->list->len, 1);
  g_auto(GStrv) notes = ranks_gather_lines(run->later->str);
  for (char **note = notes; *note; note++)
    command_note("%s", *note);
  return TRUE;
}

gboolean features_run(Examples *examples, const Pictures *pictures, const FeaturesOptions *options,
                      GPtrArray *sources, GPtrArray *unusable, GError **error)
{
  const gboolean shared = !options->alone && ranks_count() > 1;
  g_autoptr(GPtrArray) list = list_pictures(pictures, options->known);
  g_autoptr(GString) later = g_string_new(NULL);
  Found found = { .n = (gsize)examples->n_views * examples->n_features };
  Run run = { .options = options,
              .n_views = examples->n_views,
              .list = list,
              .at = shared ? ranks_slice(list->len, ranks_own()) : 0,
              .end = shared ? ranks_slice(list->len, ranks_own() + 1) : list->len,
              .notes = unusable != NULL,
              .later = shared ? later : NULL,
              .visit = find_features,
              .data = &found };
  found.run = &run;
  found.features = g_new(float, list->len *found.n + 1);
  found.usable = g_new0(guint8, list->len + 1);
  run.session = open_session(options, run.n_views, error);
  const gboolean fine = gather(&found, run.session && run_all(&run, "pictures", error), error);
  for (guint i = 0; fine && i < list->len; i++)
    if (found.usable[i])
      add_example(&found, i, examples, sources);
    else if (unusable)
      g_ptr_array_add(unusable, g_strdup(((const Picture *)list->pdata[i])->path));
  vitgate_session_free(&run.session);
  g_free(found.features);
  g_free(found.usable);
  return fine;
}
