/* token-map.c: how many modules of the network ran for each patch of a frame, in VitgateMeta. */
#include "common/token-map.h"

#include <math.h>
#include <string.h>

#include "common/orientation.h"
#include "common/structure.h"
#include "common/visible.h"

#define MAX_COLUMNS 1024
#define MAX_COUNT   255

/* ---- Where patches lie --------------------------------------------------------------------- */

GstVitgateTokenView gst_vitgate_token_place(const VitgateModelInfo *model, VitgateFit fit,
                                            const VitgateImage *image)
{
  const gboolean own = fit == VITGATE_FIT_MODEL || fit == VITGATE_FIT_CROP;
  const double share = own ? (double)model->image_size / model->resize : 1;
  const double shape =
      image->pixel_width ? (double)image->pixel_width / image->pixel_height : 1; /* of a pixel */
  const double width = image->width * shape, height = image->height;
  double x = width, y = height; /* lengths that the input's sides are resized from */

  if (image->part.width > 0 || image->part.height > 0)
    return (GstVitgateTokenView){
      .place = { (gint)image->part.x, (gint)image->part.y, (gint)image->part.width,
                 (gint)image->part.height },
      .orientation = image->orientation,
    };
  fit = fit == VITGATE_FIT_MODEL ? model->fit : fit;
  if (fit == VITGATE_FIT_CROP)
    x = y = MIN(width, height);
  else if (fit == VITGATE_FIT_LETTERBOX)
    x = y = MAX(width, height);
  if (image->width != model->image_size || image->height != model->image_size || shape != 1) {
    x *= share;
    y *= share;
  }
  x /= shape;
  return (GstVitgateTokenView){
    .place = { (gint)lrint((image->width - x) / 2), (gint)lrint((image->height - y) / 2),
               (gint)lrint(x), (gint)lrint(y) },
    .orientation = image->orientation,
  };
}

/* ---- Writing ------------------------------------------------------------------------------- */

static gboolean has_module(const VitgateModelInfo *model, guint m)
{
  const VitgateBlockInfo *block = &model->blocks[m / 2];

  return (m % 2 ? block->neurons : block->heads) > 0;
}

static guint count_modules(const VitgateModelInfo *model)
{
  guint n = 0;

  for (guint m = 0; m < 2 * model->patch_depth; m++)
    n += has_module(model, m);
  return n;
}

static guint count_ran(const VitgateModelInfo *model, const guint8 *patches, guint patch,
                       guint n_patches)
{
  guint n = 0;

  for (guint m = 0; m < 2 * model->patch_depth; m++)
    n += (patches[(gsize)m * n_patches + patch] & VITGATE_PATCH_RAN) != 0;
  return n;
}

/* @map: (transfer full) */
static void append(GValue *maps, GstStructure *map)
{
  GValue item = G_VALUE_INIT;

  g_value_init(&item, GST_TYPE_STRUCTURE);
  g_value_take_boxed(&item, map);
  gst_value_array_append_and_take_value(maps, &item);
}

static void set_place(GstStructure *map, const GstVideoRectangle *place)
{
  structure_set_int(map, "x", place->x);
  structure_set_int(map, "y", place->y);
  structure_set_uint(map, "width", (guint)place->w);
  structure_set_uint(map, "height", (guint)place->h);
}

/* Returns: (transfer full) */
static GstStructure *new_map(const VitgateModelInfo *model, const GstVitgateTokenView *view)
{
  const guint side = model->image_size / model->patch_size, n = side * side;
  GstStructure *map = gst_structure_new_empty("token-map");
  g_autofree char *counts = g_malloc0(2 * (gsize)n + 1);

  for (guint patch = 0; patch < n; patch++) {
    static const char digits[] = "0123456789abcdef";
    const guint count = MIN(count_ran(model, view->patches, patch, n), MAX_COUNT);
    gint x = (gint)(patch % side), y = (gint)(patch / side), w = 1, h = 1;

    gst_vitgate_orientation_to_stored(view->orientation, (gint)side, (gint)side, &x, &y, &w, &h);
    counts[2 * (y * (gint)side + x)] = digits[count / 16];
    counts[2 * (y * (gint)side + x) + 1] = digits[count % 16];
  }
  set_place(map, &view->place);
  structure_set_uint(map, "columns", side);
  structure_set_uint(map, "n-modules", MIN(count_modules(model), MAX_COUNT));
  structure_set_string(map, "counts", counts);
  return map;
}

void gst_vitgate_token_maps_set(GstStructure *s, const VitgateModelInfo *model,
                                const GstVitgateTokenView *views, guint n)
{
  GValue maps = G_VALUE_INIT;

  gst_value_array_init(&maps, n);
  for (guint i = 0; i < n; i++)
    append(&maps, new_map(model, &views[i]));
  gst_structure_take_value(s, GST_VITGATE_TOKEN_MAPS, &maps);
}

/* ---- Reading ------------------------------------------------------------------------------- */

static const GstStructure *find_map(const GstStructure *s, guint i)
{
  const GValue *maps = gst_structure_get_value(s, GST_VITGATE_TOKEN_MAPS), *item;

  if (!maps || !GST_VALUE_HOLDS_ARRAY(maps) || i >= gst_value_array_get_size(maps))
    return NULL;
  item = gst_value_array_get_value(maps, i);
  return GST_VALUE_HOLDS_STRUCTURE(item) ? gst_value_get_structure(item) : NULL;
}

gboolean gst_vitgate_token_map_get(const GstStructure *s, guint i, GstVitgateTokenMap *map)
{
  const GstStructure *found = find_map(s, i);
  guint width, height;

  if (!found || !gst_structure_get(found, "x", G_TYPE_INT, &map->place.x, "y", G_TYPE_INT,
                                   &map->place.y, "width", G_TYPE_UINT, &width, "height",
                                   G_TYPE_UINT, &height, "columns", G_TYPE_UINT, &map->columns,
                                   "n-modules", G_TYPE_UINT, &map->n_modules, NULL))
    return FALSE;
  map->counts = gst_structure_get_string(found, "counts");
  map->place.w = (gint)MIN(width, 2 * GST_VITGATE_MAX_SIZE);
  map->place.h = (gint)MIN(height, 2 * GST_VITGATE_MAX_SIZE);
  return map->counts && map->columns >= 1 && map->columns <= MAX_COLUMNS && width >= 1 &&
         height >= 1 && ABS((gint64)map->place.x) <= 2 * GST_VITGATE_MAX_SIZE &&
         ABS((gint64)map->place.y) <= 2 * GST_VITGATE_MAX_SIZE &&
         strlen(map->counts) == 2 * (gsize)map->columns * map->columns &&
         strspn(map->counts, "0123456789abcdef") == strlen(map->counts);
}

guint gst_vitgate_token_map_count(const GstVitgateTokenMap *map, guint row, guint column)
{
  const char *digits = map->counts + 2 * ((gsize)row * map->columns + column);

  return 16 * (guint)g_ascii_xdigit_value(digits[0]) + (guint)g_ascii_xdigit_value(digits[1]);
}

/* ---- After a scale ------------------------------------------------------------------------- */

static gint scale_length(gint length, gint from, gint to)
{
  return (gint)((gint64)length * to / from);
}

void gst_vitgate_token_maps_scale(const GstStructure *from, GstStructure *to,
                                  const GstVideoInfo *in, const GstVideoInfo *out)
{
  GstVitgateTokenMap map;
  GValue maps = G_VALUE_INIT;

  gst_value_array_init(&maps, 1);
  for (guint i = 0; gst_vitgate_token_map_get(from, i, &map); i++) {
    GstStructure *scaled = gst_structure_copy(find_map(from, i));
    const GstVideoRectangle place = {
      scale_length(map.place.x, in->width, out->width),
      scale_length(map.place.y, in->height, out->height),
      MAX(scale_length(map.place.w, in->width, out->width), 1),
      MAX(scale_length(map.place.h, in->height, out->height), 1),
    };

    set_place(scaled, &place);
    append(&maps, scaled);
  }
  gst_structure_take_value(to, GST_VITGATE_TOKEN_MAPS, &maps);
}
