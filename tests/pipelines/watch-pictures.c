/* The newest frame of a camera, and JPEG pictures of frames. */
#include <string.h>

#include <gdk-pixbuf/gdk-pixbuf.h>

#include "camera/newest-frame.h"
#include "fixtures.h"
#include "page/pictures/jpeg.h"
#include "page/pictures/shared-pictures.h"

static void set_up(void)
{
  gst_init(NULL, NULL);
}

/* ---- The newest frame ---------------------------------------------------------------------- */

/* Plays @n frames of four pixels. */
static GstElement *play(NewestFrame *newest, guint n)
{
  g_autofree char *line = g_strdup_printf(
      "fakesrc name=source sizetype=fixed sizemax=4 num-buffers=%u filltype=pattern "
      "! video/x-raw,format=GRAY8,width=2,height=2,framerate=25/1 "
      "! fakesink name=sink sync=false",
      n);
  GstElement *pipeline = gst_parse_launch(line, NULL);
  g_autoptr(GstElement) sink = gst_bin_get_by_name(GST_BIN(pipeline), "sink");
  g_autoptr(GstPad) pad = gst_element_get_static_pad(sink, "sink");
  newest_frame_watch(newest, pad);
  g_autoptr(GstBus) bus = gst_element_get_bus(pipeline);
  gst_element_set_state(pipeline, GST_STATE_PLAYING);
  g_autoptr(GstMessage) end =
      gst_bus_timed_pop_filtered(bus, GST_CLOCK_TIME_NONE, GST_MESSAGE_EOS | GST_MESSAGE_ERROR);
  ck_assert_str_eq(GST_MESSAGE_TYPE_NAME(end), "eos");
  return pipeline;
}

static void stop(GstElement *pipeline)
{
  gst_element_set_state(pipeline, GST_STATE_NULL);
  gst_object_unref(pipeline);
}

START_TEST(keeps_only_the_newest_frame)
{
  g_autoptr(NewestFrame) newest = newest_frame_new();
  newest_frame_set_wanted(newest, TRUE);
  ck_assert_ptr_null(newest_frame_get(newest));
  GstElement *pipeline = play(newest, 5);
  g_autoptr(GstSample) sample = newest_frame_get(newest);
  GstBuffer *buffer = gst_sample_get_buffer(sample);
  ck_assert_uint_eq(GST_BUFFER_OFFSET(buffer), 4 * 4);
  ck_assert_ptr_nonnull(gst_sample_get_caps(sample));
  stop(pipeline);
  ck_assert_int_eq(GST_MINI_OBJECT_REFCOUNT_VALUE(buffer), 2); /* the sample's and @newest's */
}
END_TEST

START_TEST(drops_the_frame_when_the_connection_ends)
{
  g_autoptr(NewestFrame) newest = newest_frame_new();
  newest_frame_set_wanted(newest, TRUE);
  GstElement *pipeline = play(newest, 2);
  g_autoptr(GstSample) sample = newest_frame_get(newest);
  const guint64 count = newest_frame_get_count(newest);
  newest_frame_stop(newest);
  ck_assert_uint_gt(newest_frame_get_count(newest), count);
  ck_assert_ptr_null(newest_frame_get(newest));
  stop(pipeline);
  ck_assert_int_eq(GST_MINI_OBJECT_REFCOUNT_VALUE(gst_sample_get_buffer(sample)), 1);
  stop(play(newest, 1));
  g_autoptr(GstSample) next = newest_frame_get(newest);
  ck_assert_ptr_nonnull(next);
}
END_TEST

START_TEST(keeps_nothing_unless_it_is_wanted)
{
  g_autoptr(NewestFrame) newest = newest_frame_new();
  GstElement *pipeline = play(newest, 2);
  ck_assert_ptr_null(newest_frame_get(newest));
  stop(pipeline);
  newest_frame_set_wanted(newest, TRUE);
  pipeline = play(newest, 2);
  g_autoptr(GstSample) sample = newest_frame_get(newest);
  ck_assert_ptr_nonnull(sample);
  newest_frame_set_wanted(newest, FALSE);
  ck_assert_ptr_null(newest_frame_get(newest));
  stop(pipeline);
}
END_TEST

/* ---- JPEG ---------------------------------------------------------------------------------- */

/* @colour: 0xRRGGBB */
static GstSample *make_frame(const char *caps, guint colour)
{
  g_autofree char *line =
      g_strdup_printf("videotestsrc pattern=solid-color foreground-color=0xff%06x "
                      "num-buffers=1 ! video/x-raw,%s ! appsink name=sink",
                      colour, caps);
  GstElement *pipeline = gst_parse_launch(line, NULL);
  g_autoptr(GstElement) sink = gst_bin_get_by_name(GST_BIN(pipeline), "sink");
  GstSample *sample = NULL;
  gst_element_set_state(pipeline, GST_STATE_PLAYING);
  g_signal_emit_by_name(sink, "pull-sample", &sample);
  ck_assert_ptr_nonnull(sample);
  stop(pipeline);
  return sample;
}

static GdkPixbuf *decode(GBytes *jpeg)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(GInputStream) stream = g_memory_input_stream_new_from_bytes(jpeg);
  GdkPixbuf *picture = gdk_pixbuf_new_from_stream(stream, NULL, &error);
  ck_assert_msg(picture != NULL, "%s", error ? error->message : "");
  return picture;
}

static GdkPixbuf *encode(GstSample *sample, const GstVideoRectangle *region, guint width)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(GBytes) jpeg = jpeg_encode_now(sample, region, width, 95, &error);
  ck_assert_msg(jpeg != NULL, "%s", error ? error->message : "");
  return decode(jpeg);
}

/* Rounding to 8 bits, twice. */
#define COLOUR_TOLERANCE 5

static void assert_colour(const GdkPixbuf *picture, int x, int y, guint colour)
{
  const guint8 *pixel = gdk_pixbuf_read_pixels(picture) + y * gdk_pixbuf_get_rowstride(picture) +
                        x * gdk_pixbuf_get_n_channels(picture);
  for (guint i = 0; i < 3; i++) {
    const int wanted = (int)(colour >> (16 - 8 * i)) & 0xff;
    ck_assert_msg(ABS(wanted - pixel[i]) <= COLOUR_TOLERANCE, "%d,%d: %d %d %d, expected #%06x", x,
                  y, pixel[0], pixel[1], pixel[2], colour);
  }
}

START_TEST(colours_are_right_whatever_the_format)
{
  static const char *const formats[] = {
    "format=I420",
    "format=I420,colorimetry=bt709",
    "format=NV12,colorimetry=bt709",
    "format=NV12",
    "format=YV12",
    "format=NV21,colorimetry=bt709",
    "format=YUY2",
    "format=Y42B",
    "format=P010_10LE,colorimetry=bt709",
    "format=RGB",
    "format=BGRx",
  };
  static const guint colours[] = { 0xffffff, 0, 0xe01010, 0x10e010, 0x1010e0, 0x805030 };
  for (guint i = 0; i < G_N_ELEMENTS(formats); i++)
    for (guint j = 0; j < G_N_ELEMENTS(colours); j++) {
      g_autofree char *caps = g_strconcat(formats[i], ",width=70,height=50", NULL);
      g_autoptr(GstSample) sample = make_frame(caps, colours[j]);
      g_autoptr(GdkPixbuf) same = encode(sample, NULL, 0), smaller = encode(sample, NULL, 33);
      assert_colour(same, 69, 49, colours[j]);
      assert_colour(same, 0, 0, colours[j]);
      assert_colour(smaller, 32, 20, colours[j]);
    }
}
END_TEST

static void assert_size(const char *caps, const GstVideoRectangle *region, guint width,
                        int wanted_width, int wanted_height)
{
  g_autoptr(GstSample) sample = make_frame(caps, 0x808080);
  g_autoptr(GdkPixbuf) picture = encode(sample, region, width);
  ck_assert_int_eq(gdk_pixbuf_get_width(picture), wanted_width);
  ck_assert_int_eq(gdk_pixbuf_get_height(picture), wanted_height);
}

START_TEST(pictures_keep_the_shape_of_the_frame_and_are_not_enlarged)
{
  assert_size("format=I420,width=640,height=360", NULL, 320, 320, 180);
  assert_size("format=I420,width=640,height=360", NULL, 641, 640, 360);
  assert_size("format=I420,width=17,height=33", NULL, 0, 17, 33);
  assert_size("format=I420,width=1,height=1", NULL, 100, 1, 1);
  assert_size("format=NV12,width=704,height=576,pixel-aspect-ratio=16/11", NULL, 0, 1024, 576);
  assert_size("format=NV12,width=704,height=576,pixel-aspect-ratio=16/11", NULL, 512, 512, 288);
  assert_size("format=I420,width=640,height=2", NULL, 16, 16, 1);
}
END_TEST

START_TEST(regions_are_cut_at_the_edge_of_the_frame)
{
  assert_size("format=I420,width=64,height=36", &(GstVideoRectangle){ 10, 4, 20, 10 }, 0, 20, 10);
  assert_size("format=I420,width=64,height=36", &(GstVideoRectangle){ 60, 30, 20, 10 }, 0, 4, 6);
  assert_size("format=I420,width=64,height=36", &(GstVideoRectangle){ 900, -9, 20, 10 }, 0, 2, 1);
  assert_size("format=I420,width=64,height=36", &(GstVideoRectangle){ 2, 2, G_MAXINT, G_MAXINT }, 0,
              62, 34);
}
END_TEST

START_TEST(what_is_no_raw_video_is_an_error)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(GstCaps) caps = gst_caps_from_string("image/jpeg");
  g_autoptr(GstBuffer) buffer = gst_buffer_new_allocate(NULL, 10, NULL);
  g_autoptr(GstSample) sample = gst_sample_new(buffer, caps, NULL, NULL);
  ck_assert_ptr_null(jpeg_encode_now(sample, NULL, 0, 75, &error));
  ck_assert_str_eq(error->message,
                   "the frame cannot be made a JPEG picture: it is not raw video in memory");
}
END_TEST

START_TEST(a_comment_leaves_the_picture_as_it_is)
{
  g_autoptr(GstSample) sample = make_frame("format=I420,width=64,height=36", 0x805030);
  g_autoptr(GBytes) jpeg = jpeg_encode_now(sample, NULL, 0, 95, NULL);
  g_autoptr(GBytes) more = jpeg_add_comment(jpeg, "{\"look\": \"gate\"}");
  g_autoptr(GdkPixbuf) picture = decode(more);
  assert_colour(picture, 9, 9, 0x805030);
  gsize size;
  const char *data = g_bytes_get_data(more, &size);
  ck_assert_uint_eq(size, g_bytes_get_size(jpeg) + 4 + strlen("{\"look\": \"gate\"}"));
  ck_assert_mem_eq(data, g_bytes_get_data(jpeg, NULL), 20);
  ck_assert_mem_eq(data + 20, "\xff\xfe\0\x12{\"look\": \"gate\"}", 20);
}
END_TEST

static void on_encoded(GObject *source, GAsyncResult *result, gpointer user_data)
{
  *(GBytes **)user_data = jpeg_encode_finish(result, NULL);
}

START_TEST(a_thread_encodes_the_same)
{
  g_autoptr(GstSample) sample = make_frame("format=I420,width=64,height=36", 0x805030);
  g_autoptr(GBytes) jpeg = jpeg_encode_now(sample, NULL, 32, 75, NULL), other = NULL;
  jpeg_encode(sample, NULL, 32, 75, on_encoded, &other);
  while (!other)
    g_main_context_iteration(NULL, TRUE);
  ck_assert(g_bytes_equal(jpeg, other));
}
END_TEST

/* ---- Pictures for all who look ------------------------------------------------------------- */

/* Of the clock that shared pictures use: longer than the time of a picture. */
#define MANY_TURNS 60

typedef struct {
  Viewer *viewer;
  guint n, n_refused;
  gboolean slow; /* takes nothing */
  gboolean over;
} Eye;

static NewestFrame *newest;
static GstElement *camera;
static SharedPictures *pictures;

static NewestFrame *find_frame(const char *name, gpointer user_data)
{
  return strcmp(name, "yard") ? NULL : newest;
}

static gboolean show(GBytes *jpeg, gpointer user_data)
{
  Eye *eye = user_data;
  eye->over |= jpeg == NULL;
  eye->n += jpeg && !eye->slow;
  eye->n_refused += jpeg && eye->slow;
  return jpeg && !eye->slow;
}

static void start_camera(void)
{
  camera = gst_parse_launch("videotestsrc is-live=true ! video/x-raw,format=I420,width=640,"
                            "height=360,framerate=100/1 ! fakesink name=sink sync=false",
                            NULL);
  g_autoptr(GstElement) sink = gst_bin_get_by_name(GST_BIN(camera), "sink");
  g_autoptr(GstPad) pad = gst_element_get_static_pad(sink, "sink");
  newest_frame_watch(newest, pad);
  gst_element_set_state(camera, GST_STATE_PLAYING);
  GstSample *sample = NULL;
  while (!(sample = newest_frame_get(newest)))
    g_thread_yield();
  gst_sample_unref(sample);
}

static void stop_camera(void)
{
  newest_frame_stop(newest);
  stop(camera);
}

static void open_pictures(void)
{
  newest = newest_frame_new();
  newest_frame_set_wanted(newest, TRUE);
  start_camera();
  pictures = shared_pictures_new(find_frame, NULL);
}

static void close_pictures(void)
{
  stop_camera();
  shared_pictures_free(&pictures);
  while (g_main_context_iteration(NULL, FALSE))
    ;
  newest_frame_unref(newest);
}

static void look(Eye *eye, guint width)
{
  eye->viewer = shared_pictures_watch(pictures, "yard", width, show, eye);
}

static gboolean count_turn(gpointer user_data)
{
  ++*(guint *)user_data;
  return G_SOURCE_CONTINUE;
}

/* Lets the main loop run for some 20 ms, @n times. */
static void turn(guint n)
{
  guint turns = 0;
  guint timer = g_timeout_add(20, count_turn, &turns);
  while (turns < n)
    g_main_context_iteration(NULL, TRUE);
  g_source_remove(timer);
}

static void wait_for(const guint *count, guint wanted)
{
  while (*count < wanted)
    g_main_context_iteration(NULL, TRUE);
}

START_TEST(nothing_is_encoded_while_nobody_looks)
{
  open_pictures();
  turn(MANY_TURNS / 4);
  ck_assert_uint_eq(shared_pictures_get_encoded(pictures), 0);
  Eye eye = { 0 };
  look(&eye, 320);
  wait_for(&eye.n, 2);
  shared_pictures_unwatch(pictures, eye.viewer);
  turn(2); /* one may be on its way */
  const guint64 encoded = shared_pictures_get_encoded(pictures);
  turn(MANY_TURNS / 4);
  ck_assert_uint_eq(shared_pictures_get_encoded(pictures), encoded);
  close_pictures();
}
END_TEST

START_TEST(all_who_look_share_pictures)
{
  Eye eyes[8] = { 0 }, other = { 0 };
  open_pictures();
  for (guint i = 0; i < G_N_ELEMENTS(eyes); i++)
    look(&eyes[i], 320);
  wait_for(&eyes[0].n, 5);
  ck_assert_uint_eq(shared_pictures_get_encoded(pictures), 5);
  for (guint i = 0; i < G_N_ELEMENTS(eyes); i++)
    ck_assert_uint_eq(eyes[i].n, 5);
  look(&other, 160);
  wait_for(&other.n, 1);
  ck_assert_uint_gt(shared_pictures_get_encoded(pictures), 5);
  for (guint i = 0; i < G_N_ELEMENTS(eyes); i++)
    shared_pictures_unwatch(pictures, eyes[i].viewer);
  shared_pictures_unwatch(pictures, other.viewer);
  close_pictures();
}
END_TEST

START_TEST(a_hundred_frames_a_second_make_ten_pictures)
{
  Eye eye = { 0 };
  open_pictures();
  const gint64 begin = g_get_monotonic_time();
  look(&eye, 320);
  wait_for(&eye.n, 8);
  ck_assert_int_ge(g_get_monotonic_time() - begin, 6 * G_USEC_PER_SEC / PICTURES_PER_SECOND);
  shared_pictures_unwatch(pictures, eye.viewer);
  close_pictures();
}
END_TEST

START_TEST(a_slow_viewer_does_not_slow_down_the_others)
{
  Eye eye = { 0 }, slow = { .slow = TRUE };
  open_pictures();
  look(&eye, 320);
  look(&slow, 320);
  wait_for(&eye.n, 6);
  ck_assert_uint_eq(shared_pictures_get_encoded(pictures), 6);
  shared_pictures_unwatch(pictures, eye.viewer);
  /* Where nobody takes pictures, there are fewer and fewer. */
  const guint64 encoded = shared_pictures_get_encoded(pictures);
  turn(MANY_TURNS);
  ck_assert_uint_le(shared_pictures_get_encoded(pictures), encoded + 5);
  slow.slow = FALSE;
  wait_for(&slow.n, 3);
  shared_pictures_unwatch(pictures, slow.viewer);
  close_pictures();
}
END_TEST

START_TEST(pictures_pause_while_the_camera_is_away)
{
  Eye eye = { 0 };
  open_pictures();
  look(&eye, 320);
  wait_for(&eye.n, 1);
  stop_camera();
  turn(2);
  const guint n = eye.n;
  turn(MANY_TURNS / 4);
  ck_assert_uint_eq(eye.n, n);
  start_camera();
  wait_for(&eye.n, n + 2);
  ck_assert(!eye.over);
  shared_pictures_unwatch(pictures, eye.viewer);
  close_pictures();
}
END_TEST

START_TEST(pictures_end_when_the_camera_is_removed)
{
  Eye eye = { 0 };
  open_pictures();
  eye.viewer = shared_pictures_watch(pictures, "door", 320, show, &eye);
  while (!eye.over)
    g_main_context_iteration(NULL, TRUE);
  ck_assert_uint_eq(eye.n, 0);
  shared_pictures_unwatch(pictures, eye.viewer);
  close_pictures();
}
END_TEST

static guint n_answers, n_errors;

static void on_picture(GBytes *jpeg, const GError *error, gpointer user_data)
{
  ck_assert_int_eq(jpeg != NULL, error == NULL);
  n_answers++;
  n_errors += error != NULL;
}

START_TEST(one_picture)
{
  n_answers = n_errors = 0;
  open_pictures();
  for (guint i = 0; i < 20; i++)
    shared_pictures_get(pictures, "yard", 320, on_picture, NULL);
  wait_for(&n_answers, 20);
  ck_assert_uint_eq(n_errors, 0);
  ck_assert_uint_eq(shared_pictures_get_encoded(pictures), 1);
  shared_pictures_get(pictures, "door", 320, on_picture, NULL);
  ck_assert_uint_eq(n_errors, 1);
  shared_pictures_get(pictures, "yard", 320, on_picture, NULL);
  close_pictures(); /* answers */
  ck_assert_uint_eq(n_answers, 22);
}
END_TEST

START_TEST(widths_are_few)
{
  ck_assert_uint_eq(shared_pictures_round_width(0), 0);
  ck_assert_uint_eq(shared_pictures_round_width(1), 160);
  ck_assert_uint_eq(shared_pictures_round_width(640), 640);
  ck_assert_uint_eq(shared_pictures_round_width(641), 960);
  ck_assert_uint_eq(shared_pictures_round_width(G_MAXUINT64), 0);
}
END_TEST

int main(void)
{
  TCase *tcase = tcase_create("pictures");
  tcase_add_checked_fixture(tcase, set_up, NULL);
  tcase_add_test(tcase, keeps_only_the_newest_frame);
  tcase_add_test(tcase, drops_the_frame_when_the_connection_ends);
  tcase_add_test(tcase, keeps_nothing_unless_it_is_wanted);
  tcase_add_test(tcase, colours_are_right_whatever_the_format);
  tcase_add_test(tcase, pictures_keep_the_shape_of_the_frame_and_are_not_enlarged);
  tcase_add_test(tcase, regions_are_cut_at_the_edge_of_the_frame);
  tcase_add_test(tcase, what_is_no_raw_video_is_an_error);
  tcase_add_test(tcase, a_comment_leaves_the_picture_as_it_is);
  tcase_add_test(tcase, a_thread_encodes_the_same);
  tcase_add_test(tcase, nothing_is_encoded_while_nobody_looks);
  tcase_add_test(tcase, all_who_look_share_pictures);
  tcase_add_test(tcase, a_hundred_frames_a_second_make_ten_pictures);
  tcase_add_test(tcase, a_slow_viewer_does_not_slow_down_the_others);
  tcase_add_test(tcase, pictures_pause_while_the_camera_is_away);
  tcase_add_test(tcase, pictures_end_when_the_camera_is_removed);
  tcase_add_test(tcase, one_picture);
  tcase_add_test(tcase, widths_are_few);
  return fixtures_run(tcase, "pictures");
}
