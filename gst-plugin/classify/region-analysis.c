/* region-analysis.c: the steps that classify the regions of one frame. */
#include "classify/region-analysis.h"

#include "classify/age.h"
#include "classify/region-results.h"

#define GST_CAT_DEFAULT gst_vitgate_debug

/* Each run of frames with skipped regions posts one warning. Frames without regions do not end a
 * run. */
static void warn_skipped(GstVitgate *self, const GstVitgateAnalysis *a,
                         const GstVitgateRegionsSkipped *skipped_regions)
{
  const guint n = self->classifier->regions->regions->len;

  if (skipped_regions->bad > 0 && !self->bad_regions)
    GST_ELEMENT_WARNING(
        self, STREAM, FAILED,
        ("A frame has regions that are empty or lie outside the frame: %u", skipped_regions->bad),
        ("%" GST_PTR_FORMAT, a->buffer));
  if (skipped_regions->beyond > 0 && !self->too_many_regions)
    GST_ELEMENT_WARNING(self, STREAM, FAILED,
                        ("A frame has more regions than max-regions (%u); %u were not classified",
                         a->settings.regions.max, skipped_regions->beyond),
                        ("%" GST_PTR_FORMAT, a->buffer));
  if (skipped_regions->bad > 0 || n > 0) {
    self->bad_regions = skipped_regions->bad > 0;
    self->too_many_regions = skipped_regions->beyond > 0;
  }
}

static void read_regions(GstVitgate *self, const GstVitgateAnalysis *a)
{
  const GstVitgateRegionSettings *settings = &a->settings.regions;
  VitgateRectangle within = { 0 };
  const GstVitgateRegionFilter filter = { .types = settings->object_class,
                                          .min_size = settings->min_size,
                                          .max = settings->max,
                                          .within = &within };
  GstVitgateRegionsSkipped skipped_regions;
  guint width, height;

  gst_vitgate_frame_get_size(&self->layout, a->buffer, &width, &height);
  gst_vitgate_analysis_find_region(self, a, width, height, &within);
  gst_vitgate_region_classifier_read(self->classifier->regions, a->buffer, &filter, width, height,
                                     &skipped_regions);
  warn_skipped(self, a, &skipped_regions);
}

static gboolean is_between_inferences(const GstVitgateRegionClassifier *regions, guint interval)
{
  return regions->inferred > 0 && regions->memory.frame - regions->inferred < interval;
}

void gst_vitgate_region_analysis_decide(GstVitgate *self, GstVitgateAnalysis *a)
{
  const GstVitgateRegionClassifier *regions = self->classifier->regions;

  read_regions(self, a);
  if (regions->regions->len == 0 || gst_vitgate_frame_is_empty(a->buffer))
    a->state = GST_VITGATE_STATE_EMPTY;
  else if (is_between_inferences(regions, a->settings.interval) ||
           !gst_vitgate_region_classifier_is_due(regions, a->settings.regions.interval))
    a->state = GST_VITGATE_STATE_INTERVAL;
  else if (!gst_vitgate_analysis_has_time(self, a))
    a->state = GST_VITGATE_STATE_LATE;
  else
    a->state = GST_VITGATE_STATE_FRESH;
}

/* A tracker may keep its ids over a cut. Only the averages need the whole picture, so it is not
 * preprocessed without them.
 * Returns: FALSE if the engine failed, with @error set. */
static gboolean watch_for_cut(GstVitgate *self, const GstVitgateAnalysis *a,
                              const VitgateImage *image, GError **error)
{
  GstVitgateClassifier *classifier = self->classifier;
  const GstVitgateSmoothingOptions *smoothing = &a->settings.smoothing;
  gboolean cut;

  if (smoothing->time_constant <= 0 && smoothing->hysteresis <= 0)
    return TRUE;
  if (!gst_vitgate_classifier_preprocess(classifier, image, error))
    return FALSE;
  gst_vitgate_analysis_look(self, a, &cut);
  gst_vitgate_views_accept(&classifier->views);
  if (cut)
    classifier->regions->cut = classifier->regions->memory.frame;
  return TRUE;
}

GstFlowReturn gst_vitgate_region_analysis_infer(GstVitgate *self, GstVitgateAnalysis *a)
{
  GstVitgateClassifier *classifier = self->classifier;
  const GstVitgateSmoothingMoment moment = gst_vitgate_analysis_moment(self, a);
  const gboolean follow = a->settings.temporal.mode == GST_VITGATE_TEMPORAL_ON;
  const VitgateStreamOptions streams =
      gst_vitgate_temporal_stream_options(&a->settings.temporal, TRUE, 0);
  GstVitgateRegionInference inference = {
    .session = classifier->session,
    .n_modules = 2 * classifier->info->depth,
    .compute = self->controller.dial,
    .stream_time = a->times.stream_time,
    .smoothing = &a->settings.smoothing,
    .moment = &moment,
    .streams = follow ? &streams : NULL,
    .model = classifier->model,
    .max_age = a->settings.temporal.max_age,
  };
  g_autoptr(GError) error = NULL;
  GstVitgateFrame frame;
  gboolean inferred;

  if (!gst_vitgate_analysis_map(self, a, &frame))
    return GST_FLOW_OK;
  inferred = watch_for_cut(self, a, &frame.image, &error);
  inference.tensor = gst_vitgate_views_lend_tensor(&classifier->views);
  inferred =
      inferred && gst_vitgate_region_classifier_infer(classifier->regions, &inference, &frame.image,
                                                      a->settings.regions.interval, &error);
  gst_vitgate_frame_unmap(&frame);
  if (!inferred)
    return gst_vitgate_analysis_fail(self, error);
  a->compute = inference.compute;
  a->gmacs = classifier->regions->gmacs;
  a->engine = classifier->regions->engine;
  return GST_FLOW_OK;
}

static void attach(GstVitgate *self, const GstVitgateAnalysis *a, guint i, GValue *list)
{
  const GstVitgateRegionClassifier *regions = self->classifier->regions;
  GstVitgateRegionResult *known = g_ptr_array_index(regions->results, i);
  GstVitgateFrameResult result;

  if (!known)
    return;
  result = gst_vitgate_analysis_rank(self, a, &known->result, &known->smoothing);
  result.compute = known->compute;
  result.age = regions->memory.frame - known->frame;
  result.age_time = gst_vitgate_age_time(known->inferred_at, a->times.stream_time);
  result.state = a->state;
  if (result.age == 0)
    result.state = GST_VITGATE_STATE_FRESH;
  else if (known->unchanged == regions->memory.frame)
    result.state = GST_VITGATE_STATE_UNCHANGED;
  else if (a->state == GST_VITGATE_STATE_FRESH)
    result.state = GST_VITGATE_STATE_INTERVAL; /* other regions were due, this one was not */
  gst_vitgate_region_results_attach(
      a->buffer, &g_array_index(regions->regions, GstVitgateRegion, i), &result, list);
}

void gst_vitgate_region_analysis_publish(GstVitgate *self, const GstVitgateAnalysis *a)
{
  const GstVitgateRegionClassifier *regions = self->classifier->regions;
  GValue list = G_VALUE_INIT;
  const GstVitgateRegionResults results = {
    .model = self->classifier->info,
    .list = &list,
    .state = a->state,
    .gmacs = a->gmacs,
    .inference_time = a->engine,
    .look = a->settings.look,
  };

  gst_value_array_init(&list, regions->regions->len);
  for (guint i = 0; i < regions->regions->len; i++)
    attach(self, a, i, &list);
  gst_vitgate_region_results_attach_list(a->buffer, &results);
  if (a->state == GST_VITGATE_STATE_FRESH && a->settings.post_messages)
    gst_element_post_message(GST_ELEMENT(self), gst_vitgate_region_results_message(
                                                    GST_OBJECT(self), &results, &a->times));
  g_value_unset(&list);
}
