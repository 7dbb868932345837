/* orientation.c: how frames are to be turned upright. */
#include "common/orientation.h"

G_STATIC_ASSERT((gint)VITGATE_ORIENTATION_UR_LL == (gint)GST_VIDEO_ORIENTATION_UR_LL &&
                (gint)VITGATE_ORIENTATION_90R == (gint)GST_VIDEO_ORIENTATION_90R);

GType gst_vitgate_orientation_get_type(void)
{
  static const GEnumValue values[] = {
    { VITGATE_ORIENTATION_IDENTITY, "Frames are upright", "identity" },
    { VITGATE_ORIENTATION_90R, "Rotate clockwise by 90 degrees", "90r" },
    { VITGATE_ORIENTATION_180, "Rotate by 180 degrees", "180" },
    { VITGATE_ORIENTATION_90L, "Rotate counter-clockwise by 90 degrees", "90l" },
    { VITGATE_ORIENTATION_HORIZ, "Flip horizontally", "horiz" },
    { VITGATE_ORIENTATION_VERT, "Flip vertically", "vert" },
    { VITGATE_ORIENTATION_UL_LR, "Flip across the upper left/lower right diagonal", "ul-lr" },
    { VITGATE_ORIENTATION_UR_LL, "Flip across the upper right/lower left diagonal", "ur-ll" },
    { GST_VITGATE_ORIENTATION_AUTO, "As the image-orientation tag of the stream says", "auto" },
    { 0, NULL, NULL },
  };
  static gsize type;

  if (g_once_init_enter(&type))
    g_once_init_leave(&type, g_enum_register_static("GstVitgateOrientation", values));
  return type;
}

/* ---- Tags ---------------------------------------------------------------------------------- */

/* Streams of one group come from one container, whose tags stay valid. */
static void start_stream(GstVitgateOrientationTags *tags, GstEvent *event)
{
  guint group = 0;

  tags->has_stream = FALSE;
  if (!gst_event_parse_group_id(event, &group) || group != tags->group)
    tags->has_global = FALSE;
  tags->group = group;
}

void gst_vitgate_orientation_tags_read(GstVitgateOrientationTags *tags, GstEvent *event)
{
  GstVideoOrientationMethod method;
  GstTagList *list;

  if (GST_EVENT_TYPE(event) == GST_EVENT_STREAM_START)
    start_stream(tags, event);
  if (GST_EVENT_TYPE(event) != GST_EVENT_TAG)
    return;
  gst_event_parse_tag(event, &list);
  if (!gst_video_orientation_from_tag(list, &method))
    return;
  if (gst_tag_list_get_scope(list) == GST_TAG_SCOPE_STREAM) {
    tags->has_stream = TRUE;
    tags->of_stream = (VitgateOrientation)method;
  } else {
    tags->has_global = TRUE;
    tags->of_container = (VitgateOrientation)method;
  }
}

VitgateOrientation gst_vitgate_orientation_choose(const GstVitgateOrientationTags *tags,
                                                  gint property)
{
  if (property != GST_VITGATE_ORIENTATION_AUTO)
    return (VitgateOrientation)property;
  if (tags->has_stream)
    return tags->of_stream;
  return tags->has_global ? tags->of_container : VITGATE_ORIENTATION_IDENTITY;
}

/* ---- Places -------------------------------------------------------------------------------- */

gboolean gst_vitgate_orientation_is_lying(VitgateOrientation orientation)
{
  return orientation == VITGATE_ORIENTATION_90R || orientation == VITGATE_ORIENTATION_90L ||
         orientation == VITGATE_ORIENTATION_UL_LR || orientation == VITGATE_ORIENTATION_UR_LL;
}

static void swap(gint *a, gint *b)
{
  const gint value = *a;

  *a = *b;
  *b = value;
}

/* Returns: whether x counts from the right edge of the stored frame. */
static gboolean reverses_x(VitgateOrientation orientation)
{
  return orientation == VITGATE_ORIENTATION_180 || orientation == VITGATE_ORIENTATION_90L ||
         orientation == VITGATE_ORIENTATION_HORIZ || orientation == VITGATE_ORIENTATION_UR_LL;
}

/* Returns: whether y counts from the lower edge of the stored frame. */
static gboolean reverses_y(VitgateOrientation orientation)
{
  return orientation == VITGATE_ORIENTATION_180 || orientation == VITGATE_ORIENTATION_90R ||
         orientation == VITGATE_ORIENTATION_VERT || orientation == VITGATE_ORIENTATION_UR_LL;
}

static void reverse(VitgateOrientation orientation, gint width, gint height, gint *x, gint *y,
                    gint w, gint h)
{
  if (reverses_x(orientation))
    *x = width - *x - w;
  if (reverses_y(orientation))
    *y = height - *y - h;
}

void gst_vitgate_orientation_to_stored(VitgateOrientation orientation, gint width, gint height,
                                       gint *x, gint *y, gint *w, gint *h)
{
  if (gst_vitgate_orientation_is_lying(orientation)) {
    swap(x, y);
    swap(w, h);
  }
  reverse(orientation, width, height, x, y, *w, *h);
}

void gst_vitgate_orientation_to_upright(VitgateOrientation orientation, gint width, gint height,
                                        gint *x, gint *y, gint *w, gint *h)
{
  reverse(orientation, width, height, x, y, *w, *h);
  if (gst_vitgate_orientation_is_lying(orientation)) {
    swap(x, y);
    swap(w, h);
  }
}
