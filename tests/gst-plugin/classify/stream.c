/* stream.c: frames pass unchanged, whatever the stream does. */
#include <string.h>
#include <sys/mman.h>

#include "fixture.h"

GST_START_TEST(test_frames_pass_byte_for_byte)
{
  GstHarness *harness = fixture_harness(fixture_element());
  GstVideoInfo info;
  GstBuffer *in, *original, *out;
  GstMemory *memory;
  GstMapInfo map;

  fixture_set_caps(harness, GST_VIDEO_FORMAT_I420, 33, 17, &info);
  in = fixture_frame(&info, 1);
  GST_BUFFER_DTS(in) = 7;
  GST_BUFFER_OFFSET(in) = 8;
  GST_BUFFER_OFFSET_END(in) = 9;
  GST_BUFFER_FLAG_SET(in, GST_BUFFER_FLAG_DISCONT | GST_BUFFER_FLAG_MARKER |
                              GST_VIDEO_BUFFER_FLAG_INTERLACED | GST_VIDEO_BUFFER_FLAG_TFF);
  original = gst_buffer_copy_deep(in);
  memory = gst_buffer_peek_memory(in, 0);

  out = fixture_process(harness, in);
  fail_unless(out == in, "a writable frame was copied");
  fail_unless(gst_buffer_peek_memory(out, 0) == memory);
  fail_unless_equals_uint64(GST_BUFFER_PTS(out), GST_BUFFER_PTS(original));
  fail_unless_equals_uint64(GST_BUFFER_DTS(out), 7);
  fail_unless_equals_uint64(GST_BUFFER_DURATION(out), GST_BUFFER_DURATION(original));
  fail_unless_equals_uint64(GST_BUFFER_OFFSET(out), 8);
  fail_unless_equals_uint64(GST_BUFFER_OFFSET_END(out), 9);
  fail_unless_equals_int(GST_BUFFER_FLAGS(out), GST_BUFFER_FLAGS(original));
  fail_unless(gst_buffer_map(original, &map, GST_MAP_READ));
  fail_unless_equals_int(gst_buffer_memcmp(out, 0, map.data, map.size), 0);
  gst_buffer_unmap(original, &map);
  gst_buffer_unref(original);
  gst_buffer_unref(out);
  fixture_free(harness);
}
GST_END_TEST;

GST_START_TEST(test_shared_frames_are_not_deep_copied)
{
  GstHarness *harness = fixture_harness(fixture_element());
  GstVideoInfo info;
  GstBuffer *in, *out;

  fixture_set_caps(harness, GST_VIDEO_FORMAT_RGB, 32, 32, &info);
  in = fixture_frame(&info, 1);
  out = fixture_process(harness, gst_buffer_ref(in)); /* as tee passes it to each branch */
  fail_if(out == in);
  fail_unless(gst_buffer_peek_memory(out, 0) == gst_buffer_peek_memory(in, 0));
  fail_unless(fixture_result(out));
  fail_if(fixture_result(in), "the other branch sees the result");
  gst_buffer_unref(in);
  gst_buffer_unref(out);
  fixture_free(harness);
}
GST_END_TEST;

/* Returns: the score of the best class for a grey frame.
 * @y: its luma, or its red, green and blue */
static double grey_score(GstVideoFormat format, guint8 y)
{
  GstHarness *harness = fixture_harness(fixture_element());
  GstVideoInfo info;
  GstVideoFrame frame;
  GstBuffer *buffer, *out;
  double score;

  fixture_set_caps(harness, format, 37, 41, &info);
  buffer = gst_buffer_new_allocate(NULL, GST_VIDEO_INFO_SIZE(&info), NULL);
  fail_unless(gst_video_frame_map(&frame, &info, buffer, GST_MAP_WRITE));
  for (guint c = 0; c < GST_VIDEO_INFO_N_COMPONENTS(&info); c++)
    for (gint row = 0; row < GST_VIDEO_FRAME_COMP_HEIGHT(&frame, c); row++)
      for (gint column = 0; column < GST_VIDEO_FRAME_COMP_WIDTH(&frame, c); column++)
        ((guint8 *)GST_VIDEO_FRAME_COMP_DATA(&frame,
                                             c))[row * GST_VIDEO_FRAME_COMP_STRIDE(&frame, c) +
                                                 column * GST_VIDEO_FRAME_COMP_PSTRIDE(&frame, c)] =
            c && GST_VIDEO_INFO_IS_YUV(&info) ? 128 : y;
  gst_video_frame_unmap(&frame);
  out = fixture_process(harness, buffer);
  score = fixture_double(fixture_result(out), "score");
  gst_buffer_unref(out);
  fixture_free(harness);
  return score;
}

GST_START_TEST(test_the_same_grey_gives_the_same_result_in_all_formats)
{
  static const GstVideoFormat formats[] = {
    GST_VIDEO_FORMAT_NV12, GST_VIDEO_FORMAT_NV21, GST_VIDEO_FORMAT_I420, GST_VIDEO_FORMAT_YV12,
    GST_VIDEO_FORMAT_YUY2, GST_VIDEO_FORMAT_UYVY, GST_VIDEO_FORMAT_RGB,  GST_VIDEO_FORMAT_BGR,
    GST_VIDEO_FORMAT_RGBx, GST_VIDEO_FORMAT_BGRx, GST_VIDEO_FORMAT_xRGB, GST_VIDEO_FORMAT_xBGR,
    GST_VIDEO_FORMAT_RGBA, GST_VIDEO_FORMAT_BGRA, GST_VIDEO_FORMAT_ARGB, GST_VIDEO_FORMAT_ABGR,
  };
  const double expected = grey_score(GST_VIDEO_FORMAT_GRAY8, 180);

  for (guint i = 0; i < G_N_ELEMENTS(formats); i++) {
    GstVideoInfo info;
    double score;

    gst_video_info_set_format(&info, formats[i], 37, 41);
    /* 180 in 0..255 and 171 in 16..235 are the same to half a step. */
    score = grey_score(formats[i], GST_VIDEO_INFO_IS_YUV(&info) ? 171 : 180);
    fail_unless(ABS(score - expected) < 0.005, "%s: %g instead of %g",
                gst_video_format_to_string(formats[i]), score, expected);
  }
}
GST_END_TEST;

GST_START_TEST(test_padding_does_not_change_the_result)
{
  GstHarness *harness = fixture_harness(fixture_element());
  gsize offset[GST_VIDEO_MAX_PLANES] = { 13, 13 + 96 * 45 };
  gint stride[GST_VIDEO_MAX_PLANES] = { 96, 80 };
  GstVideoInfo info;
  GstVideoFrame from, to;
  GstBuffer *tight, *padded;
  double score;

  fixture_set_caps(harness, GST_VIDEO_FORMAT_NV12, 67, 45, &info);
  tight = fixture_frame(&info, 1);
  padded = gst_buffer_new_allocate(NULL, 13 + 96 * 45 + 80 * 23, NULL);
  gst_buffer_memset(padded, 0, 255, -1);
  gst_buffer_add_video_meta_full(padded, 0, GST_VIDEO_FORMAT_NV12, 67, 45, 2, offset, stride);
  fail_unless(gst_video_frame_map(&from, &info, tight, GST_MAP_READ));
  fail_unless(gst_video_frame_map(&to, &info, padded, GST_MAP_WRITE));
  fail_unless(gst_video_frame_copy(&to, &from));
  gst_video_frame_unmap(&from);
  gst_video_frame_unmap(&to);

  tight = fixture_process(harness, tight);
  padded = fixture_process(harness, padded);
  score = fixture_double(fixture_result(tight), "score");
  fail_unless_equals_float(fixture_double(fixture_result(padded), "score"), score);
  gst_buffer_unref(tight);
  gst_buffer_unref(padded);
  fixture_free(harness);
}
GST_END_TEST;

static void unmap_pages(gpointer data)
{
  GstMapInfo *pages = data;

  munmap(pages->data, pages->size);
  g_free(pages);
}

/* Returns: a black frame whose pages take no memory until they are written to. */
static GstBuffer *lazy_frame(const GstVideoInfo *info)
{
  GstMapInfo *pages = g_new0(GstMapInfo, 1);

  pages->size = GST_VIDEO_INFO_SIZE(info);
  pages->data =
      mmap(NULL, pages->size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  fail_if(pages->data == MAP_FAILED);
  return gst_buffer_new_wrapped_full(GST_MEMORY_FLAG_READONLY, pages->data, pages->size, 0,
                                     pages->size, pages, unmap_pages);
}

static void check_size(GstVideoFormat format, guint width, guint height)
{
  GstHarness *harness = fixture_harness(fixture_element());
  GstVideoInfo info;
  GstBuffer *out;

  fixture_set_caps(harness, format, width, height, &info);
  out = fixture_process(harness, lazy_frame(&info));
  fail_unless(fixture_result(out), "%ux%u", width, height);
  gst_buffer_unref(out);
  fixture_free(harness);
}

GST_START_TEST(test_tiny_frames)
{
  check_size(GST_VIDEO_FORMAT_NV12, 1, 1);
  check_size(GST_VIDEO_FORMAT_YUY2, 1, 1);
  check_size(GST_VIDEO_FORMAT_RGB, 1, 1);
  check_size(GST_VIDEO_FORMAT_GRAY8, 1, 300);
  check_size(GST_VIDEO_FORMAT_I420, 300, 1);
}
GST_END_TEST;

GST_START_TEST(test_huge_frames)
{
  check_size(GST_VIDEO_FORMAT_GRAY8, 16384, 16384);
  check_size(GST_VIDEO_FORMAT_NV12, 16384, 16384);
  check_size(GST_VIDEO_FORMAT_RGB, 32767, 1);
}
GST_END_TEST;

GST_START_TEST(test_overlays_beside_the_pixels_are_accepted)
{
  GstHarness *harness = fixture_harness(fixture_element());
  GstBuffer *out;

  gst_harness_set_src_caps_str(harness,
                               "video/x-raw(memory:SystemMemory, meta:GstVideoOverlayComposition), "
                               "format=GRAY8, width=32, height=32, framerate=25/1");
  out = fixture_process(harness, gst_buffer_new_wrapped(g_malloc0(32 * 32), 32 * 32));
  fail_unless(fixture_result(out));
  gst_buffer_unref(out);
  fixture_free(harness);
}
GST_END_TEST;

GST_START_TEST(test_caps_may_change)
{
  GstHarness *harness = fixture_harness(fixture_element());
  GstVideoInfo info;
  GstStructure *s;

  g_object_set(harness->element, "inference-interval", 10, NULL);
  for (guint i = 0; i < 3; i++) {
    fixture_set_caps(harness, GST_VIDEO_FORMAT_NV12, 64 + i, 48, &info);
    s = fixture_classify(harness, &info, 2 * i);
    fail_unless_equals_uint64(fixture_uint64(s, "age"), 0);
    gst_structure_free(s);
    s = fixture_classify(harness, &info, 2 * i + 1);
    fail_unless_equals_uint64(fixture_uint64(s, "age"), 1);
    gst_structure_free(s);
    fixture_set_caps(harness, GST_VIDEO_FORMAT_RGBA, 48, 64 + i, &info);
    gst_structure_free(fixture_classify(harness, &info, i));
  }
  fixture_free(harness);
}
GST_END_TEST;

GST_START_TEST(test_a_flush_drops_the_last_result)
{
  GstHarness *harness = fixture_harness(fixture_element());
  GstVideoInfo info;
  GstStructure *s;

  g_object_set(harness->element, "inference-interval", 10, NULL);
  fixture_set_caps(harness, GST_VIDEO_FORMAT_RGB, 32, 32, &info);
  gst_structure_free(fixture_classify(harness, &info, 1));
  fixture_flush(harness);
  s = fixture_classify(harness, &info, 2);
  fail_unless_equals_uint64(fixture_uint64(s, "age"), 0);
  gst_structure_free(s);
  fixture_free(harness);
}
GST_END_TEST;

GST_START_TEST(test_frames_without_content_carry_the_last_result)
{
  GstHarness *harness = fixture_harness(fixture_element());
  GstVideoInfo info;
  GstBuffer *gap, *out;

  fixture_set_caps(harness, GST_VIDEO_FORMAT_RGB, 32, 32, &info);
  out = fixture_process(harness, gst_buffer_new());
  fail_if(fixture_result(out), "a result without an inference");
  gst_buffer_unref(out);
  gst_structure_free(fixture_classify(harness, &info, 1));

  gap = fixture_frame(&info, 2);
  GST_BUFFER_FLAG_SET(gap, GST_BUFFER_FLAG_GAP);
  out = fixture_process(harness, gap);
  fail_unless(GST_BUFFER_FLAG_IS_SET(out, GST_BUFFER_FLAG_GAP));
  fail_unless_equals_uint64(fixture_uint64(fixture_result(out), "age"), 1);
  gst_buffer_unref(out);
  out = fixture_process(harness, gst_buffer_new());
  fail_unless_equals_uint64(fixture_uint64(fixture_result(out), "age"), 2);
  gst_buffer_unref(out);
  fail_if(fixture_message(harness->element, GST_MESSAGE_WARNING));
  fixture_free(harness);
}
GST_END_TEST;

GST_START_TEST(test_states_may_cycle)
{
  GstHarness *harness = fixture_harness(fixture_element());
  GstVideoInfo info;
  GstSegment segment;
  GstStructure *stats;

  gst_segment_init(&segment, GST_FORMAT_TIME);
  for (guint i = 0; i < 5; i++) {
    fixture_set_caps(harness, GST_VIDEO_FORMAT_NV12, 32 + i, 32, &info);
    gst_structure_free(fixture_classify(harness, &info, i));
    stats = fixture_stats(harness->element);
    fail_unless_equals_uint64(fixture_uint64(stats, "frames"), 1);
    gst_structure_free(stats);
    fail_unless_equals_int(gst_element_set_state(harness->element, GST_STATE_NULL),
                           GST_STATE_CHANGE_SUCCESS);
    fail_unless_equals_int(gst_element_set_state(harness->element, GST_STATE_PLAYING),
                           GST_STATE_CHANGE_SUCCESS);
    fail_unless(gst_harness_push_event(harness, gst_event_new_stream_start("again")));
    gst_harness_push_event(harness, gst_event_new_segment(&segment));
  }
  fixture_free(harness);
}
GST_END_TEST;

GST_START_TEST(test_default_model_is_found)
{
  g_autofree char *bytes = NULL;
  g_autofree char *path = NULL, *folder = NULL;
  gsize size;
  GstElement *element = fixture_element();
  GstHarness *harness;
  GstVideoInfo info;

  fail_unless(g_file_get_contents(fixture_model(), &bytes, &size, NULL));
  path = fixture_file("deit-tiny-imagenet1k.safetensors", bytes, size);
  folder = g_path_get_dirname(path);
  g_setenv("VITGATE_MODEL_DIR", folder, TRUE);
  g_object_set(element, "model", NULL, NULL);
  harness = fixture_harness(element);
  fixture_set_caps(harness, GST_VIDEO_FORMAT_RGB, 32, 32, &info);
  gst_structure_free(fixture_classify(harness, &info, 1));
  fixture_free(harness);
}
GST_END_TEST;

GST_START_TEST(test_latency_grows_by_the_time_a_frame_takes)
{
  GstHarness *harness = fixture_harness(fixture_element());
  GstVideoInfo info;
  GstMessage *message;
  GstStructure *stats;

  gst_harness_set_upstream_latency(harness, 100 * GST_MSECOND);
  fixture_set_caps(harness, GST_VIDEO_FORMAT_RGB, 32, 32, &info);
  fail_unless_equals_uint64(gst_harness_query_latency(harness), 100 * GST_MSECOND);
  gst_structure_free(fixture_classify(harness, &info, 1));
  message = fixture_message(harness->element, GST_MESSAGE_LATENCY);
  fail_unless(message, "the new latency is not reported");
  gst_message_unref(message);
  stats = fixture_stats(harness->element);
  fail_unless_equals_uint64(gst_harness_query_latency(harness),
                            100 * GST_MSECOND + fixture_uint64(stats, "worst-time"));
  gst_structure_free(stats);
  fixture_free(harness);
}
GST_END_TEST;

static GstClockTime upstream_max;

static gboolean answer_query(GstPad *pad, GstObject *parent, GstQuery *query)
{
  if (GST_QUERY_TYPE(query) != GST_QUERY_LATENCY)
    return gst_pad_query_default(pad, parent, query);
  gst_query_set_latency(query, TRUE, 100 * GST_MSECOND, upstream_max);
  return TRUE;
}

static GstClockTime query_max_latency(GstHarness *harness)
{
  GstQuery *query = gst_query_new_latency();
  GstClockTime max;

  fail_unless(gst_pad_peer_query(harness->sinkpad, query));
  gst_query_parse_latency(query, NULL, NULL, &max);
  gst_query_unref(query);
  return max;
}

/* What upstream can hold back and what this element does add up. */
GST_START_TEST(test_maximum_latency_grows_by_the_time_a_frame_takes)
{
  GstHarness *harness = fixture_harness(fixture_element());
  GstVideoInfo info;
  GstStructure *stats;

  gst_pad_set_query_function(harness->srcpad, answer_query);
  fixture_set_caps(harness, GST_VIDEO_FORMAT_RGB, 32, 32, &info);
  gst_structure_free(fixture_classify(harness, &info, 1));
  stats = fixture_stats(harness->element);
  upstream_max = 300 * GST_MSECOND;
  fail_unless_equals_uint64(query_max_latency(harness),
                            300 * GST_MSECOND + fixture_uint64(stats, "worst-time"));
  upstream_max = GST_CLOCK_TIME_NONE;
  fail_unless_equals_uint64(query_max_latency(harness), GST_CLOCK_TIME_NONE);
  gst_structure_free(stats);
  fixture_free(harness);
}
GST_END_TEST;

GST_START_TEST(test_qos_goes_upstream_and_drops_nothing)
{
  GstHarness *harness = fixture_harness(fixture_element());
  GstEvent *event;
  GstVideoInfo info;

  g_object_set(harness->element, "qos", TRUE, NULL);
  fixture_set_caps(harness, GST_VIDEO_FORMAT_RGB, 32, 32, &info);
  while ((event = gst_harness_try_pull_upstream_event(harness)))
    gst_event_unref(event);
  fail_unless(gst_harness_push_upstream_event(
      harness, gst_event_new_qos(GST_QOS_TYPE_UNDERFLOW, 9.0, 10 * GST_SECOND, 0)));
  event = gst_harness_try_pull_upstream_event(harness);
  fail_unless(event && GST_EVENT_TYPE(event) == GST_EVENT_QOS);
  gst_event_unref(event);
  for (guint i = 0; i < 5; i++)
    gst_structure_free(fixture_classify(harness, &info, i));
  fixture_free(harness);
}
GST_END_TEST;

GST_START_TEST(test_allocation_queries_are_forwarded)
{
  GstHarness *harness = fixture_harness(fixture_element());
  GstAllocationParams params = { .align = 63, .padding = 17 };
  GstQuery *query;
  GstCaps *caps;

  gst_harness_set_propose_allocator(harness, NULL, &params);
  gst_harness_add_propose_allocation_meta(harness, GST_VIDEO_META_API_TYPE, NULL);
  fixture_set_caps(harness, GST_VIDEO_FORMAT_RGB, 32, 32, NULL);
  caps = gst_pad_get_current_caps(harness->srcpad);
  query = gst_query_new_allocation(caps, TRUE);
  fail_unless(gst_pad_peer_query(harness->srcpad, query));
  fail_unless(gst_query_find_allocation_meta(query, GST_VIDEO_META_API_TYPE, NULL));
  fail_unless_equals_int(gst_query_get_n_allocation_params(query), 1);
  gst_query_parse_nth_allocation_param(query, 0, NULL, &params);
  fail_unless(params.align == 63 && params.padding == 17);
  gst_query_unref(query);
  gst_caps_unref(caps);
  fixture_free(harness);
}
GST_END_TEST;

static gpointer classify_many(gpointer data)
{
  GstHarness *harness = data;
  GstVideoInfo info;
  double *scores = g_new(double, 20);

  fixture_set_caps(harness, GST_VIDEO_FORMAT_NV12, 64, 48, &info);
  for (guint i = 0; i < 20; i++) {
    GstStructure *s = fixture_classify(harness, &info, i);
    scores[i] = fixture_double(s, "score");
    gst_structure_free(s);
  }
  return scores;
}

GST_START_TEST(test_parallel_streams_do_not_mix)
{
  GstHarness *harnesses[3];
  GThread *threads[3];
  double *scores[3];

  for (guint i = 0; i < 3; i++)
    harnesses[i] = fixture_harness(fixture_element());
  for (guint i = 0; i < 3; i++)
    threads[i] = g_thread_new("stream", classify_many, harnesses[i]);
  for (guint i = 0; i < 3; i++)
    scores[i] = g_thread_join(threads[i]);
  fail_unless_equals_int(memcmp(scores[0], scores[1], 20 * sizeof(double)), 0);
  fail_unless_equals_int(memcmp(scores[0], scores[2], 20 * sizeof(double)), 0);
  for (guint i = 0; i < 3; i++) {
    fixture_free(harnesses[i]);
    g_free(scores[i]);
  }
}
GST_END_TEST;

static Suite *stream_suite(void)
{
  Suite *suite = suite_create("stream");
  TCase *tcase = tcase_create("stream");

  suite_add_tcase(suite, tcase);
  tcase_set_timeout(tcase, 60); /* the huge frames, under a sanitizer */
  tcase_add_test(tcase, test_frames_pass_byte_for_byte);
  tcase_add_test(tcase, test_shared_frames_are_not_deep_copied);
  tcase_add_test(tcase, test_the_same_grey_gives_the_same_result_in_all_formats);
  tcase_add_test(tcase, test_padding_does_not_change_the_result);
  tcase_add_test(tcase, test_tiny_frames);
  tcase_add_test(tcase, test_huge_frames);
  tcase_add_test(tcase, test_overlays_beside_the_pixels_are_accepted);
  tcase_add_test(tcase, test_caps_may_change);
  tcase_add_test(tcase, test_a_flush_drops_the_last_result);
  tcase_add_test(tcase, test_frames_without_content_carry_the_last_result);
  tcase_add_test(tcase, test_states_may_cycle);
  tcase_add_test(tcase, test_default_model_is_found);
  tcase_add_test(tcase, test_latency_grows_by_the_time_a_frame_takes);
  tcase_add_test(tcase, test_maximum_latency_grows_by_the_time_a_frame_takes);
  tcase_add_test(tcase, test_qos_goes_upstream_and_drops_nothing);
  tcase_add_test(tcase, test_allocation_queries_are_forwarded);
  tcase_add_test(tcase, test_parallel_streams_do_not_mix);
  return suite;
}

GST_CHECK_MAIN(stream);
