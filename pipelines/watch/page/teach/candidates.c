#include "page/teach/candidates.h"

#include <gst/app/gstappsink.h>
#include <gst/app/gstappsrc.h>

#include "pick/picker.h"

struct _Candidates {
  char *unsorted;
  double threshold;
  CandidatesFunc func;
  gpointer user_data;
  GstElement *pipeline;
  GstAppSrc *source;
  guint bus_watch;
  gboolean has_model;
  guint64 n_offered;

  Picker *picker; /* used by the streaming thread */

  GMutex lock;
  gboolean busy;
  char *name;
  /* What became of the picture, until the main context has taken it. */
  gboolean kept;
  double probability;
  char *guess;
  GError *error;
  guint idle;
};

/* ---- In the streaming thread --------------------------------------------------------------- */

/* Called in the main context. */
static gboolean report(gpointer user_data)
{
  Candidates *self = user_data;
  g_mutex_lock(&self->lock);
  g_autofree char *name = g_steal_pointer(&self->name);
  g_autofree char *guess = g_steal_pointer(&self->guess);
  g_autoptr(GError) error = g_steal_pointer(&self->error);
  const Candidate candidate = { self->kept, name, self->probability, guess, error };
  self->idle = 0;
  self->busy = FALSE;
  g_mutex_unlock(&self->lock);
  self->func(&candidate, self->user_data);
  return G_SOURCE_REMOVE;
}

/* @error: (transfer full) (nullable) */
static void finish(Candidates *self, gboolean kept, double probability, const char *guess,
                   GError *error)
{
  g_mutex_lock(&self->lock);
  self->kept = kept;
  self->probability = probability;
  self->guess = g_strdup(guess);
  g_clear_error(&self->error);
  self->error = error;
  if (!self->idle)
    self->idle = g_idle_add(report, self);
  g_mutex_unlock(&self->lock);
}

/* Stores the picture if it differs, and is doubtful. */
static void look(Candidates *self, GstSample *sample, const char *name)
{
  GError *error = NULL;
  gboolean fresh, differs, kept = FALSE;
  double probability = -1;
  const char *guess = NULL;
  const GstStructure *labels =
      self->has_model ? picker_find(gst_sample_get_buffer(sample), PICKER_LABELS) : NULL;
  if (labels) {
    guess = gst_structure_get_string(labels, "label");
    gst_structure_get_double(labels, "score", &probability);
  }
  const gboolean wanted = !self->has_model || picker_is_doubtful(labels, self->threshold);
  if (picker_look(self->picker, sample, &fresh, &differs, &error) && differs && wanted)
    kept = picker_keep(self->picker, sample, self->unsorted, name, GST_VIDEO_ORIENTATION_IDENTITY,
                       &error);
  finish(self, kept, probability, guess, error);
}

static GstFlowReturn on_sample(GstAppSink *sink, gpointer user_data)
{
  Candidates *self = user_data;
  g_autoptr(GstSample) sample = gst_app_sink_pull_sample(sink);
  if (!sample)
    return GST_FLOW_EOS;
  g_mutex_lock(&self->lock);
  g_autofree char *name = g_strdup(self->name);
  g_mutex_unlock(&self->lock);
  if (name)
    look(self, sample, name);
  return GST_FLOW_OK;
}

/* ---- In the main context ------------------------------------------------------------------- */

static gboolean on_message(GstBus *bus, GstMessage *message, gpointer user_data)
{
  Candidates *self = user_data;
  GError *error = NULL;
  if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_ERROR) {
    gst_message_parse_error(message, &error, NULL);
    finish(self, FALSE, -1, NULL, error);
  }
  return G_SOURCE_CONTINUE;
}

/* The results of the camera's own looks must not be taken for those of this pipeline. */
static gboolean drop_result(GstBuffer *buffer, GstMeta **meta, gpointer user_data)
{
  if ((*meta)->info->api != GST_VIDEO_META_API_TYPE)
    *meta = NULL;
  return TRUE;
}

gboolean candidates_is_busy(Candidates *self)
{
  g_mutex_lock(&self->lock);
  const gboolean busy = self->busy;
  g_mutex_unlock(&self->lock);
  return busy;
}

void candidates_offer(Candidates *self, GstSample *sample, GDateTime *time)
{
  GstBuffer *buffer = gst_buffer_copy(gst_sample_get_buffer(sample));
  gst_buffer_foreach_meta(buffer, drop_result, NULL);
  GST_BUFFER_PTS(buffer) = self->n_offered++ * GST_SECOND;
  GST_BUFFER_DTS(buffer) = GST_BUFFER_DURATION(buffer) = GST_CLOCK_TIME_NONE;
  g_mutex_lock(&self->lock);
  self->busy = TRUE;
  g_free(self->name);
  self->name = picker_time_name(time);
  g_mutex_unlock(&self->lock);
  g_autoptr(GstSample) copy = gst_sample_new(buffer, gst_sample_get_caps(sample), NULL, NULL);
  gst_buffer_unref(buffer);
  gst_app_src_push_sample(self->source, copy);
}

static void set_up(GstElement *pipeline, const char *name, const char *region, const char *model)
{
  g_autoptr(GstElement) vitgate = gst_bin_get_by_name(GST_BIN(pipeline), name);
  g_object_set(vitgate, "region", region, "look", name, "smoothing", 0.0, "hysteresis", 0.0, NULL);
  gst_util_set_object_arg(G_OBJECT(vitgate), "temporal", "off");
  if (model)
    g_object_set(vitgate, "model", model, NULL);
  else
    gst_util_set_object_arg(G_OBJECT(vitgate), "fit", "squash");
}

static gboolean build(Candidates *self, const CandidatesOptions *options, GError **error)
{
  g_autofree char *line =
      g_strdup_printf("appsrc name=source format=time max-buffers=2 ! videoconvert ! "
                      "vitgate name=" PICKER_FEATURES " features=true ! %s"
                      "appsink name=sink sync=false max-buffers=2 enable-last-sample=false",
                      options->model ? "vitgate name=" PICKER_LABELS " ! " : "");
  self->pipeline = gst_parse_launch_full(line, NULL, GST_PARSE_FLAG_FATAL_ERRORS, error);
  if (!self->pipeline)
    return FALSE;
  set_up(self->pipeline, PICKER_FEATURES, options->region, NULL);
  if (options->model)
    set_up(self->pipeline, PICKER_LABELS, options->region, options->model);
  g_autoptr(GstElement) sink = gst_bin_get_by_name(GST_BIN(self->pipeline), "sink");
  GstAppSinkCallbacks callbacks = { .new_sample = on_sample };
  gst_app_sink_set_callbacks(GST_APP_SINK(sink), &callbacks, self, NULL);
  self->source = GST_APP_SRC(gst_bin_get_by_name(GST_BIN(self->pipeline), "source"));
  g_autoptr(GstBus) bus = gst_element_get_bus(self->pipeline);
  self->bus_watch = gst_bus_add_watch(bus, on_message, self);
  gst_element_set_state(self->pipeline, GST_STATE_PLAYING);
  return TRUE;
}

Candidates *candidates_new(const CandidatesOptions *options, CandidatesFunc func,
                           gpointer user_data, GError **error)
{
  Candidates *self = g_new0(Candidates, 1);
  g_mutex_init(&self->lock);
  self->unsorted = g_strdup(options->unsorted);
  self->threshold = options->threshold;
  self->has_model = options->model != NULL;
  self->func = func;
  self->user_data = user_data;
  self->picker = picker_new(options->folder, PICKER_SIMILAR);
  if (!build(self, options, error))
    candidates_free(&self);
  return self;
}

void candidates_free(Candidates **candidates)
{
  Candidates *self = g_steal_pointer(candidates);
  if (!self)
    return;
  if (self->bus_watch)
    g_source_remove(self->bus_watch);
  if (self->pipeline) {
    gst_element_set_state(self->pipeline, GST_STATE_NULL);
    gst_object_unref(self->pipeline);
  }
  g_clear_object(&self->source);
  if (self->idle)
    g_source_remove(self->idle);
  picker_free(&self->picker);
  g_clear_error(&self->error);
  g_mutex_clear(&self->lock);
  g_free(self->unsorted);
  g_free(self->name);
  g_free(self->guess);
  g_free(self);
}
