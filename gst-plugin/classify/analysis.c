/* analysis.c: what is done for one frame, in the streaming thread, step by step. */
#include "classify/analysis.h"

#include "classify/age.h"
#include "classify/classifier-loader.h"
#include "common/errors.h"

#define GST_CAT_DEFAULT gst_vitgate_debug

/* A cut changes at least CUT_SHARE of the picture's cells by more than CUT_CHANGE of full scale. Of
 * 1,000 photographs of train-more.tar, each differs from the next by at least 0.52; frames of
 * car-detection.mp4, in which cars pass close by, by at most 0.21. */
#define CUT_SHARE  0.5
#define CUT_CHANGE 0.1

/* ---- Before -------------------------------------------------------------------------------- */

/* How late a frame of a live pipeline arrived. */
static GstClockTimeDiff lateness(GstVitgate *self, GstClockTime running_time, GstClockTime latency)
{
  GstClock *clock = gst_element_get_clock(GST_ELEMENT(self));
  GstClockTime due, now;

  if (!clock)
    return 0;
  due = gst_element_get_base_time(GST_ELEMENT(self)) + running_time + latency;
  now = gst_clock_get_time(clock);
  gst_object_unref(clock);
  return GST_CLOCK_DIFF(due, now);
}

/* Puts a region that was set while playing to use. Results of what was seen before say nothing
 * about it. */
static void take_region(GstVitgate *self, const GstVitgateFixedRegion *region)
{
  g_autoptr(GError) error = NULL;

  if (gst_vitgate_fixed_region_equal(region, &self->asked_region))
    return;
  self->asked_region = *region;
  if (!gst_vitgate_fixed_region_check(region, self->layout.image.width, self->layout.image.height,
                                      &error)) {
    gst_vitgate_post_warning(GST_ELEMENT(self), GST_VITGATE_BAD_REGION, error);
    return;
  }
  self->region = *region;
  if (!self->classifier->regions)
    gst_vitgate_classifier_forget(self->classifier);
}

void gst_vitgate_analysis_begin(GstVitgate *self, GstVitgateAnalysis *a, GstBuffer *buffer)
{
  GstClockTime upstream_latency, late_frame;

  *a = (GstVitgateAnalysis){
    .buffer = buffer,
    .times = gst_vitgate_frame_times(GST_ELEMENT(self), &GST_BASE_TRANSFORM(self)->segment, buffer),
    .start = gst_util_get_timestamp(),
  };
  GST_OBJECT_LOCK(self);
  if (gst_vitgate_loader_swap(self)) {
    gst_vitgate_controller_restart(&self->controller);
    gst_vitgate_stats_set_model(&self->stats, self->classifier);
  }
  a->settings = self->settings;
  a->settings.model = a->settings.labels = a->settings.region = NULL;
  upstream_latency = self->upstream_latency;
  late_frame = self->late_frame;
  self->late_frame = GST_CLOCK_TIME_NONE;
  GST_OBJECT_UNLOCK(self);

  take_region(self, &a->settings.fixed_region);
  if (GST_CLOCK_TIME_IS_VALID(late_frame))
    gst_vitgate_controller_record_late(&self->controller, late_frame);
  if (a->settings.budget > 0 && GST_CLOCK_TIME_IS_VALID(upstream_latency) &&
      GST_CLOCK_TIME_IS_VALID(a->times.running_time))
    a->lateness = lateness(self, a->times.running_time, upstream_latency);
  self->classifier->frame++;
  if (self->classifier->result)
    self->classifier->age++;
}

/* ---- Decisions ----------------------------------------------------------------------------- */

static GstVitgateControllerLimits controller_limits(const GstVitgate *self,
                                                    const GstVitgateSettings *settings)
{
  const VitgateModelInfo *info = self->classifier->info;
  const double asked = settings->compute < 0 ? info->default_compute : settings->compute;
  const double max = CLAMP(asked, info->min_compute, info->max_compute);

  return (GstVitgateControllerLimits){
    .budget = settings->budget,
    .min = CLAMP(settings->min_compute, info->min_compute, max),
    .max = max,
  };
}

gboolean gst_vitgate_analysis_has_time(GstVitgate *self, const GstVitgateAnalysis *a)
{
  const GstVitgateControllerLimits limits = controller_limits(self, &a->settings);

  return gst_vitgate_controller_admit(&self->controller, &limits, a->start, a->times.running_time,
                                      a->lateness);
}

void gst_vitgate_analysis_decide(GstVitgate *self, GstVitgateAnalysis *a)
{
  const GstVitgateClassifier *classifier = self->classifier;

  if (gst_vitgate_frame_is_empty(a->buffer))
    a->state = GST_VITGATE_STATE_EMPTY;
  else if (classifier->result && classifier->age < a->settings.interval)
    a->state = GST_VITGATE_STATE_INTERVAL;
  else if (!gst_vitgate_analysis_has_time(self, a) && classifier->result)
    a->state = GST_VITGATE_STATE_LATE; /* the first result is made even if it comes late */
  else
    a->state = GST_VITGATE_STATE_FRESH;
}

/* The share of the budget that a full pass may take, so that other work fits beside it. */
#define FULL_SHARE 0.9

/* The compute ratio of a full pass of one view that the budget has time for; 0: any. */
static double max_compute(const GstVitgateClassifier *classifier, GstClockTime budget)
{
  if (budget == 0 || classifier->whole_time <= 0)
    return 0;
  return MIN(1, FULL_SHARE * budget / (classifier->whole_time * classifier->views.n));
}

gboolean gst_vitgate_analysis_look(GstVitgate *self, const GstVitgateAnalysis *a, gboolean *cut)
{
  GstVitgateClassifier *classifier = self->classifier;
  const VitgateStreamOptions options = gst_vitgate_temporal_stream_options(
      &a->settings.temporal, classifier->temporal, max_compute(classifier, a->settings.budget));
  const gboolean unchanged =
      gst_vitgate_classifier_look(classifier, self->controller.dial, &options);

  *cut = gst_vitgate_views_changed_share(&classifier->views, CUT_CHANGE) >= CUT_SHARE;
  return unchanged;
}

/* Whether the last result can be reused for the picture just preprocessed. */
static gboolean is_unchanged(GstVitgate *self, const GstVitgateAnalysis *a)
{
  GstVitgateClassifier *classifier = self->classifier;
  gboolean cut, unchanged;

  if (classifier->result && gst_vitgate_is_too_old(classifier->inferred_at, a->times.stream_time,
                                                   a->settings.temporal.max_age))
    gst_vitgate_views_expire(&classifier->views);
  unchanged = gst_vitgate_analysis_look(self, a, &cut);
  if (cut)
    gst_vitgate_smoothing_restart(&classifier->smoothing);
  return unchanged;
}

/* ---- Pixels -------------------------------------------------------------------------------- */

/* A frame that cannot be read is passed on, since an analyser never drops a frame. Each run of such
 * frames posts one warning. */
static void warn_unreadable(GstVitgate *self, GstBuffer *buffer, const char *reason)
{
  if (self->unreadable)
    return;
  self->unreadable = TRUE;
  GST_ELEMENT_WARNING(self, STREAM, FAILED, ("Cannot read a frame: %s", reason),
                      ("%" GST_PTR_FORMAT, buffer));
}

gboolean gst_vitgate_analysis_find_region(GstVitgate *self, const GstVitgateAnalysis *a,
                                          guint width, guint height, VitgateRectangle *place)
{
  if (gst_vitgate_fixed_region_place(&self->region, width, height, place))
    return TRUE;
  *place = (VitgateRectangle){ 0 };
  warn_unreadable(self, a->buffer, "the region reaches beyond its visible part");
  return FALSE;
}

/* Narrows @frame to the part to look at. */
static gboolean narrow(GstVitgate *self, const GstVitgateAnalysis *a, GstVitgateFrame *frame)
{
  VitgateRectangle place;

  if (self->classifier->regions || !self->region.set)
    return TRUE;
  if (!gst_vitgate_analysis_find_region(self, a, frame->image.width, frame->image.height, &place))
    return FALSE;
  gst_vitgate_frame_narrow(frame, &place);
  return TRUE;
}

gboolean gst_vitgate_analysis_map(GstVitgate *self, GstVitgateAnalysis *a, GstVitgateFrame *frame)
{
  const char *reason;

  a->state = GST_VITGATE_STATE_EMPTY;
  if (!gst_vitgate_frame_map(frame, &self->layout, a->buffer, &reason)) {
    warn_unreadable(self, a->buffer, reason);
    return FALSE;
  }
  if (!narrow(self, a, frame)) {
    gst_vitgate_frame_unmap(frame);
    return FALSE;
  }
  a->state = GST_VITGATE_STATE_FRESH;
  self->unreadable = FALSE;
  frame->image.orientation =
      gst_vitgate_orientation_choose(&self->orientation_tags, a->settings.orientation);
  self->classifier->views.x = frame->x;
  self->classifier->views.y = frame->y;
  return TRUE;
}

GstFlowReturn gst_vitgate_analysis_fail(GstVitgate *self, const GError *error)
{
  gst_vitgate_post_error(GST_ELEMENT(self), "Cannot classify a frame", error);
  return GST_FLOW_ERROR;
}

GstVitgateSmoothingMoment gst_vitgate_analysis_moment(const GstVitgate *self,
                                                      const GstVitgateAnalysis *a)
{
  return (GstVitgateSmoothingMoment){
    .time = a->times.stream_time,
    .frame_duration = self->frame_duration,
    .frame = self->classifier->frame,
    .backwards = GST_BASE_TRANSFORM(self)->segment.rate < 0,
    .discontinuous = GST_BUFFER_FLAG_IS_SET(a->buffer, GST_BUFFER_FLAG_DISCONT),
  };
}

/* Adds the last result to the average of whole frames. */
static void add_to_average(GstVitgate *self, const GstVitgateAnalysis *a)
{
  const GstVitgateSmoothingMoment moment = gst_vitgate_analysis_moment(self, a);

  gst_vitgate_smoothing_add(&self->classifier->smoothing, &a->settings.smoothing, &moment,
                            self->classifier->result->probabilities,
                            self->classifier->result->unknown);
}

GstFlowReturn gst_vitgate_analysis_preprocess(GstVitgate *self, GstVitgateAnalysis *a)
{
  g_autoptr(GError) error = NULL;
  GstVitgateFrame frame;
  gboolean seen;

  if (!gst_vitgate_analysis_map(self, a, &frame))
    return GST_FLOW_OK;
  seen = gst_vitgate_classifier_preprocess(self->classifier, &frame.image, &error);
  gst_vitgate_frame_unmap(&frame);
  if (!seen)
    return gst_vitgate_analysis_fail(self, error);
  if (is_unchanged(self, a)) {
    a->state = GST_VITGATE_STATE_UNCHANGED;
    a->pass = VITGATE_PASS_UNCHANGED;
    add_to_average(self, a); /* an inference would find the same again */
  }
  return GST_FLOW_OK;
}

GstFlowReturn gst_vitgate_analysis_infer(GstVitgate *self, GstVitgateAnalysis *a)
{
  g_autoptr(GError) error = NULL;
  const VitgateResult *result;

  a->compute = self->classifier->compute;
  if (!gst_vitgate_classifier_infer(self->classifier, a->times.stream_time, &error))
    return gst_vitgate_analysis_fail(self, error);
  result = self->classifier->result;
  add_to_average(self, a);
  a->pass = result->decision->pass;
  a->compute_ratio = result->compute_ratio;
  a->engine = result->preprocess_ns + result->forward_ns;
  a->gmacs = result->gmacs;
  return GST_FLOW_OK;
}

/* ---- After --------------------------------------------------------------------------------- */

GstVitgateFrameResult gst_vitgate_analysis_rank(GstVitgate *self, const GstVitgateAnalysis *a,
                                                const VitgateResult *result,
                                                GstVitgateSmoothing *smoothing)
{
  GstVitgateClassifier *classifier = self->classifier;
  const GstVitgateRankingOptions options = {
    .top_k = a->settings.top_k,
    .threshold = a->settings.threshold,
    .hysteresis = a->settings.smoothing.hysteresis,
    .unknown_threshold = (float)a->settings.unknown_threshold,
  };

  gst_vitgate_classifier_rank(classifier, result, smoothing, &options);
  return (GstVitgateFrameResult){
    .model = classifier->info,
    .look = a->settings.look,
    .result = result,
    .labels = classifier->labels,
    .indices = classifier->found.indices,
    .scores = classifier->found.scores,
    .n = classifier->found.n,
    .raw_indices = classifier->raw.indices,
    .raw_scores = classifier->raw.scores,
    .n_raw = classifier->raw.n,
    .unknown = smoothing->unknown,
  };
}

/* An application that follows the messages learns that a scene stands still, too. */
static gboolean was_looked_at(const GstVitgateAnalysis *a)
{
  return a->state == GST_VITGATE_STATE_FRESH || a->state == GST_VITGATE_STATE_UNCHANGED;
}

void gst_vitgate_analysis_publish(GstVitgate *self, const GstVitgateAnalysis *a)
{
  GstVitgateClassifier *classifier = self->classifier;
  GstVitgateFrameResult result;

  if (!classifier->result)
    return;
  result = gst_vitgate_analysis_rank(self, a, classifier->result, &classifier->smoothing);
  result.compute = classifier->result_compute;
  result.age = classifier->age;
  result.age_time = gst_vitgate_age_time(classifier->inferred_at, a->times.stream_time);
  result.state = a->state;
  result.view = classifier->views.seen;
  result.n_views = classifier->views.n;
  result.tokens = classifier->views.tokens;
  result.n_tokens = a->settings.token_map ? classifier->views.n_tokens : 0;
  result.features = a->settings.features ? classifier->result->features : NULL;
  gst_vitgate_results_attach(a->buffer, &result);
  if (was_looked_at(a) && a->settings.post_messages)
    gst_element_post_message(GST_ELEMENT(self),
                             gst_vitgate_results_message(GST_OBJECT(self), &result, &a->times));
}

/* Posts a QOS message that reports the new strategy. */
static void post_strategy(GstVitgate *self, const GstVitgateAnalysis *a, gboolean live,
                          guint64 inferred, guint64 skipped)
{
  const GstVitgateController *controller = &self->controller;
  const double share = controller->reported == GST_VITGATE_STRATEGY_SKIP
                           ? 0
                           : controller->dial / controller->limits.max;
  GstMessage *message =
      gst_message_new_qos(GST_OBJECT(self), live, a->times.running_time, a->times.stream_time,
                          a->times.timestamp, a->times.duration);

  gst_message_set_qos_values(message, a->lateness, share, (gint)(share * 1000000));
  gst_message_set_qos_stats(message, GST_FORMAT_BUFFERS, inferred, skipped);
  gst_element_post_message(GST_ELEMENT(self), message);
}

static void count(GstVitgateStats *stats, const GstVitgateAnalysis *a, GstClockTime processing)
{
  if (a->state == GST_VITGATE_STATE_FRESH) {
    gst_vitgate_stats_add_inference(stats, processing, a->engine, a->gmacs);
    stats->compute = a->compute;
    return;
  }
  gst_vitgate_stats_add_frame(stats);
  if (a->state == GST_VITGATE_STATE_UNCHANGED)
    stats->reused++;
  else if (a->state == GST_VITGATE_STATE_LATE)
    stats->skipped++;
}

/* The latency reported is at most the budget. Call with the object lock held.
 * Returns: whether the latency to report has changed. */
static gboolean update_latency(GstVitgate *self, GstClockTime budget)
{
  const GstClockTime before = self->latency, worst = self->stats.latency;

  self->latency = budget > 0 ? MIN(worst, budget) : worst;
  return self->latency != before;
}

/* Updates say nothing about what the dial sets, the time of whole passes, unless even they take too
 * long. */
static void record_time(GstVitgate *self, const GstVitgateAnalysis *a, GstClockTime now,
                        GstClockTime processing)
{
  if (!self->classifier->regions)
    gst_vitgate_classifier_record_time(self->classifier, processing);
  if (a->pass == VITGATE_PASS_UPDATED && processing <= a->settings.budget)
    return;
  gst_vitgate_controller_record(&self->controller, now, processing);
}

void gst_vitgate_analysis_end(GstVitgate *self, const GstVitgateAnalysis *a)
{
  const GstClockTime now = gst_util_get_timestamp(), processing = now - a->start;
  gboolean new_latency, live;
  guint64 inferred, skipped;

  if (a->state == GST_VITGATE_STATE_FRESH)
    record_time(self, a, now, processing);

  GST_OBJECT_LOCK(self);
  count(&self->stats, a, processing);
  if (!self->classifier->regions && was_looked_at(a))
    gst_vitgate_stats_add_pass(&self->stats, a->pass, a->compute_ratio);
  new_latency = update_latency(self, a->settings.budget);
  live = GST_CLOCK_TIME_IS_VALID(self->upstream_latency);
  inferred = self->stats.inferred;
  skipped = self->stats.skipped;
  GST_OBJECT_UNLOCK(self);

  if (gst_vitgate_controller_has_report(&self->controller, now))
    post_strategy(self, a, live, inferred, skipped);
  if (new_latency)
    gst_element_post_message(GST_ELEMENT(self), gst_message_new_latency(GST_OBJECT(self)));
}
