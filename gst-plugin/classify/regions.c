/* regions.c: reads the regions that a detector upstream attached to a frame. */
#include "classify/regions.h"

#include "common/results.h"
#include "common/tracks.h"

/* State while the regions of one frame are read. */
typedef struct {
  GArray *regions;
  const GstVitgateRegionFilter *filter;
  char **types; /* NULL: all are wanted */
  guint width, height;
  GstVitgateRegionsSkipped skipped_regions;
} Reading;

/* The whole filter is also compared as one name, since names may contain commas. */
static gboolean is_wanted(const Reading *reading, GQuark type)
{
  const char *name = g_quark_to_string(type);

  if (!reading->types)
    return TRUE;
  return name && (g_str_equal(name, reading->filter->types) ||
                  g_strv_contains((const char *const *)reading->types, name));
}

static char **split_types(const char *types)
{
  char **names;

  if (!types || !*types)
    return NULL;
  names = g_strsplit(types, ",", -1);
  for (guint i = 0; names[i]; i++)
    g_strstrip(names[i]);
  return names;
}

/* Returns: FALSE if the rectangle lies outside the frame. */
static gboolean clip(const Reading *reading, gint64 x, gint64 y, gint64 width, gint64 height,
                     VitgateRectangle *place)
{
  const gint64 left = MAX(x, 0), right = MIN(x + width, reading->width);
  const gint64 top = MAX(y, 0), bottom = MIN(y + height, reading->height);

  if (left >= right || top >= bottom)
    return FALSE;
  *place = (VitgateRectangle){ left, top, right - left, bottom - top };
  return TRUE;
}

/* Whether the centre of @place is a pixel of the part of the frame that is looked at. */
static gboolean is_within(const Reading *reading, const VitgateRectangle *place)
{
  const VitgateRectangle *within = reading->filter->within;
  const guint x = place->x + place->width / 2, y = place->y + place->height / 2;

  return !within || (x >= within->x && x - within->x < within->width && y >= within->y &&
                     y - within->y < within->height);
}

/* Sets @place to the part of the rectangle within the frame.
 * Returns: whether the region is to be classified. */
static gboolean find_place(Reading *reading, GQuark type, gint64 x, gint64 y, gint64 width,
                           gint64 height, VitgateRectangle *place)
{
  if (!is_wanted(reading, type))
    return FALSE;
  if (!clip(reading, x, y, width, height, place)) {
    reading->skipped_regions.bad++;
    return FALSE;
  }
  return MIN(place->width, place->height) >= reading->filter->min_size && is_within(reading, place);
}

static void add(Reading *reading, const GstVitgateRegion *region)
{
  if (reading->regions->len < reading->filter->max)
    g_array_append_val(reading->regions, *region);
  else
    reading->skipped_regions.beyond++;
}

static void read_roi(Reading *reading, GstVideoRegionOfInterestMeta *roi)
{
  GstVitgateRegion region = { .type = roi->roi_type, .roi = roi, .detection = -1 };

  /* Read as signed numbers, since detectors report boxes that start at negative positions. */
  if (roi->roi_type == g_quark_from_static_string(GST_VITGATE_FULL_FRAME) ||
      !find_place(reading, roi->roi_type, (gint)roi->x, (gint)roi->y, (gint)roi->w, (gint)roi->h,
                  &region.place))
    return;
  if (gst_vitgate_track_of_roi(roi, &region.id)) {
    region.tracked = TRUE;
  } else if (roi->id > 0) {
    region.tracked = TRUE;
    region.id = roi->id;
  }
  add(reading, &region);
}

#ifdef HAVE_GST_ANALYTICS

/* Returns: the region of interest of the same object, unless another detection has taken it. */
static GstVitgateRegion *find_roi(const Reading *reading, const GstVitgateRegion *detection)
{
  for (guint i = 0; i < reading->regions->len; i++) {
    GstVitgateRegion *region = &g_array_index(reading->regions, GstVitgateRegion, i);

    if (region->roi && region->detection < 0 && region->type == detection->type &&
        region->place.x == detection->place.x && region->place.y == detection->place.y &&
        region->place.width == detection->place.width &&
        region->place.height == detection->place.height)
      return region;
  }
  return NULL;
}

static void read_detection(Reading *reading, const GstAnalyticsODMtd *mtd)
{
  GstVitgateRegion region = { .type = gst_analytics_od_mtd_get_obj_type(mtd),
                              .detection = mtd->id };
  GstVitgateRegion *known;
  gint x, y, width, height;
  gfloat confidence;

  if (!gst_analytics_od_mtd_get_location(mtd, &x, &y, &width, &height, &confidence) ||
      !find_place(reading, region.type, x, y, width, height, &region.place))
    return;
  known = find_roi(reading, &region);
  if (!known && reading->regions->len >= reading->filter->max) {
    reading->skipped_regions.beyond++;
    return;
  }
  region.tracked = gst_vitgate_track_of_detection(mtd->meta, mtd->id, &region.id);
  if (!known) {
    add(reading, &region);
    return;
  }
  /* In DL Streamer, the id of a region of interest with a detection is the detection's own, which
   * starts again in every frame. */
  region.roi = known->roi;
  region.tracked = region.tracked || gst_vitgate_track_of_roi(known->roi, &region.id);
  *known = region;
}

static void read_detections(Reading *reading, GstBuffer *buffer)
{
  GstAnalyticsRelationMeta *relations = gst_buffer_get_analytics_relation_meta(buffer);
  GstAnalyticsODMtd mtd;
  gpointer state = NULL;

  while (relations && gst_analytics_relation_meta_iterate(
                          relations, &state, gst_analytics_od_mtd_get_mtd_type(), &mtd))
    read_detection(reading, &mtd);
}

#endif

void gst_vitgate_regions_read(GArray *regions, GstBuffer *buffer,
                              const GstVitgateRegionFilter *filter, guint width, guint height,
                              GstVitgateRegionsSkipped *skipped_regions)
{
  g_auto(GStrv) types = split_types(filter->types);
  Reading reading = {
    .regions = regions, .filter = filter, .types = types, .width = width, .height = height
  };
  gpointer state = NULL;
  GstMeta *meta;

  g_array_set_size(regions, 0);
  while ((meta = gst_buffer_iterate_meta_filtered(buffer, &state,
                                                  GST_VIDEO_REGION_OF_INTEREST_META_API_TYPE)))
    read_roi(&reading, (GstVideoRegionOfInterestMeta *)meta);
#ifdef HAVE_GST_ANALYTICS
  read_detections(&reading, buffer);
#endif
  *skipped_regions = reading.skipped_regions;
}

/* Returns: the start of @length pixels centred on the @extent pixels from @start, moved to lie
 * between 0 and @limit. */
static guint centre(guint start, guint extent, guint length, guint limit)
{
  const gint64 first = (gint64)start - ((gint64)length - extent) / 2;

  return CLAMP(first, 0, (gint64)limit - length);
}

VitgateRectangle gst_vitgate_region_view(const VitgateRectangle *place, const VitgateImage *frame)
{
  const guint64 shape_x = MAX(frame->pixel_width, 1), shape_y = MAX(frame->pixel_height, 1);
  const guint64 side = MAX(shape_x * place->width, shape_y * place->height);
  VitgateRectangle view = { .width = MIN((side + shape_x / 2) / shape_x, frame->width),
                            .height = MIN((side + shape_y / 2) / shape_y, frame->height) };

  view.x = centre(place->x, place->width, view.width, frame->width);
  view.y = centre(place->y, place->height, view.height, frame->height);
  return view;
}
