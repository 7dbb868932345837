/* views.c: what the network sees of a frame. */
#include "classify/views.h"

/* ---- Places -------------------------------------------------------------------------------- */

guint gst_vitgate_views_place(VitgateRectangle places[GST_VITGATE_MAX_VIEWS],
                              const VitgateImage *image)
{
  const guint64 length_x = (guint64)image->width * MAX(image->pixel_width, 1);
  const guint64 length_y = (guint64)image->height * MAX(image->pixel_height, 1);
  const gboolean wide = length_x > length_y;
  const guint64 longer = MAX(length_x, length_y), shorter = MIN(length_x, length_y);
  const guint pixels = wide ? image->width : image->height;
  const gboolean square_enough = 5 * longer <= 6 * shorter || pixels == 1;
  const guint n = square_enough ? 1 : GST_VITGATE_MAX_VIEWS;
  const guint square = (guint)((pixels * shorter + longer / 2) / longer);
  const guint side = n == 1 ? pixels : MAX(square, (pixels + 1) / 2);

  for (guint i = 0; i < n; i++) {
    const guint start = i * (pixels - side);

    places[i] = wide ? (VitgateRectangle){ start, 0, side, image->height }
                     : (VitgateRectangle){ 0, start, image->width, side };
  }
  return n;
}

/* ---- The views of a frame ------------------------------------------------------------------ */

static guint max_views(const GstVitgateViews *views)
{
  return views->squares ? GST_VITGATE_MAX_VIEWS : 1;
}

gboolean gst_vitgate_views_init(GstVitgateViews *views, VitgateModel *model, gboolean squares,
                                gboolean temporal, GError **error)
{
  const VitgateModelInfo *info = vitgate_model_get_info(model);
  VitgateStreamOptions options = vitgate_stream_default_options();
  const guint side = info->image_size / info->patch_size;

  options.temporal = temporal;
  *views = (GstVitgateViews){
    .squares = squares,
    .info = info,
    .n_modules = 2 * info->depth,
    .n_classes = info->n_classes,
    .size = 3 * (gsize)info->image_size * info->image_size,
    .n_patches = side * side,
    .n = 1,
  };
  views->tensors = g_new(float, max_views(views) * views->size);
  views->probabilities = g_new(float, info->n_classes);
  views->modules = g_new(guint8, views->n_modules);
  for (guint i = 0; i < max_views(views); i++) {
    views->streams[i] = vitgate_stream_new(model, &options, error);
    if (!views->streams[i])
      return FALSE;
  }
  return TRUE;
}

void gst_vitgate_views_clear(GstVitgateViews *views)
{
  for (guint i = 0; i < GST_VITGATE_MAX_VIEWS; i++)
    vitgate_stream_free(&views->streams[i]);
  g_clear_pointer(&views->tensors, g_free);
  g_clear_pointer(&views->probabilities, g_free);
  g_clear_pointer(&views->modules, g_free);
}

/* Sets what the views show of the frame, and where it is. */
static gboolean find_seen(GstVitgateViews *views, const VitgateSession *session,
                          const VitgateImage *image, GError **error)
{
  views->seen = (VitgateRectangle){ 0, 0, image->width, image->height };
  if (views->n == 1 && !vitgate_session_get_view(session, image, &views->seen, error))
    return FALSE;
  views->seen.x += views->x;
  views->seen.y += views->y;
  return TRUE;
}

gboolean gst_vitgate_views_preprocess(GstVitgateViews *views, VitgateSession *session,
                                      const VitgateImage *image, GError **error)
{
  VitgateRectangle places[GST_VITGATE_MAX_VIEWS];
  VitgateImage view = *image;
  const guint64 hash = views->still ? vitgate_image_hash(image) : 0;
  const gboolean same = hash && hash == views->hash;

  views->hash = 0;
  views->n = views->squares ? gst_vitgate_views_place(places, image) : 1;
  for (guint i = 0; i < views->n; i++) {
    if (views->n > 1)
      view.part = places[i];
    views->places[i] = gst_vitgate_token_place(views->info, views->fit, &view);
    views->places[i].place.x += (gint)views->x;
    views->places[i].place.y += (gint)views->y;
    if (!same &&
        !vitgate_session_preprocess(session, &view, views->tensors + i * views->size, error))
      return FALSE;
  }
  views->hash = hash;
  return find_seen(views, session, image, error);
}

float *gst_vitgate_views_lend_tensor(GstVitgateViews *views)
{
  views->hash = 0;
  return views->tensors;
}

gboolean gst_vitgate_views_look(GstVitgateViews *views, const VitgateSession *session,
                                const VitgateStreamOptions *options)
{
  gboolean unchanged = TRUE;

  for (guint i = 0; i < views->n; i++) {
    const VitgateDecision *decision;

    vitgate_stream_set_options(views->streams[i], options, NULL);
    decision = vitgate_stream_look(views->streams[i], session, views->tensors + i * views->size);
    unchanged &= decision->pass == VITGATE_PASS_UNCHANGED;
  }
  views->still = unchanged;
  return unchanged;
}

double gst_vitgate_views_changed_share(const GstVitgateViews *views, double change)
{
  double sum = 0;

  for (guint i = 0; i < views->n; i++)
    sum += vitgate_stream_changed_share(views->streams[i], change);
  return sum / views->n;
}

void gst_vitgate_views_accept(GstVitgateViews *views)
{
  for (guint i = 0; i < views->n; i++)
    vitgate_stream_accept(views->streams[i]);
}

void gst_vitgate_views_expire(GstVitgateViews *views)
{
  for (guint i = 0; i < views->n; i++)
    vitgate_stream_expire(views->streams[i]);
}

void gst_vitgate_views_forget(GstVitgateViews *views)
{
  for (guint i = 0; i < max_views(views); i++)
    vitgate_stream_forget(views->streams[i]);
}

/* ---- Their result -------------------------------------------------------------------------- */

/* Passes are in the order of how much they compute. */
static void add_decision(VitgateDecision *all, const VitgateDecision *one)
{
  if (one->pass < all->pass) {
    all->pass = one->pass;
    all->reason = one->reason;
  }
  all->n_patches += one->n_patches;
  all->change = MAX(all->change, one->change);
}

static void add(GstVitgateViews *views, const VitgateResult *one)
{
  VitgateResult *sum = &views->result;

  for (guint c = 0; c < views->n_classes; c++)
    views->probabilities[c] = MAX(views->probabilities[c], one->probabilities[c]);
  for (guint m = 0; m < views->n_modules; m++)
    views->modules[m] |= one->modules[m];
  sum->unknown = MIN(sum->unknown, one->unknown);
  sum->gmacs += one->gmacs;
  sum->compute_ratio += one->compute_ratio / views->n;
  sum->n_tokens += one->n_tokens;
  sum->forward_ns += one->forward_ns;
  add_decision(&views->decision, one->decision);
}

static void keep_tokens(GstVitgateViews *views, const VitgateResult *results)
{
  views->n_tokens = results[0].patches ? views->n : 0;
  for (guint i = 0; i < views->n_tokens; i++) {
    views->tokens[i] = views->places[i];
    views->tokens[i].patches = results[i].patches;
  }
}

/* Starts the result of all views with nothing. */
static void start_result(GstVitgateViews *views)
{
  views->result = (VitgateResult){
    .n_classes = views->n_classes,
    .probabilities = views->probabilities,
    .modules = views->modules,
    .decision = &views->decision,
    .unknown = 1,
  };
  views->decision = (VitgateDecision){ .pass = VITGATE_PASS_UNCHANGED };
  for (guint c = 0; c < views->n_classes; c++)
    views->probabilities[c] = 0;
  for (guint m = 0; m < views->n_modules; m++)
    views->modules[m] = 0;
}

const VitgateResult *gst_vitgate_views_infer(GstVitgateViews *views, VitgateSession *session,
                                             GError **error)
{
  const VitgateResult *results =
      vitgate_session_follow(session, views->streams, views->tensors, views->n, error);

  if (!results)
    return NULL;
  keep_tokens(views, results);
  if (views->n == 1)
    return results;
  start_result(views);
  for (guint i = 0; i < views->n; i++)
    add(views, &results[i]);
  return &views->result;
}
