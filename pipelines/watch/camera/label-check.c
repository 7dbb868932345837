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

/* Returns: (transfer full) (nullable) (element-type utf8): NULL with an error of GStreamer's
 * domains */
static GPtrArray *read_labels(const CameraConfig *camera, GError **error)
{
  g_autoptr(GstElement) pipeline =
      gst_parse_launch_full(ASK, NULL, GST_PARSE_FLAG_FATAL_ERRORS, error);
  if (!pipeline)
    return NULL;
  g_autoptr(GstElement) vitgate = gst_bin_get_by_name(GST_BIN(pipeline), "vitgate");
  g_autoptr(GstElement) lines = gst_bin_get_by_name(GST_BIN(pipeline), "lines");
  g_object_set(vitgate, "model", camera->whole.model, "labels", camera->whole.model_labels, NULL);
  gst_util_set_object_arg(G_OBJECT(vitgate), "precision",
                          config_precisions[camera->whole.precision]);
  gst_element_set_state(pipeline, GST_STATE_PLAYING);
  g_autoptr(GPtrArray) labels = NULL;
  if (wait_for_frame(pipeline, error)) {
    g_autoptr(GstSample) sample = gst_app_sink_try_pull_sample(GST_APP_SINK(lines), 0);
    labels = parse_labels(sample);
    if (labels->len == 0) {
      g_set_error(error, GST_CORE_ERROR, GST_CORE_ERROR_FAILED, "the model gives no result");
      g_clear_pointer(&labels, g_ptr_array_unref);
    }
  }
  gst_element_set_state(pipeline, GST_STATE_NULL);
  return g_steal_pointer(&labels);
}

/* ---- The check ----------------------------------------------------------------------------- */

static gboolean fail(const Config *config, const CameraConfig *camera, const char *key,
                     GError **error, const char *reason)
{
  g_set_error(error, G_KEY_FILE_ERROR, G_KEY_FILE_ERROR_INVALID_VALUE, "%s: [camera %s] %s: %s",
              config->path, camera->name, key, reason);
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
static gboolean check_list(const Config *config, const CameraConfig *camera, const char *key,
                           char *const *labels, const GPtrArray *classes, GError **error)
{
  for (; labels && *labels; labels++) {
    if (is_label(classes, *labels))
      continue;
    g_autofree char *reason = explain(classes, *labels);
    return fail(config, camera, key, error, reason);
  }
  return TRUE;
}

/* Returns: (transfer full): text that is equal for cameras with the same classes */
static char *model_key(const CameraConfig *camera)
{
  return g_strdup_printf("%s\n%s\n%u", camera->whole.model ? camera->whole.model : "",
                         camera->whole.model_labels ? camera->whole.model_labels : "",
                         camera->whole.precision);
}

gboolean label_check(const Config *config, gboolean strict, GError **error)
{
  g_autoptr(GHashTable) models =
      g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_ptr_array_unref);
  for (guint i = 0; i < config->cameras->len; i++) {
    const CameraConfig *camera = config->cameras->pdata[i];
    char *const *states = camera->whole.state ? camera->whole.states : NULL;
    if (!camera->whole.labels && !states)
      continue;
    g_autoptr(GError) wrong = NULL;
    g_autofree char *key = model_key(camera);
    GPtrArray *classes = g_hash_table_lookup(models, key);
    if (!classes && (classes = read_labels(camera, &wrong)))
      g_hash_table_insert(models, g_steal_pointer(&key), classes);
    if (!classes && strict)
      return fail(config, camera, "model", error, wrong->message);
    if (classes && (!check_list(config, camera, "labels", camera->whole.labels, classes, error) ||
                    !check_list(config, camera, "states", states, classes, error)))
      return FALSE;
  }
  return TRUE;
}
