/* region-classifier.c: classifies the regions of frames. */
#include "classify/region-classifier.h"

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
                            outcome->probabilities);
  result->compute = inference->compute;
  result->frame = self->memory.frame;
  result->inferred_at = inference->stream_time;
  gst_vitgate_region_memory_keep(&self->memory, region, result);
  gst_vitgate_region_result_unref(g_ptr_array_index(self->results, i));
  g_ptr_array_index(self->results, i) = result;
  self->engine += outcome->preprocess_ns + outcome->forward_ns;
  self->gmacs += outcome->gmacs;
}

gboolean gst_vitgate_region_classifier_infer(GstVitgateRegionClassifier *self,
                                             const GstVitgateRegionInference *inference,
                                             const VitgateImage *frame, guint interval,
                                             GError **error)
{
  VitgateImage images[GST_VITGATE_REGION_BATCH];
  guint batch[GST_VITGATE_REGION_BATCH], n = 0; /* indices of the regions in @images */

  vitgate_session_set_compute(inference->session, inference->compute);
  self->engine = 0;
  self->gmacs = 0;
  for (guint i = 0; i < self->regions->len; i++) {
    if (is_due(self, i, interval)) {
      const GstVitgateRegion *region = &g_array_index(self->regions, GstVitgateRegion, i);
      images[n] = *frame;
      images[n].part = gst_vitgate_region_view(&region->place, frame);
      batch[n++] = i;
    }
    if (n == 0 || (n < GST_VITGATE_REGION_BATCH && i + 1 < self->regions->len))
      continue;
    const VitgateResult *results = vitgate_session_classify(inference->session, images, n, error);
    if (!results)
      return FALSE;
    for (guint b = 0; b < n; b++)
      set_result(self, batch[b], inference, &results[b]);
    n = 0;
  }
  self->inferred = self->memory.frame;
  return TRUE;
}
