/* region-classifier.c: classifies the regions of frames. */
#include "classify/region-classifier.h"

#include "classify/age.h"

GstVitgateRegionClassifier *gst_vitgate_region_classifier_new(void)
{
  GstVitgateRegionClassifier *self = g_new0(GstVitgateRegionClassifier, 1);

  gst_vitgate_region_memory_init(&self->memory);
  self->regions = g_array_new(FALSE, FALSE, sizeof(GstVitgateRegion));
  self->results = g_ptr_array_new_with_free_func(gst_vitgate_region_result_unref);
  return self;
}

void gst_vitgate_region_classifier_free(GstVitgateRegionClassifier **classifier)
{
  GstVitgateRegionClassifier *self = g_steal_pointer(classifier);

  if (!self)
    return;
  gst_vitgate_region_memory_clear(&self->memory);
  g_array_unref(self->regions);
  g_ptr_array_unref(self->results);
  g_free(self);
}

void gst_vitgate_region_classifier_forget(GstVitgateRegionClassifier *self)
{
  gst_vitgate_region_memory_forget(&self->memory);
  self->inferred = 0;
}

void gst_vitgate_region_classifier_read(GstVitgateRegionClassifier *self, GstBuffer *buffer,
                                        const GstVitgateRegionFilter *filter, guint width,
                                        guint height, GstVitgateRegionsSkipped *skipped_regions)
{
  gst_vitgate_region_memory_next_frame(&self->memory);
  gst_vitgate_regions_read(self->regions, buffer, filter, width, height, skipped_regions);
  g_ptr_array_set_size(self->results, 0);
  for (guint i = 0; i < self->regions->len; i++) {
    GstVitgateRegion *region = &g_array_index(self->regions, GstVitgateRegion, i);
    g_ptr_array_add(self->results, gst_vitgate_region_memory_recall(&self->memory, region));
  }
}

static gboolean is_due(const GstVitgateRegionClassifier *self, guint i, guint interval)
{
  const GstVitgateRegionResult *result = g_ptr_array_index(self->results, i);

  return !result || self->memory.frame - result->frame >= interval;
}

gboolean gst_vitgate_region_classifier_is_due(const GstVitgateRegionClassifier *self,
                                              guint interval)
{
  gboolean due = FALSE;

  for (guint i = 0; !due && i < self->regions->len; i++)
    due = is_due(self, i, interval);
  return due;
}

static void set_result(GstVitgateRegionClassifier *self, guint i,
                       const GstVitgateRegionInference *inference, const VitgateResult *outcome)
{
  const GstVitgateRegion *region = &g_array_index(self->regions, GstVitgateRegion, i);
  GstVitgateRegionResult *result = gst_vitgate_region_result_new(outcome, inference->n_modules);
  const GstVitgateRegionResult *last = g_ptr_array_index(self->results, i);

  if (last && last->frame >= self->cut)
    gst_vitgate_smoothing_copy(&result->smoothing, &last->smoothing);
  gst_vitgate_smoothing_add(&result->smoothing, inference->smoothing, inference->moment,
                            outcome->probabilities, outcome->unknown);
  result->compute = inference->compute;
  result->frame = self->memory.frame;
  result->inferred_at = inference->stream_time;
  gst_vitgate_region_memory_keep(&self->memory, region, result);
  gst_vitgate_region_result_unref(g_ptr_array_index(self->results, i));
  g_ptr_array_index(self->results, i) = result;
  self->engine += outcome->preprocess_ns + outcome->forward_ns;
  self->gmacs += outcome->gmacs;
}

/* ---- Objects that are followed ---- */

static gboolean are_close(guint a, guint b, guint distance)
{
  return MAX(a, b) - MIN(a, b) <= distance;
}

/* A detector's boxes tremble. The model goes on seeing the same part of the frame while the object
 * stays within a sixteenth of it, so that patches keep their places. */
static void move_view(GstVitgateRegionTrack *track, const VitgateRectangle *wanted)
{
  const VitgateRectangle *view = &track->view;
  const guint x = view->width / 16, y = view->height / 16;

  if (!are_close(view->x, wanted->x, x) || !are_close(view->y, wanted->y, y) ||
      !are_close(view->width, wanted->width, x) || !are_close(view->height, wanted->height, y))
    track->view = *wanted;
}

static void keep_unchanged(GstVitgateRegionClassifier *self, guint i,
                           const GstVitgateRegionInference *inference)
{
  GstVitgateRegionResult *last = g_ptr_array_index(self->results, i);

  last->unchanged = self->memory.frame;
  gst_vitgate_smoothing_add(&last->smoothing, inference->smoothing, inference->moment,
                            last->result.probabilities, last->result.unknown);
}

/* Classifies a region as the next picture of its object.
 * @frame: a copy, whose part is changed */
static gboolean follow(GstVitgateRegionClassifier *self, guint i, GstVitgateRegionTrack *track,
                       const GstVitgateRegionInference *inference, VitgateImage frame,
                       GError **error)
{
  const GstClockTime start = gst_util_get_timestamp();
  GstVitgateRegionResult *last = g_ptr_array_index(self->results, i);
  const VitgateResult *result;
  VitgateResult timed;

  move_view(track, &frame.part);
  frame.part = track->view;
  if (!vitgate_session_preprocess(inference->session, &frame, inference->tensor, error))
    return FALSE;
  vitgate_stream_set_options(track->stream, inference->streams, NULL);
  if (!last ||
      gst_vitgate_is_too_old(last->inferred_at, inference->stream_time, inference->max_age))
    vitgate_stream_expire(track->stream);
  vitgate_stream_look(track->stream, inference->session, inference->tensor);
  const GstClockTime preprocess = gst_util_get_timestamp() - start;
  result = vitgate_session_follow(inference->session, &track->stream, inference->tensor, 1, error);
  if (!result)
    return FALSE;
  if (last && result->decision->pass == VITGATE_PASS_UNCHANGED) {
    keep_unchanged(self, i, inference);
    self->engine += preprocess;
    return TRUE;
  }
  timed = *result;
  timed.preprocess_ns = preprocess;
  set_result(self, i, inference, &timed);
  return TRUE;
}

/* ---- All regions ---- */

/* Regions that are due and are not followed. */
typedef struct {
  VitgateImage images[GST_VITGATE_REGION_BATCH];
  guint regions[GST_VITGATE_REGION_BATCH]; /* their indices */
  guint n;
} Batch;

static gboolean classify_batch(GstVitgateRegionClassifier *self, Batch *batch,
                               const GstVitgateRegionInference *inference, GError **error)
{
  const VitgateResult *results;

  if (batch->n == 0)
    return TRUE;
  results = vitgate_session_classify(inference->session, batch->images, batch->n, error);
  if (!results)
    return FALSE;
  for (guint i = 0; i < batch->n; i++)
    set_result(self, batch->regions[i], inference, &results[i]);
  batch->n = 0;
  return TRUE;
}

/* Classifies region @i, or adds it to @batch. */
static gboolean infer_region(GstVitgateRegionClassifier *self, guint i, Batch *batch,
                             const GstVitgateRegionInference *inference, const VitgateImage *frame,
                             GError **error)
{
  const GstVitgateRegion *region = &g_array_index(self->regions, GstVitgateRegion, i);
  GstVitgateRegionTrack *track = NULL;
  VitgateImage image = *frame;

  image.part = gst_vitgate_region_view(&region->place, frame);
  if (inference->streams)
    track = gst_vitgate_region_memory_follow(&self->memory, region, inference->model);
  if (track)
    return follow(self, i, track, inference, image, error);
  batch->images[batch->n] = image;
  batch->regions[batch->n++] = i;
  return batch->n < GST_VITGATE_REGION_BATCH || classify_batch(self, batch, inference, error);
}

gboolean gst_vitgate_region_classifier_infer(GstVitgateRegionClassifier *self,
                                             const GstVitgateRegionInference *inference,
                                             const VitgateImage *frame, guint interval,
                                             GError **error)
{
  Batch batch;

  batch.n = 0;
  vitgate_session_set_compute(inference->session, inference->compute);
  self->engine = 0;
  self->gmacs = 0;
  for (guint i = 0; i < self->regions->len; i++)
    if (is_due(self, i, interval) && !infer_region(self, i, &batch, inference, frame, error))
      return FALSE;
  if (!classify_batch(self, &batch, inference, error))
    return FALSE;
  self->inferred = self->memory.frame;
  return TRUE;
}
