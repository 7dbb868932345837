/* A camera's pipeline: which frames it skips while inference is slow, how it counts them, and what
 * it decodes. The camera is an element of this program that sends frames as fast as they are taken.
 */
#include "camera/camera-pipeline.h"

#include <string.h>

#include "camera/analysis.h"
#include "camera/camera.h"
#include "fixtures.h"

#define LIVE       "v4l2:///dev/video0"
#define N_FRAMES   2000
#define FRAME_TIME (GST_SECOND / 25)
/* After the first frames, elements agree on formats again, for which the camera waits. */
#define SLOW_FRAMES 3
#define WAIT        20 /* seconds; even a slow machine needs only a few */

/* ---- A camera ------------------------------------------------------------------------------ */

#define TEST_TYPE_CAMERA (test_camera_get_type())
G_DECLARE_FINAL_TYPE(TestCamera, test_camera, TEST, CAMERA, GstBin)

struct _TestCamera {
  GstBin parent;
  char *uri;
};

static GstURIType get_uri_type(GType type)
{
  return GST_URI_SRC;
}

static const char *const *get_protocols(GType type)
{
  static const char *const protocols[] = { "v4l2", NULL };
  return protocols;
}

static char *get_uri(GstURIHandler *handler)
{
  return g_strdup(TEST_CAMERA(handler)->uri);
}

static gboolean set_uri(GstURIHandler *handler, const char *uri, GError **error)
{
  g_free(TEST_CAMERA(handler)->uri);
  TEST_CAMERA(handler)->uri = g_strdup(uri);
  return TRUE;
}

static void handle_uris(gpointer interface, gpointer data)
{
  GstURIHandlerInterface *self = interface;
  self->get_type = get_uri_type;
  self->get_protocols = get_protocols;
  self->get_uri = get_uri;
  self->set_uri = set_uri;
}

G_DEFINE_FINAL_TYPE_WITH_CODE(TestCamera, test_camera, GST_TYPE_BIN,
                              G_IMPLEMENT_INTERFACE(GST_TYPE_URI_HANDLER, handle_uris))

static void finalize(GObject *object)
{
  g_free(TEST_CAMERA(object)->uri);
  G_OBJECT_CLASS(test_camera_parent_class)->finalize(object);
}

static void test_camera_class_init(TestCameraClass *klass)
{
  static GstStaticPadTemplate source =
      GST_STATIC_PAD_TEMPLATE("src", GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS("video/x-raw"));
  GstElementClass *element = GST_ELEMENT_CLASS(klass);
  G_OBJECT_CLASS(klass)->finalize = finalize;
  gst_element_class_add_static_pad_template(element, &source);
  gst_element_class_set_static_metadata(element, "Camera", "Source", "Sends frames", "vitgate");
}

static void test_camera_init(TestCamera *self)
{
  g_autofree char *line =
      g_strdup_printf("videotestsrc num-buffers=%d "
                      "! capsfilter caps=video/x-raw,format=I420,width=32,height=32,framerate=25/1",
                      N_FRAMES);
  GstElement *frames = gst_parse_bin_from_description(line, TRUE, NULL);
  g_autoptr(GstPad) pad = gst_element_get_static_pad(frames, "src");
  gst_bin_add(GST_BIN(self), frames);
  gst_element_add_pad(GST_ELEMENT(self), gst_ghost_pad_new("src", pad));
}

/* ---- Pipelines ----------------------------------------------------------------------------- */

static char *folder;
static Config *config;
static CameraPipeline *camera;
static GstElement *pipeline;

/* The lines that the pipeline delivers. */
static struct {
  GMutex lock;
  GCond changed;
  guint n_sent, n;
  gboolean blocked; /* line SLOW_FRAMES waits until this is FALSE */
  gboolean all_sent;
  GstClockTime last; /* running time of the newest */
} seen;

static void on_line(const char *line, gsize length, GstClockTime time, gpointer user_data)
{
  g_mutex_lock(&seen.lock);
  seen.n++;
  seen.last = time;
  g_cond_broadcast(&seen.changed);
  while (seen.blocked && seen.n == SLOW_FRAMES)
    g_cond_wait(&seen.changed, &seen.lock);
  g_mutex_unlock(&seen.lock);
}

static void unblock(void)
{
  g_mutex_lock(&seen.lock);
  seen.blocked = FALSE;
  g_cond_broadcast(&seen.changed);
  g_mutex_unlock(&seen.lock);
}

/* Each of the first frames waits for the line of the one before, so that none is skipped. */
static GstPadProbeReturn on_frame(GstPad *pad, GstPadProbeInfo *info, gpointer user_data)
{
  g_mutex_lock(&seen.lock);
  while (seen.n < MIN(seen.n_sent, SLOW_FRAMES))
    g_cond_wait(&seen.changed, &seen.lock);
  seen.n_sent++;
  g_mutex_unlock(&seen.lock);
  return GST_PAD_PROBE_OK;
}

/* The event is sent after the last frame has found a place in the queue. */
static GstPadProbeReturn on_event(GstPad *pad, GstPadProbeInfo *info, gpointer user_data)
{
  g_mutex_lock(&seen.lock);
  seen.all_sent |= GST_EVENT_TYPE(info->data) == GST_EVENT_EOS;
  g_cond_broadcast(&seen.changed);
  g_mutex_unlock(&seen.lock);
  return GST_PAD_PROBE_OK;
}

static gboolean all_are_sent(void)
{
  const gint64 end = g_get_monotonic_time() + WAIT * G_USEC_PER_SEC;
  g_mutex_lock(&seen.lock);
  while (!seen.all_sent && g_cond_wait_until(&seen.changed, &seen.lock, end))
    ;
  gboolean all = seen.all_sent;
  g_mutex_unlock(&seen.lock);
  return all;
}

/* @more: further keys and groups */
static void load_config_with(const char *url, const char *more)
{
  g_autofree char *path = g_build_filename(folder, "watch.conf", NULL);
  g_autofree char *text = g_strdup_printf("[camera a]\nurl=%s\nmodel=%s\nretry-least=0.01\n%s", url,
                                          g_getenv("VITGATE_TEST_MODEL"), more);
  g_autoptr(GError) error = NULL;
  fixtures_write(folder, "watch.conf", text, -1);
  config = config_load(path, &error);
  ck_assert_msg(config != NULL, "%s", error ? error->message : "");
}

static void load_config(const char *url)
{
  load_config_with(url, "");
}

static void open_camera(const char *url, gboolean blocked)
{
  g_autoptr(GError) error = NULL;
  load_config(url);
  seen.blocked = blocked;
  camera = camera_pipeline_new(config->cameras->pdata[0], NULL, NULL, NULL, on_line, NULL, &error);
  ck_assert_msg(camera != NULL, "%s", error ? error->message : "");
  pipeline = camera_pipeline_get_element(camera);

  g_autoptr(GstElement) queue = gst_bin_get_by_name(GST_BIN(pipeline), "queue");
  g_autoptr(GstPad) sink = gst_element_get_static_pad(queue, "sink");
  gst_pad_add_probe(sink, GST_PAD_PROBE_TYPE_BUFFER, on_frame, NULL, NULL);
  gst_pad_add_probe(sink, GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM, on_event, NULL, NULL);
  gst_element_set_state(pipeline, GST_STATE_PLAYING);
}

static void wait_for_end(GstElement *element)
{
  g_autoptr(GstBus) bus = gst_element_get_bus(element);
  g_autoptr(GstMessage) message =
      gst_bus_timed_pop_filtered(bus, WAIT * GST_SECOND, GST_MESSAGE_EOS | GST_MESSAGE_ERROR);
  ck_assert_ptr_nonnull(message);
  ck_assert_str_eq(GST_MESSAGE_TYPE_NAME(message), "eos");
}

static void set_up(void)
{
  gst_init(NULL, NULL);
  ck_assert(gst_element_register(NULL, "testcamera", GST_RANK_PRIMARY + 100, TEST_TYPE_CAMERA));
  folder = fixtures_folder();
}

static void tear_down(void)
{
  camera_pipeline_free(&camera);
  config_unref(config);
  fixtures_remove(folder);
}

START_TEST(a_live_camera_never_waits_and_the_newest_frames_are_kept)
{
  open_camera(LIVE, TRUE);
  gboolean all = all_are_sent();
  guint64 skipped = camera_pipeline_take_skipped(camera),
          again = camera_pipeline_take_skipped(camera);
  unblock();
  ck_assert_msg(all, "the camera waits for inference");
  wait_for_end(pipeline);
  ck_assert_uint_eq(seen.n, SLOW_FRAMES + 2);
  ck_assert_uint_eq(seen.last, (N_FRAMES - 1) * FRAME_TIME);
  ck_assert_uint_eq(skipped, N_FRAMES - seen.n);
  ck_assert_uint_eq(again, 0);
}
END_TEST

static void on_camera_end(gpointer user_data)
{
}

/* The camera connects again and again. */
START_TEST(skipped_frames_of_all_connections_are_counted)
{
  CameraStatus status = { 0 };
  load_config(LIVE);
  Outputs *outputs = outputs_new(config, NULL);
  Camera *watched = camera_new(config, config->cameras->pdata[0], outputs, on_camera_end, NULL);
  const gint64 end = g_get_monotonic_time() + WAIT * G_USEC_PER_SEC;
  while (status.connects < 4 && g_get_monotonic_time() < end) {
    g_thread_yield();
    camera_get_status(watched, &status);
    camera_status_clear(&status);
  }
  ck_assert_uint_eq(status.connects, 4);
  ck_assert_uint_ge(status.frames + status.skipped, 3 * N_FRAMES);
  ck_assert(camera_free(&watched, g_get_monotonic_time() + WAIT * G_USEC_PER_SEC));
  outputs_free(&outputs);
}
END_TEST

/* ---- Looks --------------------------------------------------------------------------------- */

/* Finds the element of a look; NULL: the whole frame. */
static GstElement *find_vitgate(GstBin *bin, const char *look)
{
  g_autoptr(GstIterator) elements = gst_bin_iterate_recurse(bin);
  GValue item = G_VALUE_INIT;
  GstElement *found = NULL;
  while (!found && gst_iterator_next(elements, &item) == GST_ITERATOR_OK) {
    g_autofree char *name = NULL;
    if (analysis_is_source(g_value_get_object(&item), &name) && !g_strcmp0(name, look))
      found = g_value_get_object(&item);
    g_value_reset(&item);
  }
  g_value_unset(&item);
  ck_assert_ptr_nonnull(found);
  return found;
}

START_TEST(looks_share_the_time_of_a_frame)
{
  g_autoptr(GError) error = NULL;
  load_config_with(LIVE, "latency-budget=0.03\nthreads=2\ninference-interval=7\n"
                         "[look a]\ncamera=a\n[look b]\ncamera=a\nregion=1,2,3,4\nfit=crop\n"
                         "state=true\n");
  camera = camera_pipeline_new(config->cameras->pdata[0], NULL, NULL, NULL, on_line, NULL, &error);
  ck_assert_msg(camera != NULL, "%s", error ? error->message : "");
  for (guint i = 0; i < 3; i++) {
    const char *names[] = { NULL, "a", "b" };
    GstElement *vitgate = find_vitgate(GST_BIN(camera_pipeline_get_element(camera)), names[i]);
    g_autofree char *region = NULL;
    guint64 budget;
    guint threads, interval, top_k;
    g_object_get(vitgate, "latency-budget", &budget, "threads", &threads, "inference-interval",
                 &interval, "region", &region, "top-k", &top_k, NULL);
    ck_assert_uint_eq(budget, 10 * GST_MSECOND);
    ck_assert_uint_eq(threads, 2);
    ck_assert_uint_eq(interval, 7);
    ck_assert_uint_eq(top_k, i == 2 ? 128 : 5);
    ck_assert(g_strcmp0(region, i == 2 ? "1,2,3,4" : NULL) == 0);
  }
}
END_TEST

/* ---- Files --------------------------------------------------------------------------------- */

/* Makes a clip of 50 frames.
 * @streams: goes to its muxer, "mux"
 * Returns: (transfer full): its URL */
static char *make_clip(const char *streams)
{
  g_autofree char *line = g_strdup_printf(
      "%s videotestsrc num-buffers=50 ! video/x-raw,width=32,height=32,framerate=25/1 ! jpegenc "
      "! mux. matroskamux name=mux ! filesink name=file",
      streams);
  g_autofree char *path = g_build_filename(folder, "clip.mkv", NULL);
  g_autoptr(GError) error = NULL;
  g_autoptr(GstElement) maker = gst_parse_launch(line, &error);
  ck_assert_msg(!error, "%s", error ? error->message : "");
  g_autoptr(GstElement) file = gst_bin_get_by_name(GST_BIN(maker), "file");
  g_object_set(file, "location", path, NULL);
  gst_element_set_state(maker, GST_STATE_PLAYING);
  wait_for_end(maker);
  gst_element_set_state(maker, GST_STATE_NULL);
  return g_filename_to_uri(path, NULL, NULL);
}

/* Returns: the number of the pipeline's elements whose class has all these words */
static guint count_elements(const char *kind, const char *media)
{
  g_autoptr(GstIterator) elements = gst_bin_iterate_recurse(GST_BIN(pipeline));
  GValue item = G_VALUE_INIT;
  guint n = 0;
  while (gst_iterator_next(elements, &item) == GST_ITERATOR_OK) {
    const char *class = gst_element_get_metadata(g_value_get_object(&item), "klass");
    n += strstr(class, kind) && strstr(class, media);
    g_value_reset(&item);
  }
  g_value_unset(&item);
  return n;
}

/* Sound comes first in the file. */
START_TEST(only_video_is_decoded)
{
  g_autofree char *url = make_clip("audiotestsrc num-buffers=100 ! mulawenc ! mux. ");
  open_camera(url, FALSE);
  wait_for_end(pipeline);
  ck_assert_uint_eq(seen.n, 50);
  ck_assert_uint_eq(count_elements("Decoder", "Image"), 1);
  ck_assert_uint_eq(count_elements("Decoder", "Audio"), 0);
}
END_TEST

int main(void)
{
  TCase *tests = tcase_create("camera");
  tcase_add_checked_fixture(tests, set_up, tear_down);
  tcase_add_test(tests, a_live_camera_never_waits_and_the_newest_frames_are_kept);
  tcase_add_test(tests, skipped_frames_of_all_connections_are_counted);
  tcase_add_test(tests, looks_share_the_time_of_a_frame);
  tcase_add_test(tests, only_video_is_decoded);
  return fixtures_run(tests, "camera");
}
