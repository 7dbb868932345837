/* frame.c: caps and buffers become images, or are refused with a reason. */
#include "common/frame.h"

#include <gst/check/gstcheck.h>

#include "fixture.h"

static const struct {
  GstVideoFormat format;
  VitgatePixelFormat pixels;
} formats[] = {
  { GST_VIDEO_FORMAT_NV12, VITGATE_PIXELS_NV12 },
  { GST_VIDEO_FORMAT_NV21, VITGATE_PIXELS_NV21 },
  { GST_VIDEO_FORMAT_I420, VITGATE_PIXELS_I420 },
  { GST_VIDEO_FORMAT_YV12, VITGATE_PIXELS_YV12 },
  { GST_VIDEO_FORMAT_YUY2, VITGATE_PIXELS_YUY2 },
  { GST_VIDEO_FORMAT_UYVY, VITGATE_PIXELS_UYVY },
  { GST_VIDEO_FORMAT_RGB, VITGATE_PIXELS_RGB },
  { GST_VIDEO_FORMAT_BGR, VITGATE_PIXELS_BGR },
  { GST_VIDEO_FORMAT_RGBx, VITGATE_PIXELS_RGBX },
  { GST_VIDEO_FORMAT_BGRx, VITGATE_PIXELS_BGRX },
  { GST_VIDEO_FORMAT_xRGB, VITGATE_PIXELS_XRGB },
  { GST_VIDEO_FORMAT_xBGR, VITGATE_PIXELS_XBGR },
  { GST_VIDEO_FORMAT_RGBA, VITGATE_PIXELS_RGBX },
  { GST_VIDEO_FORMAT_BGRA, VITGATE_PIXELS_BGRX },
  { GST_VIDEO_FORMAT_ARGB, VITGATE_PIXELS_XRGB },
  { GST_VIDEO_FORMAT_ABGR, VITGATE_PIXELS_XBGR },
  { GST_VIDEO_FORMAT_GRAY8, VITGATE_PIXELS_GRAY8 },
  { GST_VIDEO_FORMAT_Y42B, VITGATE_PIXELS_Y42B },
  { GST_VIDEO_FORMAT_Y444, VITGATE_PIXELS_Y444 },
  { GST_VIDEO_FORMAT_P010_10LE, VITGATE_PIXELS_P010_10LE },
  { GST_VIDEO_FORMAT_I420_10LE, VITGATE_PIXELS_I420_10LE },
  { GST_VIDEO_FORMAT_I422_10LE, VITGATE_PIXELS_I422_10LE },
  { GST_VIDEO_FORMAT_Y444_10LE, VITGATE_PIXELS_Y444_10LE },
};

static gboolean layout_from(const char *caps_string, GstVitgateFrameLayout *layout)
{
  GstCaps *caps = gst_caps_from_string(caps_string);
  gboolean ok;

  fail_unless(caps, "bad caps in the test: %s", caps_string);
  ok = gst_vitgate_frame_layout_init(layout, caps);
  gst_caps_unref(caps);
  return ok;
}

static GstVitgateFrameLayout layout_of(GstVideoFormat format, guint width, guint height)
{
  GstVitgateFrameLayout layout;
  g_autofree char *caps =
      g_strdup_printf("video/x-raw, format=%s, width=%u, height=%u, framerate=25/1",
                      gst_video_format_to_string(format), width, height);

  fail_unless(layout_from(caps, &layout), "%s refused", caps);
  return layout;
}

GST_START_TEST(test_each_format_is_mapped_to_the_engines)
{
  for (guint i = 0; i < G_N_ELEMENTS(formats); i++) {
    GstVitgateFrameLayout layout = layout_of(formats[i].format, 33, 17);
    fail_unless_equals_int(layout.image.format, formats[i].pixels);
    fail_unless_equals_int(layout.image.width, 33);
    fail_unless_equals_int(layout.image.height, 17);
  }
}
GST_END_TEST;

GST_START_TEST(test_unsupported_caps_are_refused)
{
  GstVitgateFrameLayout layout;

  fail_if(layout_from("video/x-raw, format=I420_12LE, width=64, height=64", &layout));
  fail_if(layout_from("video/x-raw, format=GRAY16_LE, width=64, height=64", &layout));
  fail_if(layout_from("video/x-raw, format=RGB, width=40000, height=64", &layout));
  fail_if(layout_from("video/x-raw, format=RGB, width=64", &layout));
  fail_if(layout_from("image/jpeg, width=64, height=64", &layout));
}
GST_END_TEST;

static void check_color(const char *fields, VitgateColorMatrix matrix, gboolean full_range)
{
  g_autofree char *caps = g_strconcat("video/x-raw, format=NV12, ", fields, NULL);
  GstVitgateFrameLayout layout;

  fail_unless(layout_from(caps, &layout));
  fail_unless(layout.image.matrix == matrix, "%s: matrix %d", fields, layout.image.matrix);
  fail_unless(layout.image.full_range == full_range, "%s: range %d", fields,
              layout.image.full_range);
}

GST_START_TEST(test_colorimetry_of_the_caps_is_kept)
{
  check_color("width=64, height=64, colorimetry=bt601", VITGATE_MATRIX_BT601, FALSE);
  check_color("width=64, height=64, colorimetry=bt709", VITGATE_MATRIX_BT709, FALSE);
  check_color("width=64, height=64, colorimetry=bt2020", VITGATE_MATRIX_BT2020, FALSE);
  check_color("width=64, height=64, colorimetry=smpte240m", VITGATE_MATRIX_BT709, FALSE);
  check_color("width=64, height=64, colorimetry=1:4:0:0", VITGATE_MATRIX_BT601, TRUE);
  check_color("width=64, height=64, colorimetry=1:3:5:1", VITGATE_MATRIX_BT709, TRUE);
}
GST_END_TEST;

GST_START_TEST(test_unlabelled_caps_follow_the_height)
{
  check_color("width=720, height=576", VITGATE_MATRIX_BT601, FALSE);
  check_color("width=1280, height=720", VITGATE_MATRIX_BT709, FALSE);
  check_color("width=720, height=576, colorimetry=0:0:0:0", VITGATE_MATRIX_BT601, FALSE);
  check_color("width=1280, height=720, colorimetry=0:0:0:0", VITGATE_MATRIX_BT709, FALSE);
}
GST_END_TEST;

/* Cameras that set the full-range flag and describe no colours, gray JPEG, capture cards. */
GST_START_TEST(test_each_field_of_the_colorimetry_has_its_own_default)
{
  static const char *others[] = { "0:0", "5:1", "7:1", "0:1", "13:7", "99:-1" };
  static const char *matrices[] = { "0", "1", "3", "4", "6", "99" };
  static const VitgateColorMatrix low[] = { VITGATE_MATRIX_BT601,  VITGATE_MATRIX_BT601,
                                            VITGATE_MATRIX_BT709,  VITGATE_MATRIX_BT601,
                                            VITGATE_MATRIX_BT2020, VITGATE_MATRIX_BT601 };

  for (guint range = 0; range <= 3; range++) {
    for (guint m = 0; m < G_N_ELEMENTS(matrices); m++) {
      const gboolean is_default = low[m] == VITGATE_MATRIX_BT601 && m != 3;

      for (guint i = 0; i < G_N_ELEMENTS(others); i++) {
        g_autofree char *color = g_strdup_printf("%u:%s:%s", range, matrices[m], others[i]);
        g_autofree char *small = g_strconcat("width=64, height=576, colorimetry=", color, NULL);
        g_autofree char *large = g_strconcat("width=64, height=578, colorimetry=", color, NULL);

        check_color(small, low[m], range == 1);
        check_color(large, is_default ? VITGATE_MATRIX_BT709 : low[m], range == 1);
      }
    }
  }
  check_color("width=64, height=64, colorimetry=sRGB", VITGATE_MATRIX_BT601, TRUE);
  check_color("width=64, height=64, colorimetry=nonsense", VITGATE_MATRIX_BT601, FALSE);
  check_color("width=64, height=64, colorimetry=(string)\"\"", VITGATE_MATRIX_BT601, FALSE);
}
GST_END_TEST;

static void check_range(const char *format_and_color, gboolean full)
{
  g_autofree char *caps =
      g_strconcat("video/x-raw, width=64, height=64, format=", format_and_color, NULL);
  GstVitgateFrameLayout layout;

  fail_unless(layout_from(caps, &layout));
  fail_unless_equals_int(layout.image.full_range, full);
  fail_unless_equals_int(layout.image.limited_rgb, !full && GST_VIDEO_INFO_IS_RGB(&layout.info));
}

GST_START_TEST(test_gray_and_rgb_are_full_range_unless_the_caps_say_otherwise)
{
  static const char *formats_of[] = { "GRAY8", "RGB", "BGRA", "xBGR" };

  for (guint i = 0; i < G_N_ELEMENTS(formats_of); i++) {
    static const char *full[] = { "", ", colorimetry=0:4:0:0", ", colorimetry=0:1:7:1",
                                  ", colorimetry=1:0:0:0", ", colorimetry=sRGB" };
    static const char *limited[] = { ", colorimetry=2:1:7:1", ", colorimetry=2:0:0:0",
                                     ", colorimetry=2:4:0:0" };

    for (guint j = 0; j < G_N_ELEMENTS(full); j++) {
      g_autofree char *fields = g_strconcat(formats_of[i], full[j], NULL);
      check_range(fields, TRUE);
    }
    for (guint j = 0; j < G_N_ELEMENTS(limited); j++) {
      g_autofree char *fields = g_strconcat(formats_of[i], limited[j], NULL);
      check_range(fields, FALSE);
    }
  }
}
GST_END_TEST;

static void check_shape(const char *ratio, guint width, guint height)
{
  g_autofree char *caps = g_strconcat(
      "video/x-raw, format=NV12, width=203, height=288, pixel-aspect-ratio=", ratio, NULL);
  GstVitgateFrameLayout layout;

  fail_unless(layout_from(caps, &layout), "%s refused", caps);
  fail_unless_equals_int(layout.image.pixel_width, width);
  fail_unless_equals_int(layout.image.pixel_height, height);
}

GST_START_TEST(test_the_shape_of_pixels_is_kept)
{
  GstVitgateFrameLayout layout = layout_of(GST_VIDEO_FORMAT_NV12, 203, 288);

  fail_unless_equals_int(layout.image.pixel_width, layout.image.pixel_height);
  check_shape("2/1", 2, 1);
  check_shape("16/11", 16, 11);
  check_shape("20000/1", 20000, 1);
  check_shape("0/1", 0, 0);
  fail_if(layout_from("video/x-raw, format=NV12, width=203, height=288, "
                      "pixel-aspect-ratio=1/2147483647",
                      &layout));
  fail_if(layout_from("video/x-raw, format=NV12, width=203, height=288, "
                      "pixel-aspect-ratio=2147483647/1",
                      &layout));
}
GST_END_TEST;

static void check_site(const char *site, VitgateChromaSite expected)
{
  g_autofree char *caps =
      g_strdup_printf("video/x-raw, format=NV12, width=64, height=64, chroma-site=%s", site);
  GstVitgateFrameLayout layout;

  fail_unless(layout_from(caps, &layout));
  fail_unless(layout.image.chroma_site == expected, "%s: %d", site, layout.image.chroma_site);
}

GST_START_TEST(test_chroma_site_of_the_caps_is_kept)
{
  check_site("mpeg2", VITGATE_CHROMA_LEFT);
  check_site("jpeg", VITGATE_CHROMA_CENTER);
  check_site("none", VITGATE_CHROMA_CENTER);
  check_site("cosited", VITGATE_CHROMA_TOP_LEFT);
  check_site("v-cosited", VITGATE_CHROMA_CENTER);
  check_site("mpeg2, colorimetry=bt601", VITGATE_CHROMA_LEFT);
  check_site("jpeg, colorimetry=bt709", VITGATE_CHROMA_CENTER);
}
GST_END_TEST;

/* As in GStreamer 1.22 for caps without colours. */
GST_START_TEST(test_an_unknown_chroma_site_follows_the_height)
{
  static const char *colors[] = { "", ", colorimetry=bt601", ", colorimetry=1:0:0:0",
                                  ", chroma-site=nonsense" };

  for (guint i = 0; i < G_N_ELEMENTS(colors); i++) {
    static const guint heights[] = { 576, 578 };

    for (guint j = 0; j < G_N_ELEMENTS(heights); j++) {
      g_autofree char *caps =
          g_strdup_printf("video/x-raw, format=NV12, width=64, height=%u%s", heights[j], colors[i]);
      GstVitgateFrameLayout layout;

      fail_unless(layout_from(caps, &layout));
      fail_unless(layout.image.chroma_site == (j ? VITGATE_CHROMA_LEFT : VITGATE_CHROMA_CENTER),
                  "%s: %d", caps, layout.image.chroma_site);
    }
  }
}
GST_END_TEST;

/* Reads every byte of the image, so that a sanitizer finds one too many. */
static guint touch(const VitgateImage *image, const GstVideoInfo *info)
{
  guint sum = 0;

  for (guint c = 0; c < GST_VIDEO_INFO_N_COMPONENTS(info); c++) {
    const guint p = GST_VIDEO_FORMAT_INFO_PLANE(info->finfo, c);
    const guint rows = GST_VIDEO_FORMAT_INFO_SCALE_HEIGHT(info->finfo, c, image->height);
    const guint bytes = GST_VIDEO_FORMAT_INFO_SCALE_WIDTH(info->finfo, c, image->width) *
                        GST_VIDEO_FORMAT_INFO_PSTRIDE(info->finfo, c);

    for (guint y = 0; y < rows; y++)
      for (guint x = 0; x < bytes; x++)
        sum += image->planes[p][y * image->strides[p] + x];
  }
  return sum;
}

GST_START_TEST(test_tight_frames_of_all_sizes_map)
{
  static const guint sizes[][2] = {
    { 1, 1 }, { 1, 7 }, { 7, 1 }, { 2, 2 }, { 33, 17 }, { 64, 48 }
  };

  for (guint i = 0; i < G_N_ELEMENTS(formats); i++) {
    for (guint j = 0; j < G_N_ELEMENTS(sizes); j++) {
      GstVitgateFrameLayout layout = layout_of(formats[i].format, sizes[j][0], sizes[j][1]);
      GstBuffer *buffer = fixture_frame(&layout.info, i);
      const char *reason = NULL;
      GstVitgateFrame frame;

      fail_unless(gst_vitgate_frame_map(&frame, &layout, buffer, &reason), "%s %ux%u: %s",
                  gst_video_format_to_string(formats[i].format), sizes[j][0], sizes[j][1], reason);
      fail_unless(touch(&frame.image, &layout.info) > 0);
      gst_vitgate_frame_unmap(&frame);
      gst_buffer_unref(buffer);
    }
  }
}
GST_END_TEST;

/* Returns: a 4x4 NV12 frame in a memory of 8x8 pixels; the value of each byte is its position. */
static GstBuffer *padded_frame(void)
{
  gsize offset[GST_VIDEO_MAX_PLANES] = { 0, 8 * 8 };
  gint stride[GST_VIDEO_MAX_PLANES] = { 8, 8 };
  guint8 *data = g_malloc(8 * 12);
  GstBuffer *buffer = gst_buffer_new_wrapped(data, 8 * 12);

  for (guint i = 0; i < 8 * 12; i++)
    data[i] = i;
  gst_buffer_add_video_meta_full(buffer, 0, GST_VIDEO_FORMAT_NV12, 8, 8, 2, offset, stride);
  return buffer;
}

GST_START_TEST(test_padded_strides_and_offsets_are_honoured)
{
  GstVitgateFrameLayout layout = layout_of(GST_VIDEO_FORMAT_NV12, 4, 4);
  GstBuffer *buffer = padded_frame();
  GstVitgateFrame frame;
  const char *reason;

  fail_unless(gst_vitgate_frame_map(&frame, &layout, buffer, &reason));
  fail_unless_equals_int(frame.image.strides[0], 8);
  fail_unless_equals_int(frame.image.planes[0][8], 8);
  fail_unless_equals_int(frame.image.planes[1][8], 64 + 8);
  fail_unless_equals_int(frame.image.width, 4);
  gst_vitgate_frame_unmap(&frame);
  gst_buffer_unref(buffer);
}
GST_END_TEST;

GST_START_TEST(test_crop_meta_moves_the_picture)
{
  GstVitgateFrameLayout layout = layout_of(GST_VIDEO_FORMAT_NV12, 4, 4);
  GstBuffer *buffer = padded_frame();
  GstVideoCropMeta *crop = gst_buffer_add_video_crop_meta(buffer);
  GstVitgateFrame frame;
  const char *reason;

  crop->x = 3; /* half a chroma sample: rounded down to 2 */
  crop->y = 4;
  crop->width = crop->height = 4;
  fail_unless(gst_vitgate_frame_map(&frame, &layout, buffer, &reason), "%s", reason);
  fail_unless_equals_int(frame.image.planes[0][0], 4 * 8 + 2);
  fail_unless_equals_int(frame.image.planes[1][0], 64 + 2 * 8 + 2);
  gst_vitgate_frame_unmap(&frame);
  gst_buffer_unref(buffer);
}
GST_END_TEST;

static void check_refused(GstBuffer *buffer, const GstVitgateFrameLayout *layout)
{
  GstVitgateFrame frame;
  const char *reason = NULL;

  fail_if(gst_vitgate_frame_map(&frame, layout, buffer, &reason));
  fail_unless(reason && *reason);
  gst_buffer_unref(buffer);
}

GST_START_TEST(test_short_buffers_are_refused)
{
  GstVitgateFrameLayout layout = layout_of(GST_VIDEO_FORMAT_RGB, 32, 32);

  check_refused(gst_buffer_new_allocate(NULL, 32 * 32 * 3 - 1, NULL), &layout);
  check_refused(gst_buffer_new_allocate(NULL, 1, NULL), &layout);
  check_refused(gst_buffer_new(), &layout);
}
GST_END_TEST;

static void check_meta_refused(GstVideoFormat format, guint width, guint height, gsize offset,
                               gint stride)
{
  GstVitgateFrameLayout layout = layout_of(GST_VIDEO_FORMAT_GRAY8, 32, 32);
  GstBuffer *buffer = gst_buffer_new_allocate(NULL, 32 * 32, NULL);
  gsize offsets[GST_VIDEO_MAX_PLANES] = { offset };
  gint strides[GST_VIDEO_MAX_PLANES] = { stride };

  gst_buffer_add_video_meta_full(buffer, 0, format, width, height, 1, offsets, strides);
  check_refused(buffer, &layout);
}

GST_START_TEST(test_wrong_video_metas_are_refused)
{
  check_meta_refused(GST_VIDEO_FORMAT_RGB, 32, 32, 0, 32 * 3);
  check_meta_refused(GST_VIDEO_FORMAT_GRAY8, 16, 32, 0, 32);
  check_meta_refused(GST_VIDEO_FORMAT_GRAY8, 32, 16, 0, 32);
  check_meta_refused(GST_VIDEO_FORMAT_GRAY8, 40000, 32, 0, 32);
  check_meta_refused(GST_VIDEO_FORMAT_GRAY8, 32, 32, 1, 32);
  check_meta_refused(GST_VIDEO_FORMAT_GRAY8, 32, 32, 0, 33);
  check_meta_refused(GST_VIDEO_FORMAT_GRAY8, 32, 32, 0, 31);
  check_meta_refused(GST_VIDEO_FORMAT_GRAY8, 32, 32, 0, G_MAXINT);
  check_meta_refused(GST_VIDEO_FORMAT_GRAY8, 32, 32, 0, 0);
  check_meta_refused(GST_VIDEO_FORMAT_GRAY8, 32, 32, 32 * 31, -32);
}
GST_END_TEST;

GST_START_TEST(test_a_video_meta_with_a_false_number_of_planes_is_refused)
{
  GstVitgateFrameLayout layout = layout_of(GST_VIDEO_FORMAT_NV12, 32, 32);

  for (guint n = 0; n <= GST_VIDEO_MAX_PLANES; n++) {
    GstBuffer *buffer = gst_buffer_new_allocate(NULL, 32 * 48, NULL);
    GstVitgateFrame frame;
    const char *reason = NULL;

    gst_buffer_add_video_meta(buffer, 0, GST_VIDEO_FORMAT_NV12, 32, 32)->n_planes = n;
    if (n != 2) {
      check_refused(buffer, &layout);
      continue;
    }
    fail_unless(gst_vitgate_frame_map(&frame, &layout, buffer, &reason), "%s", reason);
    gst_vitgate_frame_unmap(&frame);
    gst_buffer_unref(buffer);
  }
}
GST_END_TEST;

static void check_crop_refused(guint x, guint y, guint width, guint height)
{
  GstVitgateFrameLayout layout = layout_of(GST_VIDEO_FORMAT_GRAY8, 32, 32);
  GstBuffer *buffer = gst_buffer_new_allocate(NULL, 32 * 32, NULL);
  GstVideoCropMeta *crop = gst_buffer_add_video_crop_meta(buffer);

  crop->x = x;
  crop->y = y;
  crop->width = width;
  crop->height = height;
  check_refused(buffer, &layout);
}

GST_START_TEST(test_wrong_crop_metas_are_refused)
{
  check_crop_refused(0, 0, 33, 32);
  check_crop_refused(32, 0, 1, 1);
  check_crop_refused(1, 0, 32, 32);
  check_crop_refused(0, 0, 0, 32);
  check_crop_refused(G_MAXUINT, G_MAXUINT, 2, 2);
  check_crop_refused(1, 1, G_MAXUINT, G_MAXUINT);
}
GST_END_TEST;

static guint8 picture[16 * 4];

static gboolean map_elsewhere(GstVideoMeta *meta, guint plane, GstMapInfo *info, gpointer *data,
                              gint *stride, GstMapFlags flags)
{
  *data = picture;
  *stride = 16;
  return TRUE;
}

static gboolean unmap_elsewhere(GstVideoMeta *meta, guint plane, GstMapInfo *info)
{
  return TRUE;
}

GST_START_TEST(test_planes_mapped_by_hardware_are_trusted)
{
  GstVitgateFrameLayout layout = layout_of(GST_VIDEO_FORMAT_GRAY8, 13, 4);
  GstBuffer *buffer = gst_buffer_new();
  GstVideoMeta *meta = gst_buffer_add_video_meta(buffer, 0, GST_VIDEO_FORMAT_GRAY8, 13, 4);
  GstVitgateFrame frame;
  const char *reason;

  meta->map = map_elsewhere;
  meta->unmap = unmap_elsewhere;
  fail_unless(gst_vitgate_frame_map(&frame, &layout, buffer, &reason), "%s", reason);
  fail_unless(frame.image.planes[0] == picture);
  fail_unless_equals_int(frame.image.strides[0], 16);
  gst_vitgate_frame_unmap(&frame);
  gst_buffer_unref(buffer);
}
GST_END_TEST;

static Suite *frame_suite(void)
{
  Suite *suite = suite_create("frame");
  TCase *tcase = tcase_create("frame");

  suite_add_tcase(suite, tcase);
  tcase_add_test(tcase, test_each_format_is_mapped_to_the_engines);
  tcase_add_test(tcase, test_unsupported_caps_are_refused);
  tcase_add_test(tcase, test_colorimetry_of_the_caps_is_kept);
  tcase_add_test(tcase, test_unlabelled_caps_follow_the_height);
  tcase_add_test(tcase, test_each_field_of_the_colorimetry_has_its_own_default);
  tcase_add_test(tcase, test_gray_and_rgb_are_full_range_unless_the_caps_say_otherwise);
  tcase_add_test(tcase, test_the_shape_of_pixels_is_kept);
  tcase_add_test(tcase, test_chroma_site_of_the_caps_is_kept);
  tcase_add_test(tcase, test_an_unknown_chroma_site_follows_the_height);
  tcase_add_test(tcase, test_tight_frames_of_all_sizes_map);
  tcase_add_test(tcase, test_padded_strides_and_offsets_are_honoured);
  tcase_add_test(tcase, test_crop_meta_moves_the_picture);
  tcase_add_test(tcase, test_planes_mapped_by_hardware_are_trusted);
  tcase_add_test(tcase, test_short_buffers_are_refused);
  tcase_add_test(tcase, test_wrong_video_metas_are_refused);
  tcase_add_test(tcase, test_a_video_meta_with_a_false_number_of_planes_is_refused);
  tcase_add_test(tcase, test_wrong_crop_metas_are_refused);
  return suite;
}

GST_CHECK_MAIN(frame);
