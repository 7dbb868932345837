/* analysis.c: what is done for one frame, in the streaming thread. */
#include "analysis.h"

#include "errors.h"
#include "results.h"

static gboolean wants_inference(const GstVitgate *self, GstBuffer *buffer, guint interval)
{
  if (GST_BUFFER_FLAG_IS_SET(buffer, GST_BUFFER_FLAG_GAP) || gst_buffer_get_size(buffer) == 0)
    return FALSE;
  return !self->classifier->result || self->classifier->age >= interval;
}

/* A frame that cannot be read is passed on all the same: an analyser costs no frame. One warning
 * speaks for a whole run of them. */
static void warn_unreadable(GstVitgate *self, GstBuffer *buffer, const char *reason)
{
  if (self->unreadable)
    return;
  self->unreadable = TRUE;
  GST_ELEMENT_WARNING(self, STREAM, FAILED, ("Cannot read a frame: %s", reason),
                      ("%" GST_PTR_FORMAT, buffer));
}

/* @fresh: (out): whether the classifier's result is now that of @buffer */
static GstFlowReturn infer(GstVitgate *self, GstBuffer *buffer, gboolean *fresh)
{
  g_autoptr(GError) error = NULL;
  GstVitgateFrame frame;
  const char *reason;

  *fresh = FALSE;
  if (!gst_vitgate_frame_map(&frame, &self->layout, buffer, &reason)) {
    warn_unreadable(self, buffer, reason);
    return GST_FLOW_OK;
  }
  self->unreadable = FALSE;
  *fresh = gst_vitgate_classifier_infer(self->classifier, &frame.image, &error);
  gst_vitgate_frame_unmap(&frame);
  if (!*fresh) {
    gst_vitgate_post_error(GST_ELEMENT(self), "Cannot classify a frame", error);
    return GST_FLOW_ERROR;
  }
  return GST_FLOW_OK;
}

static void post_result(GstVitgate *self, GstBuffer *buffer, const GstVitgateFrameResult *result)
{
  const GstSegment *segment = &GST_BASE_TRANSFORM(self)->segment;
  GstVitgateFrameTimes times = {
    .timestamp = GST_BUFFER_PTS(buffer),
    .duration = GST_BUFFER_DURATION(buffer),
    .stream_time = GST_CLOCK_TIME_NONE,
    .running_time = GST_CLOCK_TIME_NONE,
  };

  if (segment->format == GST_FORMAT_TIME) {
    times.stream_time = gst_segment_to_stream_time(segment, GST_FORMAT_TIME, times.timestamp);
    times.running_time = gst_segment_to_running_time(segment, GST_FORMAT_TIME, times.timestamp);
  }
  gst_element_post_message(GST_ELEMENT(self),
                           gst_vitgate_results_message(GST_OBJECT(self), result, &times));
}

/* Attaches what the classifier knows, fresh or old, in the form that the user asked for. */
static void publish(GstVitgate *self, GstBuffer *buffer, guint top_k, float threshold,
                    gboolean post)
{
  GstVitgateClassifier *classifier = self->classifier;
  const GstVitgateFrameResult result = {
    .model = classifier->info,
    .result = classifier->result,
    .labels = classifier->labels,
    .indices = classifier->indices,
    .scores = classifier->scores,
    .n = gst_vitgate_classifier_top_k(classifier, top_k, threshold),
    .age = classifier->age,
  };

  gst_vitgate_results_attach(buffer, &result, self->layout.image.width, self->layout.image.height);
  if (post)
    post_result(self, buffer, &result);
}

static void count(GstVitgate *self, gboolean fresh, GstClockTime processing)
{
  const VitgateResult *result = self->classifier->result;
  gboolean new_latency = FALSE;

  GST_OBJECT_LOCK(self);
  if (fresh)
    new_latency = gst_vitgate_stats_add_inference(
        &self->stats, processing, result->preprocess_ns + result->forward_ns, result->gmacs);
  else
    gst_vitgate_stats_add_frame(&self->stats);
  GST_OBJECT_UNLOCK(self);

  if (new_latency)
    gst_element_post_message(GST_ELEMENT(self), gst_message_new_latency(GST_OBJECT(self)));
}

GstFlowReturn gst_vitgate_analyse(GstVitgate *self, GstBuffer *buffer)
{
  const GstClockTime start = gst_util_get_timestamp();
  GstVitgateSettings settings;
  gboolean fresh = FALSE;

  GST_OBJECT_LOCK(self);
  settings = self->settings;
  GST_OBJECT_UNLOCK(self);

  if (self->classifier->result)
    self->classifier->age++;
  if (wants_inference(self, buffer, settings.interval)) {
    const GstFlowReturn flow = infer(self, buffer, &fresh);
    if (flow != GST_FLOW_OK)
      return flow;
  }
  if (self->classifier->result)
    publish(self, buffer, settings.top_k, settings.threshold, fresh && settings.post_messages);
  count(self, fresh, gst_util_get_timestamp() - start);
  return GST_FLOW_OK;
}
