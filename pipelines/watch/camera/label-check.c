#include "camera/label-check.h"

#include <string.h>

#include <gst/app/gstappsink.h>
#include <gst/gst.h>

#include "camera/frame-line.h"
#include "camera/label-names.h"

#define MAX_SIMILAR 4
#define TIME_LIMIT  (20 * GST_SECOND) /* to load a model and to classify one frame */

/* The element is asked as a camera would ask it: a frame carries all classes. */
#define ASK                                                                                        \
  "videotestsrc pattern=black num-buffers=1 ! video/x-raw,format=RGB,width=32,height=32 "          \
  "! vitgate name=vitgate compute=0 threshold=0 top-k=2147483647 ! vitgatejson "                   \
  "! appsink name=lines sync=false wait-on-eos=false"

/* ---- The labels of a model ----------------------------------------------------------------- */

/* Waits until the frame is through.
 * Returns: FALSE with an error */
static gboolean wait_for_frame(GstElement *pipeline, GError **error)
{
  g_autoptr(GstBus) bus = gst_element_get_bus(pipeline);
  g_autoptr(GstMessage) message =
      gst_bus_timed_pop_filtered(bus, TIME_LIMIT, GST_MESSAGE_ERROR | GST_MESSAGE_EOS);
  if (message && GST_MESSAGE_TYPE(message) == GST_MESSAGE_EOS)
    return TRUE;
  if (message)
    gst_message_parse_error(message, error, NULL);
  else
    g_set_error(error, GST_CORE_ERROR, GST_CORE_ERROR_FAILED,
                "the model gives no result within %d s", (int)(TIME_LIMIT / GST_SECOND));
  return FALSE;
}

/* @sample: (nullable)
 * Returns: (transfer full): empty if the frame has no result */
static GPtrArray *parse_labels(GstSample *sample)
{
  GstMapInfo map;
  FrameLine line;
  GstBuffer *buffer = sample ? gst_sample_get_buffer(sample) : NULL;
  GPtrArray *labels = g_ptr_array_new_with_free_func(g_free);
  if (!buffer || !gst_buffer_map(buffer, &map, GST_MAP_READ))
    return labels;
  if (frame_line_parse(&line, (const char *)map.data, map.size)) {
    const FrameResult *result = frame_line_find(&line, NULL);
    for (guint i = 0; result && i < result->seen->len; i++)
      g_ptr_array_add(labels, g_strdup(g_array_index(result->seen, SeenClass, i).label));
    frame_line_clear(&line);
  }
  gst_buffer_unmap(buffer, &map);
  return labels;
}

/* A model that is open, with its labels. */
typedef struct {
  GstElement *pipeline;
  GPtrArray *labels; /* of char * */
} Model;

static void model_free(gpointer data)
{
  Model *model = data;
  gst_element_set_state(model->pipeline, GST_STATE_NULL);
  gst_object_unref(model->pipeline);
  g_clear_pointer(&model->labels, g_ptr_array_unref);
  g_free(model);
}

static GstElement *get_element(const Model *model, const char *name)
{
  return gst_bin_get_by_name(GST_BIN(model->pipeline), name);
}

static gboolean read_labels(Model *model, GError **error)
{
  g_autoptr(GstElement) lines = get_element(model, "lines");
  if (!wait_for_frame(model->pipeline, error))
    return FALSE;
  g_autoptr(GstSample) sample = gst_app_sink_try_pull_sample(GST_APP_SINK(lines), 0);
  model->labels = parse_labels(sample);
  if (model->labels->len > 0)
    return TRUE;
  g_set_error(error, GST_CORE_ERROR, GST_CORE_ERROR_FAILED, "the model gives no result");
  return FALSE;
}

/* Returns: (transfer full) (nullable): NULL with an error of GStreamer's domains */
static Model *open_model(const LookConfig *look, GError **error)
{
  GstElement *pipeline = gst_parse_launch_full(ASK, NULL, GST_PARSE_FLAG_FATAL_ERRORS, error);
  if (!pipeline)
    return NULL;
  Model *model = g_new0(Model, 1);
  model->pipeline = pipeline;
  g_autoptr(GstElement) vitgate = get_element(model, "vitgate");
  g_object_set(vitgate, "model", look->model, "labels", look->model_labels, NULL);
  gst_util_set_object_arg(G_OBJECT(vitgate), "precision", config_precisions[look->precision]);
  gst_element_set_state(pipeline, GST_STATE_PLAYING);
  if (!read_labels(model, error))
    g_clear_pointer(&model, model_free);
  return model;
}

/* An element that is open refuses a text that is no region with a warning.
 * Returns: (transfer full) (nullable): why it is none */
static char *explain_region(const Model *model, const char *region)
{
  g_autoptr(GstElement) vitgate = get_element(model, "vitgate");
  g_autoptr(GstBus) bus = gst_element_get_bus(model->pipeline);
  g_autoptr(GError) error = NULL;
  gst_bus_set_flushing(bus, TRUE);
  gst_bus_set_flushing(bus, FALSE);
  g_object_set(vitgate, "region", region, NULL);
  g_autoptr(GstMessage) message = gst_bus_pop_filtered(bus, GST_MESSAGE_WARNING);
  if (!message)
    return NULL;
  gst_message_parse_warning(message, &error, NULL);
  return g_strdup(error->message);
}

/* ---- The check ----------------------------------------------------------------------------- */

/* A whole frame or a look that is checked, with what is needed for it. */
typedef struct {
  GHashTable *models; /* Model by model_key() */
  gboolean strict;
  gboolean late;     /* what was left out before */
  const char *path;  /* of the key file, for messages */
  gboolean of_fleet; /* the camera that is checked */
  const char *group;
  const LookConfig *look;
} Check;

static gboolean fail(const Check *self, const char *key, GError **error, const char *reason)
{
  g_set_error(error, G_KEY_FILE_ERROR, G_KEY_FILE_ERROR_INVALID_VALUE, "%s: [%s] %s: %s",
              self->path, self->group, key, reason);
  return FALSE;
}

static gboolean is_label(const GPtrArray *classes, const char *label)
{
  g_autofree char *folded = label_fold(label);
  for (guint i = 0; i < classes->len; i++)
    if (label_is_called(classes->pdata[i], folded))
      return TRUE;
  return FALSE;
}

/* Returns: whether the model's file has no labels, so that the element shows class numbers */
static gboolean are_numbers(const GPtrArray *classes)
{
  for (guint i = 0; i < classes->len; i++)
    if (strspn(classes->pdata[i], "0123456789") < strlen(classes->pdata[i]))
      return FALSE;
  return TRUE;
}

/* Returns: (transfer full): what is wrong with a label that the model does not have */
static char *explain(const GPtrArray *classes, const char *label)
{
  if (are_numbers(classes))
    return g_strdup_printf("\"%s\": the model's classes have no names, only numbers from 0 to %u "
                           "(set model-labels)",
                           label, classes->len - 1);
  g_auto(GStrv) similar = label_find_similar(classes, label, MAX_SIMILAR);
  g_autofree char *names = g_strjoinv("\", \"", similar);
  if (*names)
    return g_strdup_printf("\"%s\" is not a label of the model (nearest: \"%s\")", label, names);
  return g_strdup_printf("\"%s\" is not a label of the model, and none of its %u labels is similar",
                         label, classes->len);
}

/* @labels: (nullable): the value of @key */
static gboolean check_list(const Check *self, const char *key, char *const *labels,
                           const Model *model, GError **error)
{
  for (; labels && *labels; labels++) {
    if (is_label(model->labels, *labels))
      continue;
    g_autofree char *reason = explain(model->labels, *labels);
    return fail(self, key, error, reason);
  }
  return TRUE;
}

static gboolean check_region(const Check *self, const Model *model, GError **error)
{
  g_autofree char *reason = self->look->region ? explain_region(model, self->look->region) : NULL;
  return !reason || fail(self, "region", error, reason);
}

/* Returns: (transfer full): text that is equal for looks with the same classes */
static char *model_key(const LookConfig *look)
{
  return g_strdup_printf("%s\n%s\n%u", look->model ? look->model : "",
                         look->model_labels ? look->model_labels : "", look->precision);
}

/* Returns: (transfer none) (nullable): NULL with an error of GStreamer's domains */
static const Model *get_model(const Check *self, GError **error)
{
  g_autofree char *key = model_key(self->look);
  Model *model = g_hash_table_lookup(self->models, key);
  if (!model && (model = open_model(self->look, error)))
    g_hash_table_insert(self->models, g_steal_pointer(&key), model);
  return model;
}

/* Returns: whether another check is for this model, or will be */
static gboolean is_for_another(const Check *self)
{
  const gboolean fetched = self->look->source != NULL;
  if (self->strict)
    return fetched && !g_file_test(self->look->model, G_FILE_TEST_EXISTS);
  return (fetched || self->of_fleet) != self->late;
}

/* A look is checked even if it has no labels: it may say what its model is for. */
static gboolean check_look(const Check *self, GError **error)
{
  const LookConfig *look = self->look;
  char *const *states = look->state ? look->states : NULL;
  g_autoptr(GError) wrong = NULL;
  if (is_for_another(self))
    return TRUE;
  if (!look->labels && !states && !look->region && !(look->name && self->strict))
    return TRUE;
  const Model *model = get_model(self, &wrong);
  if (!model)
    return !self->strict || fail(self, "model", error, wrong->message);
  return check_list(self, "labels", look->labels, model, error) &&
         check_list(self, "states", states, model, error) && check_region(self, model, error);
}

static gboolean check_camera(Check *self, const CameraConfig *camera, GError **error)
{
  g_autofree char *group = g_strconcat("camera ", camera->name, NULL);
  self->group = group;
  self->of_fleet = camera->claim != 0;
  self->look = &camera->whole;
  if (camera->whole_frame && !check_look(self, error))
    return FALSE;
  for (guint i = 0; i < camera->looks->len; i++) {
    const LookConfig *look = camera->looks->pdata[i];
    g_autofree char *name = g_strconcat("look ", look->name, NULL);
    self->group = name;
    self->look = look;
    if (!check_look(self, error))
      return FALSE;
  }
  return TRUE;
}

gboolean label_check(const Config *config, gboolean strict, GError **error)
{
  g_autoptr(GHashTable) models = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, model_free);
  Check check = { .path = config->path, .models = models, .strict = strict };
  for (guint i = 0; i < config->cameras->len; i++)
    if (!check_camera(&check, config->cameras->pdata[i], error))
      return FALSE;
  return TRUE;
}

gboolean label_check_late(const Config *config, const CameraConfig *camera, GError **error)
{
  g_autoptr(GHashTable) models = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, model_free);
  Check check = {
    .path = camera->claim ? "camera of the fleet" : config->path,
    .models = models,
    .late = TRUE,
  };
  return check_camera(&check, camera, error);
}
