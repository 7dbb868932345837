/* overlay-fixture.c: a vitgateoverlay element and its drawings. */
#include "overlay-fixture.h"

#include "attached.h"

#define ATTACHING                                                                                  \
  "video/x-raw(memory:SystemMemory, meta:GstVideoOverlayComposition); "                            \
  "video/x-raw(memory:GLMemory, meta:GstVideoOverlayComposition)"

GstHarness *overlay_harness;
GstVideoInfo overlay_info;

void overlay_setup(void)
{
  overlay_harness = attached_harness("vitgateoverlay");
}

void overlay_teardown(void)
{
  fixture_free(overlay_harness);
}

void overlay_set_caps(GstVideoFormat format, guint width, guint height)
{
  fixture_set_caps(overlay_harness, format, width, height, &overlay_info);
}

void overlay_attach(void)
{
  gst_harness_set_sink_caps_str(overlay_harness, ATTACHING);
}

GstBuffer *overlay_plain_frame(guint8 level)
{
  return fixture_grey(&overlay_info, level, GST_CLOCK_TIME_NONE);
}

void overlay_set_result(GstStructure *s, const char *label, double score, guint64 age)
{
  const AttachedClass class = { label, 1, score };

  attached_classes(s, &class, 1);
  gst_structure_set(s, "compute-ratio", G_TYPE_DOUBLE, 0.4, "age", G_TYPE_UINT64, age, NULL);
}

GstBuffer *overlay_draw(GstBuffer *frame, const char *label, double score, guint64 age)
{
  overlay_set_result(attached_result(frame), label, score, age);
  return fixture_process(overlay_harness, frame);
}

guint64 overlay_stat(const char *field)
{
  GstStructure *s = fixture_stats(overlay_harness->element);
  const guint64 value = fixture_uint64(s, field);

  gst_structure_free(s);
  return value;
}

GArray *overlay_rectangles(GstBuffer *frame)
{
  GstVideoOverlayCompositionMeta *meta = gst_buffer_get_video_overlay_composition_meta(frame);
  GArray *rectangles = g_array_new(FALSE, FALSE, sizeof(OverlayRectangle));

  fail_unless(meta, "nothing is attached");
  for (guint i = 0; i < gst_video_overlay_composition_n_rectangles(meta->overlay); i++) {
    OverlayRectangle r;

    fail_unless(gst_video_overlay_rectangle_get_render_rectangle(
        gst_video_overlay_composition_get_rectangle(meta->overlay, i), &r.x, &r.y,
        (guint *)&r.width, (guint *)&r.height));
    g_array_append_val(rectangles, r);
  }
  return rectangles;
}

GArray *overlay_rectangles_of(const char *label)
{
  GstBuffer *out = overlay_draw(overlay_plain_frame(0), label, 0.5, 0);
  GArray *rectangles = overlay_rectangles(out);

  gst_buffer_unref(out);
  return rectangles;
}

gboolean overlay_within(const GArray *rectangles, gint x, gint y)
{
  for (guint i = 0; i < rectangles->len; i++) {
    const OverlayRectangle *r = &g_array_index(rectangles, OverlayRectangle, i);
    if (x >= r->x && y >= r->y && x < r->x + r->width && y < r->y + r->height)
      return TRUE;
  }
  return FALSE;
}

void overlay_check_same_outside(GstBuffer *a, GstBuffer *b, const GArray *rectangles)
{
  GstVideoFrame left, right;

  fail_unless(gst_video_frame_map(&left, &overlay_info, a, GST_MAP_READ));
  fail_unless(gst_video_frame_map(&right, &overlay_info, b, GST_MAP_READ));
  for (guint c = 0; c < GST_VIDEO_INFO_N_COMPONENTS(&overlay_info); c++)
    for (gint y = 0; y < GST_VIDEO_FRAME_COMP_HEIGHT(&left, c); y++)
      for (gint x = 0; x < GST_VIDEO_FRAME_COMP_WIDTH(&left, c); x++) {
        const gsize at = (gsize)y * GST_VIDEO_FRAME_COMP_STRIDE(&left, c) +
                         (gsize)x * GST_VIDEO_FRAME_COMP_PSTRIDE(&left, c);

        if (!overlay_within(rectangles, x << GST_VIDEO_FORMAT_INFO_W_SUB(overlay_info.finfo, c),
                            y << GST_VIDEO_FORMAT_INFO_H_SUB(overlay_info.finfo, c)))
          fail_unless(((guint8 *)GST_VIDEO_FRAME_COMP_DATA(&left, c))[at] ==
                          ((guint8 *)GST_VIDEO_FRAME_COMP_DATA(&right, c))[at],
                      "%s: component %u at %d,%d", GST_VIDEO_INFO_NAME(&overlay_info), c, x, y);
      }
  gst_video_frame_unmap(&left);
  gst_video_frame_unmap(&right);
}

void overlay_range(GstBuffer *frame, const OverlayRectangle *r, guint *darkest, guint *brightest)
{
  GstVideoFrame mapped;

  *darkest = 255;
  *brightest = 0;
  fail_unless(gst_video_frame_map(&mapped, &overlay_info, frame, GST_MAP_READ));
  for (gint y = r->y; y < r->y + r->height; y++)
    for (gint x = r->x; x < r->x + r->width; x++) {
      const guint8 *row = (guint8 *)GST_VIDEO_FRAME_PLANE_DATA(&mapped, 0) +
                          (gsize)y * GST_VIDEO_FRAME_PLANE_STRIDE(&mapped, 0);

      *darkest = MIN(*darkest, row[3 * x]);
      *brightest = MAX(*brightest, row[3 * x]);
    }
  gst_video_frame_unmap(&mapped);
}
