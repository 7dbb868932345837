#include "camera/analysis.h"

#include <string.h>

#include "base/times.h"
#include "camera/model-stamp.h"

#define WHOLE_FRAME "vitgate"
#define LOOK        "vitgate-look-%u"

/* Frames are never exactly as far apart as their times say. */
#define TOLERANCE GST_MSECOND

/* An element, and what it looks at. */
typedef struct {
  GstElement *vitgate;
  const LookConfig *look;
  const char *model, *labels; /* (nullable): files, as the element was told */
  char *stamp;                /* (nullable): of the model's files that were loaded */

  /* With an interval, used by the streaming thread: */
  GstClockTime interval;
  GstClockTime last; /* running time of the last frame that was due */
  gboolean is_due;   /* what the element was told last */
  guint64 n_late;    /* frames that were due and had no time for an inference */
} Part;

struct _Analysis {
  GPtrArray *parts; /* of Part */
  GMutex lock;      /* of models and stamps */
};

char *analysis_describe(const CameraConfig *config)
{
  GString *line = g_string_new(NULL);
  if (config->whole_frame)
    g_string_append(line, "vitgate name=" WHOLE_FRAME " ! ");
  for (guint i = 0; i < config->looks->len; i++)
    g_string_append_printf(line, "vitgate name=" LOOK " ! ", i);
  g_string_truncate(line, line->len - strlen(" ! "));
  return g_string_free(line, FALSE);
}

/* ---- Time between inferences --------------------------------------------------------------- */

/* The element's own interval counts frames. So before a frame that is due it is told to infer every
 * frame, and before the others to infer none. */
static void set_due(Part *self, gboolean due)
{
  if (due != self->is_due)
    g_object_set(self->vitgate, "inference-interval", due ? 1 : G_MAXINT, NULL);
  self->is_due = due;
}

/* Returns: whether the frame before, which was due, had no time for an inference */
static gboolean was_late(Part *self)
{
  g_autoptr(GstStructure) stats = NULL;
  guint64 n_late = self->n_late;
  if (!self->is_due)
    return FALSE;
  g_object_get(self->vitgate, "stats", &stats, NULL);
  gst_structure_get_uint64(stats, "skipped", &self->n_late);
  return self->n_late > n_late;
}

static GstPadProbeReturn on_frame(GstPad *pad, GstPadProbeInfo *info, gpointer user_data)
{
  Part *self = user_data;
  g_autoptr(GstEvent) event = gst_pad_get_sticky_event(pad, GST_EVENT_SEGMENT, 0);
  const GstSegment *segment;
  if (!event)
    return GST_PAD_PROBE_OK;
  gst_event_parse_segment(event, &segment);
  GstClockTime now = gst_segment_to_running_time(segment, GST_FORMAT_TIME,
                                                 GST_BUFFER_PTS(GST_PAD_PROBE_INFO_BUFFER(info)));
  if (!GST_CLOCK_TIME_IS_VALID(now))
    return GST_PAD_PROBE_OK;
  gboolean due = !GST_CLOCK_TIME_IS_VALID(self->last) || now < self->last || was_late(self) ||
                 now - self->last + TOLERANCE >= self->interval;
  if (due)
    self->last = now;
  set_due(self, due);
  return GST_PAD_PROBE_OK;
}

static void start_interval(Part *self)
{
  g_autoptr(GstPad) sink = gst_element_get_static_pad(self->vitgate, "sink");
  self->interval = time_to_nanoseconds(self->look->interval);
  self->last = GST_CLOCK_TIME_NONE;
  set_due(self, TRUE);
  gst_pad_add_probe(sink, GST_PAD_PROBE_TYPE_BUFFER, on_frame, self, NULL);
}

/* ---- Properties ---------------------------------------------------------------------------- */

/* @value: negative: the element's default */
static void set_or_reset(GstElement *vitgate, const char *property, double value)
{
  GParamSpec *spec = g_object_class_find_property(G_OBJECT_GET_CLASS(vitgate), property);
  if (value < 0)
    g_object_set_property(G_OBJECT(vitgate), property, g_param_spec_get_default_value(spec));
  else
    g_object_set(vitgate, property, value, NULL);
}

/* @n_parts: elements that share the budget */
static void set_live(GstElement *vitgate, const LiveSettings *settings, guint n_parts)
{
  set_or_reset(vitgate, "compute", settings->compute);
  set_or_reset(vitgate, "change-threshold", settings->change_threshold);
  set_or_reset(vitgate, "reuse-threshold", settings->reuse_threshold);
  set_or_reset(vitgate, "unknown-threshold", settings->unknown_threshold);
  gst_util_set_object_arg(G_OBJECT(vitgate), "temporal", config_temporals[settings->temporal]);
  g_object_set(vitgate, "max-age", time_to_nanoseconds(settings->max_age), "latency-budget",
               time_to_nanoseconds(settings->latency_budget / n_parts), NULL);
}

void analysis_set_live(Analysis *self, const char *look, const LiveSettings *settings)
{
  for (guint i = 0; i < self->parts->len; i++) {
    const Part *part = self->parts->pdata[i];
    if (g_strcmp0(part->look->name, look) == 0)
      set_live(part->vitgate, settings, self->parts->len);
  }
}

/* @n_parts: elements that share the budget */
static void set_up(Part *self, const CameraConfig *config, guint n_parts)
{
  const LiveSettings live = live_settings_of(config, self->look);
  const LookConfig *look = self->look;
  GObject *vitgate = G_OBJECT(self->vitgate);
  g_object_set(vitgate, "model", look->model, "labels", look->model_labels, "threads",
               config->threads, "top-k", look_top_k(look), "threshold", 0.0, "inference-interval",
               config->interval, "look", look->name, "region", look->region, "refresh-interval",
               look->refresh_interval, NULL);
  gst_util_set_object_arg(vitgate, "precision", config_precisions[look->precision]);
  gst_util_set_object_arg(vitgate, "fit", config_fits[look->fit]);
  if (look->min_compute >= 0)
    g_object_set(vitgate, "min-compute", look->min_compute, NULL);
  set_live(self->vitgate, &live, n_parts);
  if (look->interval > 0)
    start_interval(self);
}

static Part *add_part(Analysis *self, GstBin *pipeline, const char *name, const LookConfig *look)
{
  Part *part = g_new0(Part, 1);
  part->vitgate = gst_bin_get_by_name(pipeline, name);
  part->look = look;
  part->model = look->model;
  part->labels = look->model_labels;
  part->stamp = look->model ? model_stamp_new(look->model, look->model_labels) : NULL;
  g_ptr_array_add(self->parts, part);
  return part;
}

static void part_free(gpointer data)
{
  Part *part = data;
  g_clear_object(&part->vitgate);
  g_free(part->stamp);
  g_free(part);
}

Analysis *analysis_new(GstBin *pipeline, const CameraConfig *config)
{
  Analysis *self = g_new0(Analysis, 1);
  self->parts = g_ptr_array_new_with_free_func(part_free);
  g_mutex_init(&self->lock);
  if (config->whole_frame)
    add_part(self, pipeline, WHOLE_FRAME, &config->whole);
  for (guint i = 0; i < config->looks->len; i++) {
    g_autofree char *name = g_strdup_printf(LOOK, i);
    add_part(self, pipeline, name, config->looks->pdata[i]);
  }
  for (guint i = 0; i < self->parts->len; i++)
    set_up(self->parts->pdata[i], config, self->parts->len);
  return self;
}

void analysis_free(Analysis **analysis)
{
  Analysis *self = *analysis;
  *analysis = NULL;
  if (!self)
    return;
  g_ptr_array_unref(self->parts);
  g_mutex_clear(&self->lock);
  g_free(self);
}

/* ---- Models -------------------------------------------------------------------------------- */

/* Returns: (transfer full) (nullable): the path of the model in use, such as the default one */
static char *find_model(const Part *part)
{
  g_autoptr(GstStructure) stats = NULL;
  if (part->model)
    return g_strdup(part->model);
  g_object_get(part->vitgate, "stats", &stats, NULL);
  return g_strdup(gst_structure_get_string(stats, "model"));
}

/* Returns: (transfer full) (nullable) */
static char *make_stamp(const Part *part)
{
  g_autofree char *model = find_model(part);
  return model ? model_stamp_new(model, part->labels) : NULL;
}

void analysis_note_models(Analysis *self)
{
  g_mutex_lock(&self->lock);
  for (guint i = 0; i < self->parts->len; i++) {
    Part *part = self->parts->pdata[i];
    if (!part->stamp)
      part->stamp = make_stamp(part);
  }
  g_mutex_unlock(&self->lock);
}

static void set_model(Analysis *self, Part *part, const LookConfig *look)
{
  const gboolean same =
      !g_strcmp0(part->model, look->model) && !g_strcmp0(part->labels, look->model_labels);
  g_mutex_lock(&self->lock);
  part->model = look->model;
  part->labels = look->model_labels;
  if (!same) {
    g_free(part->stamp);
    part->stamp = make_stamp(part);
  }
  g_mutex_unlock(&self->lock);
  if (!same)
    g_object_set(part->vitgate, "labels", look->model_labels, "model", look->model, NULL);
}

void analysis_set_models(Analysis *self, const CameraConfig *config)
{
  const guint n_whole = config->whole_frame ? 1 : 0;
  for (guint i = 0; i < self->parts->len; i++)
    set_model(self, self->parts->pdata[i],
              i < n_whole ? &config->whole : config->looks->pdata[i - n_whole]);
}

void analysis_list_models(Analysis *self, GArray *models)
{
  for (guint i = 0; i < self->parts->len; i++) {
    const Part *part = self->parts->pdata[i];
    g_autoptr(GstStructure) stats = NULL;
    g_object_get(part->vitgate, "stats", &stats, NULL);
    if (!gst_structure_has_field(stats, "model"))
      continue;
    LoadedModel model = {
      .look = g_strdup(part->look->name),
      .path = g_strdup(gst_structure_get_string(stats, "model")),
      .precision = g_strdup(gst_structure_get_string(stats, "precision")),
    };
    g_array_append_val(models, model);
  }
}

void loaded_model_clear(gpointer data)
{
  LoadedModel *model = data;
  g_free(model->look);
  g_free(model->path);
  g_free(model->precision);
}

static gboolean check_model(Analysis *self, Part *part)
{
  char *now = make_stamp(part);
  g_mutex_lock(&self->lock);
  char *old = part->stamp;
  gboolean changed = old && now && strcmp(old, now) != 0;
  if (changed)
    part->stamp = g_steal_pointer(&now);
  g_mutex_unlock(&self->lock);
  g_free(changed ? old : now);
  if (changed)
    g_object_set(part->vitgate, "model", part->model, NULL);
  return changed;
}

gboolean analysis_check_models(Analysis *self)
{
  gboolean changed = FALSE;
  for (guint i = 0; i < self->parts->len; i++)
    changed |= check_model(self, self->parts->pdata[i]);
  return changed;
}

gboolean analysis_is_source(GstObject *object, char **look)
{
  *look = NULL;
  if (!object || !g_str_has_prefix(GST_OBJECT_NAME(object), WHOLE_FRAME) ||
      !g_object_class_find_property(G_OBJECT_GET_CLASS(object), "look"))
    return FALSE;
  g_object_get(object, "look", look, NULL);
  return TRUE;
}
