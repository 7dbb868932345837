/* meta.c: registers VitgateMeta, which follows its frame when that is scaled. */
#include "common/meta.h"

#include "common/frame.h"
#include "common/results.h"
#include "common/structure.h"

/* A change of a frame's geometry, in GStreamer's terms: a quark, and data that depends on it. */
typedef struct {
  GQuark type;
  gconstpointer data;
} Change;

static gboolean is_copy(const Change *change)
{
  return GST_META_TRANSFORM_IS_COPY(change->type);
}

static gboolean is_matrix(const Change *change)
{
#ifdef HAVE_GST_VIDEO_MATRIX
  return GST_VIDEO_META_TRANSFORM_IS_MATRIX(change->type);
#else
  return FALSE;
#endif
}

static double pixel_aspect_ratio(const GstVideoInfo *info)
{
  return info->par_n > 0 && info->par_d > 0 ? (double)info->par_n / info->par_d : 1;
}

/* Whether the picture of @in fills the frame of @out when it keeps its shape, apart from a pixel
 * that sizes are rounded by. Otherwise the scaler stretches it, or adds borders. A scale does not
 * say which. */
static gboolean fills(const GstVideoInfo *in, const GstVideoInfo *out)
{
  const double shape = in->width * pixel_aspect_ratio(in) / in->height;
  const double height = out->width * pixel_aspect_ratio(out) / shape;
  const double width = out->height * shape / pixel_aspect_ratio(out);

  return width > out->width - 1.001 && height > out->height - 1.001;
}

static gboolean is_scale(const Change *change)
{
  return GST_VIDEO_META_TRANSFORM_IS_SCALE(change->type);
}

/* Returns: whether places can be followed through @change. */
static gboolean can_follow_places(const Change *change)
{
  const GstVideoMetaTransform *scale = change->data;

  if (is_copy(change) || is_matrix(change))
    return TRUE;
  return is_scale(change) && scale->in_info->width > 0 && scale->in_info->height > 0 &&
         fills(scale->in_info, scale->out_info);
}

/* Returns: whether a result can be followed through @change. That of a frame stays true when the
 * frame is scaled, even if its place is lost. */
static gboolean can_follow(const Change *change, gboolean has_regions)
{
  return can_follow_places(change) || (!has_regions && is_scale(change));
}

/* Rounds as GstVideoRegionOfInterestMeta does, so that both stay in the same place. */
static gint scale_length(gint length, gint from, gint to)
{
  return (gint)((gint64)length * to / from);
}

static gboolean clip(GstVideoRectangle *place, const GstVideoRectangle *frame)
{
  const gint right = MIN(place->x + place->w, frame->x + frame->w);
  const gint bottom = MIN(place->y + place->h, frame->y + frame->h);

  place->x = MAX(place->x, frame->x);
  place->y = MAX(place->y, frame->y);
  place->w = right - place->x;
  place->h = bottom - place->y;
  return place->w > 0 && place->h > 0;
}

/* Returns: FALSE if nothing of @place is left in the frame. */
static gboolean follow(const Change *change, GstVideoRectangle *place)
{
  const GstVideoMetaTransform *scale = change->data;
  GstVideoRectangle frame = { 0 };

#ifdef HAVE_GST_VIDEO_MATRIX
  if (is_matrix(change)) {
    const GstVideoMetaTransformMatrix *matrix = change->data;

    frame = matrix->out_rectangle;
    return gst_video_meta_transform_matrix_rectangle(matrix, place) && clip(place, &frame);
  }
#endif
  frame.w = scale->out_info->width;
  frame.h = scale->out_info->height;
  place->x = scale_length(place->x, scale->in_info->width, frame.w);
  place->y = scale_length(place->y, scale->in_info->height, frame.h);
  place->w = MAX(scale_length(place->w, scale->in_info->width, frame.w), 1);
  place->h = MAX(scale_length(place->h, scale->in_info->height, frame.h), 1);
  return clip(place, &frame);
}

/* Finds the place of @from, a result or a region, after a change of geometry.
 * Returns: FALSE if it is outside the frame then, or has no place. */
static gboolean follow_place(const Change *change, const GstStructure *from, VitgateRectangle *to)
{
  GstVideoRectangle place;

  if (!gst_vitgate_results_get_place(from, to) ||
      MAX(MAX(to->x, to->y), MAX(to->width, to->height)) > GST_VITGATE_MAX_SIZE)
    return FALSE;
  place = (GstVideoRectangle){ (gint)to->x, (gint)to->y, (gint)to->width, (gint)to->height };
  if (!follow(change, &place))
    return FALSE;
  *to = (VitgateRectangle){ (guint)place.x, (guint)place.y, (guint)place.w, (guint)place.h };
  return TRUE;
}

/* Returns: (transfer full) (nullable): the region @from after @change; NULL if it is outside the
 * frame then, or has no place. */
static GstStructure *follow_region(const Change *change, const GstStructure *from)
{
  VitgateRectangle place;
  GstStructure *to;

  if (is_copy(change))
    return gst_structure_copy(from);
  if (!follow_place(change, from, &place))
    return NULL;
  to = gst_structure_copy(from);
  gst_vitgate_results_set_place(to, &place);
  return to;
}

static void follow_regions(const Change *change, const GstStructure *from, GstStructure *to)
{
  const GstStructure *region;
  GValue regions = G_VALUE_INIT;
  guint i = 0;

  gst_value_array_init(&regions, 0);
  while ((region = gst_vitgate_results_next_region(from, &i))) {
    GValue item = G_VALUE_INIT;
    GstStructure *followed = follow_region(change, region);

    if (!followed)
      continue;
    g_value_init(&item, GST_TYPE_STRUCTURE);
    g_value_take_boxed(&item, followed);
    gst_value_array_append_and_take_value(&regions, &item);
  }
  gst_structure_take_value(to, "regions", &regions);
}

/* Sets the maps of patches of @to, unless nothing is known of their places. */
static void follow_maps(const Change *change, const GstStructure *from, GstStructure *to)
{
  const GstVideoMetaTransform *scale = change->data;

  if (GST_VIDEO_META_TRANSFORM_IS_SCALE(change->type) && scale->in_info->width > 0 &&
      scale->in_info->height > 0 && fills(scale->in_info, scale->out_info))
    gst_vitgate_token_maps_scale(from, to, scale->in_info, scale->out_info);
}

/* Sets the place of @to, the result of a frame, or removes it if nothing is known of it. */
static void follow_frame(const Change *change, const GstStructure *from, GstStructure *to)
{
  VitgateRectangle place;

  if (can_follow_places(change) && follow_place(change, from, &place))
    gst_vitgate_results_set_place(to, &place);
  else
    gst_structure_remove_fields(to, "x", "y", "width", "height", NULL);
}

/* Adds @from_meta, as it is after a change of geometry, to @to_buffer. */
static gboolean transform(GstBuffer *to_buffer, GstCustomMeta *from_meta, GstBuffer *from_buffer,
                          GQuark type, gpointer data, gpointer user_data)
{
  const Change change = { type, data };
  const GstStructure *from = gst_custom_meta_get_structure(from_meta);
  const gboolean has_regions = gst_vitgate_results_get_array(from, "regions") != NULL;
  GstStructure *to;

  if (!can_follow(&change, has_regions))
    return FALSE;
  to = gst_custom_meta_get_structure(gst_buffer_add_custom_meta(to_buffer, GST_VITGATE_META));
  for (gint i = 0; i < gst_structure_n_fields(from); i++) {
    const char *field = gst_structure_nth_field_name(from, (guint)i);

    if (g_str_equal(field, GST_VITGATE_TOKEN_MAPS) && !is_copy(&change))
      follow_maps(&change, from, to);
    else if (has_regions && g_str_equal(field, "regions"))
      follow_regions(&change, from, to);
    else
      gst_structure_set_value(to, field, gst_structure_get_value(from, field));
  }
  if (!has_regions && !is_copy(&change))
    follow_frame(&change, from, to);
  return TRUE;
}

void gst_vitgate_meta_register(void)
{
  static const char *tags[] = { GST_META_TAG_VIDEO_STR, GST_META_TAG_VIDEO_ORIENTATION_STR,
                                GST_META_TAG_VIDEO_SIZE_STR, NULL };

  if (!gst_meta_get_info(GST_VITGATE_META))
    gst_meta_register_custom(GST_VITGATE_META, tags, transform, NULL, NULL);
}
