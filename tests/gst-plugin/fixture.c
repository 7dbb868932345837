/* fixture.c: a vitgate element between two test pads, frames to push and results to read. */
#include "fixture.h"

#include <dlfcn.h>
#include <glib/gstdio.h>

const char *fixture_path(const char *variable)
{
  const char *path = g_getenv(variable);

  fail_unless(path && g_file_test(path, G_FILE_TEST_IS_REGULAR),
              "%s is not the path of a file: run the tests with meson", variable);
  return path;
}

const char *fixture_model(void)
{
  return fixture_path("VITGATE_TEST_MODEL");
}

gpointer fixture_engine(const char *name)
{
  /* The plugin has loaded the library. RTLD_NEXT would not find it, since only the plugin needs it.
   */
  gpointer library = dlopen("libvitgate.so.0", RTLD_LAZY | RTLD_NOLOAD);
  gpointer function = library ? dlsym(library, name) : NULL;

  fail_unless(function, "no %s in the engine", name);
  dlclose(library);
  return function;
}

GstElement *fixture_make(const char *name)
{
  GstElement *element = gst_element_factory_make(name, NULL);
  GstBus *bus = gst_bus_new();

  fail_unless(element, "no %s: the plugin is not in GST_PLUGIN_PATH or cannot be loaded", name);
  gst_element_set_bus(element, bus);
  gst_object_unref(bus);
  return element;
}

GstElement *fixture_element(void)
{
  GstElement *element = fixture_make("vitgate");

  g_object_set(element, "model", fixture_model(), "threshold", 0.0f, "smoothing", 0.0, "hysteresis",
               0.0, NULL);
  gst_util_set_object_arg(G_OBJECT(element), "temporal", "off");
  return element;
}

GstHarness *fixture_harness(GstElement *element)
{
  GstHarness *harness = gst_harness_new_with_element(element, "sink", "src");

  gst_object_unref(element);
  return harness;
}

GstHarness *fixture_harness_for(GstVideoFormat format, guint width, guint height)
{
  GstHarness *harness = fixture_harness(fixture_element());

  fixture_set_caps(harness, format, width, height, NULL);
  return harness;
}

void fixture_set_caps(GstHarness *harness, GstVideoFormat format, guint width, guint height,
                      GstVideoInfo *info)
{
  GstVideoInfo own;

  gst_video_info_set_format(&own, format, width, height);
  GST_VIDEO_INFO_FPS_N(&own) = 25;
  gst_harness_set_src_caps(harness, gst_video_info_to_caps(&own));
  if (info)
    *info = own;
}

GstBuffer *fixture_frame(const GstVideoInfo *info, guint seed)
{
  const gsize size = GST_VIDEO_INFO_SIZE(info);
  GstBuffer *frame = gst_buffer_new_allocate(NULL, size, NULL);
  g_autoptr(GRand) random = g_rand_new_with_seed(seed);
  GstMapInfo map;
  gdouble level = 128;

  /* The picture is smooth enough to survive the resize; noise would look the same to the model. */
  fail_unless(gst_buffer_map(frame, &map, GST_MAP_WRITE));
  for (gsize i = 0; i < size; i++) {
    level = CLAMP(level + g_rand_double_range(random, -8, 8), 20, 230);
    map.data[i] = (guint8)level;
  }
  gst_buffer_unmap(frame, &map);
  GST_BUFFER_PTS(frame) = seed * 40 * GST_MSECOND;
  GST_BUFFER_DURATION(frame) = 40 * GST_MSECOND;
  return frame;
}

GstBuffer *fixture_grey(const GstVideoInfo *info, guint8 level, GstClockTime time)
{
  GstBuffer *frame = gst_buffer_new_allocate(NULL, GST_VIDEO_INFO_SIZE(info), NULL);

  gst_buffer_memset(frame, 0, level, -1);
  GST_BUFFER_PTS(frame) = time;
  return frame;
}

void fixture_flush(GstHarness *harness)
{
  GstSegment segment;

  gst_segment_init(&segment, GST_FORMAT_TIME);
  fail_unless(gst_harness_push_event(harness, gst_event_new_flush_start()));
  fail_unless(gst_harness_push_event(harness, gst_event_new_flush_stop(TRUE)));
  fail_unless(gst_harness_push_event(harness, gst_event_new_segment(&segment)));
}

GstBuffer *fixture_process(GstHarness *harness, GstBuffer *frame)
{
  GstBuffer *out;

  fail_unless_equals_int(gst_harness_push(harness, frame), GST_FLOW_OK);
  out = gst_harness_try_pull(harness);
  fail_unless(out, "the frame did not come out");
  return out;
}

const GstStructure *fixture_result(GstBuffer *frame)
{
  GstCustomMeta *meta = gst_buffer_get_custom_meta(frame, "VitgateMeta");

  return meta ? gst_custom_meta_get_structure(meta) : NULL;
}

guint fixture_uint(const GstStructure *s, const char *field)
{
  guint value = 0;

  fail_unless(gst_structure_get_uint(s, field, &value), "no uint field %s", field);
  return value;
}

guint64 fixture_uint64(const GstStructure *s, const char *field)
{
  guint64 value = 0;

  fail_unless(gst_structure_get_uint64(s, field, &value), "no uint64 field %s", field);
  return value;
}

double fixture_double(const GstStructure *s, const char *field)
{
  double value = 0;

  fail_unless(gst_structure_get_double(s, field, &value), "no double field %s", field);
  return value;
}

const char *fixture_string(const GstStructure *s, const char *field)
{
  const char *value = gst_structure_get_string(s, field);

  fail_unless(value, "no string field %s", field);
  return value;
}

static const GValue *array_item(const GstStructure *s, const char *field, guint i)
{
  const GValue *array = gst_structure_get_value(s, field);

  fail_unless(array && GST_VALUE_HOLDS_ARRAY(array), "no array field %s", field);
  fail_unless(i < gst_value_array_get_size(array), "%s has no item %u", field, i);
  return gst_value_array_get_value(array, i);
}

double fixture_score(const GstStructure *s, guint i)
{
  return g_value_get_double(array_item(s, "scores", i));
}

guint fixture_index(const GstStructure *s, guint i)
{
  return g_value_get_uint(array_item(s, "indices", i));
}

const char *fixture_label(const GstStructure *s, guint i)
{
  return g_value_get_string(array_item(s, "labels", i));
}

GstStructure *fixture_analyse(GstHarness *harness, GstBuffer *frame)
{
  GstBuffer *out = fixture_process(harness, frame);
  const GstStructure *result = fixture_result(out);
  GstStructure *copy;

  fail_unless(result, "the frame carries no VitgateMeta");
  copy = gst_structure_copy(result);
  gst_buffer_unref(out);
  return copy;
}

GstStructure *fixture_classify(GstHarness *harness, const GstVideoInfo *info, guint seed)
{
  return fixture_analyse(harness, fixture_frame(info, seed));
}

GstStructure *fixture_stats(GstElement *element)
{
  GstStructure *stats;

  g_object_get(element, "stats", &stats, NULL);
  return stats;
}

GstMessage *fixture_message(GstElement *element, GstMessageType types)
{
  GstBus *bus = gst_element_get_bus(element);
  GstMessage *message = gst_bus_pop_filtered(bus, types);

  gst_object_unref(bus);
  return message;
}

void fixture_forget_messages(GstElement *element)
{
  GstBus *bus = gst_element_get_bus(element);

  gst_bus_set_flushing(bus, TRUE);
  gst_object_unref(bus);
}

void fixture_free(GstHarness *harness)
{
  fixture_forget_messages(harness->element);
  gst_harness_teardown(harness);
}

static char *folder;

static void remove_folder(void)
{
  g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
  const char *name;

  while (dir && (name = g_dir_read_name(dir))) {
    g_autofree char *path = g_build_filename(folder, name, NULL);
    g_remove(path);
  }
  g_rmdir(folder);
  g_clear_pointer(&folder, g_free);
}

char *fixture_file(const char *name, gconstpointer data, gsize size)
{
  char *path;

  if (!folder) {
    folder = g_dir_make_tmp("vitgate-test-XXXXXX", NULL);
    fail_unless(folder);
    atexit(remove_folder);
  }
  path = g_build_filename(folder, name, NULL);
  fail_unless(g_file_set_contents(path, data, size, NULL));
  return path;
}
