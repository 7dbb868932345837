/* painter.c: paints the pieces of an overlay: lines of text, bars and plain areas. */
#include "overlay/painter.h"

#include "common/orientation.h"

/* When the cache is larger than this, pieces that the last round did not use are dropped. */
#define MAX_PIECES 1024
#define MAX_BYTES  (32u << 20)

/* Bytes of a text that are laid out; more never fit into one line. */
#define MAX_TEXT 512

/* Opacity of the black on patches for which the fewest modules ran, of 255. */
#define DARKEST 190

/* Width of a bar, in font sizes. */
#define BAR_LENGTH 6

static void piece_free(gpointer data)
{
  GstVitgatePiece *piece = data;

  gst_buffer_unref(piece->pixels);
  g_free(piece);
}

GstVitgatePainter *gst_vitgate_painter_new(void)
{
  GstVitgatePainter *painter = g_new0(GstVitgatePainter, 1);
  PangoFontMap *fonts = pango_cairo_font_map_new();

  painter->context = pango_font_map_create_context(fonts);
  g_object_unref(fonts);
  painter->layout = pango_layout_new(painter->context);
  pango_layout_set_single_paragraph_mode(painter->layout, TRUE);
  pango_layout_set_ellipsize(painter->layout, PANGO_ELLIPSIZE_END);
  /* The score stays in front, whatever the writing direction of the label. */
  pango_layout_set_auto_dir(painter->layout, FALSE);
  painter->pieces = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, piece_free);
  return painter;
}

void gst_vitgate_painter_free(GstVitgatePainter **painter)
{
  GstVitgatePainter *p = *painter;

  *painter = NULL;
  if (!p)
    return;
  g_hash_table_unref(p->pieces);
  g_object_unref(p->layout);
  g_object_unref(p->context);
  g_free(p);
}

void gst_vitgate_painter_set_style(GstVitgatePainter *painter, const PangoFontDescription *font,
                                   gint size, const GstVitgateColors *colors,
                                   VitgateOrientation orientation)
{
  PangoFontDescription *sized = pango_font_description_copy_static(font);

  pango_font_description_set_absolute_size(sized, (double)size * PANGO_SCALE);
  pango_layout_set_font_description(painter->layout, sized);
  pango_font_description_free(sized);
  painter->size = size;
  painter->colors = *colors;
  painter->orientation = orientation;
  g_hash_table_remove_all(painter->pieces);
  painter->bytes = 0;
}

/* ---- What is kept -------------------------------------------------------------------------- */

static gsize piece_bytes(const GstVitgatePiece *piece)
{
  return (gsize)piece->width * piece->height * 4;
}

void gst_vitgate_painter_begin(GstVitgatePainter *painter)
{
  const guint64 last = painter->round++;
  GHashTableIter iter;
  gpointer piece;

  if (g_hash_table_size(painter->pieces) <= MAX_PIECES && painter->bytes <= MAX_BYTES)
    return;
  g_hash_table_iter_init(&iter, painter->pieces);
  while (g_hash_table_iter_next(&iter, NULL, &piece)) {
    if (((GstVitgatePiece *)piece)->used == last)
      continue;
    painter->bytes -= piece_bytes(piece);
    g_hash_table_iter_remove(&iter);
  }
}

static const GstVitgatePiece *find(GstVitgatePainter *painter, const char *key)
{
  GstVitgatePiece *piece = g_hash_table_lookup(painter->pieces, key);

  if (piece)
    piece->used = painter->round;
  return piece;
}

/* A piece while it is painted. */
typedef struct {
  GstVitgatePiece *piece;
  GstMapInfo map;
  cairo_t *cairo;
} Painting;

static void set_color(cairo_t *cairo, guint32 color)
{
  cairo_set_source_rgba(cairo, (color >> 16 & 255) / 255.0, (color >> 8 & 255) / 255.0,
                        (color & 255) / 255.0, (color >> 24) / 255.0);
}

static GstBuffer *new_pixels(gint width, gint height)
{
  GstBuffer *pixels = gst_buffer_new_allocate(NULL, (gsize)width * height * 4, NULL);

  gst_buffer_add_video_meta(pixels, GST_VIDEO_FRAME_FLAG_NONE,
                            GST_VIDEO_OVERLAY_COMPOSITION_FORMAT_RGB, width, height);
  return pixels;
}

/* Turns the pixels of @piece as they are stored in frames of @orientation. */
static void turn_piece(GstVitgatePiece *piece, VitgateOrientation orientation)
{
  const gboolean lying = gst_vitgate_orientation_is_lying(orientation);
  const gint width = lying ? piece->height : piece->width;
  const gint height = lying ? piece->width : piece->height;
  GstBuffer *turned = new_pixels(width, height);
  GstMapInfo from, to;

  gst_buffer_map(piece->pixels, &from, GST_MAP_READ);
  gst_buffer_map(turned, &to, GST_MAP_WRITE);
  for (gint i = 0; i < piece->width * piece->height; i++) {
    gint x = i % piece->width, y = i / piece->width, w = 1, h = 1;

    gst_vitgate_orientation_to_stored(orientation, width, height, &x, &y, &w, &h);
    ((guint32 *)to.data)[y * width + x] = ((const guint32 *)from.data)[i];
  }
  gst_buffer_unmap(piece->pixels, &from);
  gst_buffer_unmap(turned, &to);
  gst_buffer_unref(piece->pixels);
  piece->pixels = turned;
}

/* @ground: background color */
static void start_painting(Painting *painting, gint width, gint height, guint32 ground)
{
  GstVitgatePiece *piece = g_new0(GstVitgatePiece, 1);
  cairo_surface_t *surface;

  piece->width = width;
  piece->height = height;
  piece->pixels = new_pixels(width, height);
  gst_buffer_map(piece->pixels, &painting->map, GST_MAP_WRITE);
  memset(painting->map.data, 0, painting->map.size);
  surface = cairo_image_surface_create_for_data(painting->map.data, CAIRO_FORMAT_ARGB32, width,
                                                height, width * 4);
  painting->piece = piece;
  painting->cairo = cairo_create(surface);
  cairo_surface_destroy(surface);
  set_color(painting->cairo, ground);
  cairo_paint(painting->cairo);
}

/* @key: for the cache: what the piece shows */
static const GstVitgatePiece *finish_painting(GstVitgatePainter *painter, const char *key,
                                              Painting *painting)
{
  GstVitgatePiece *piece = painting->piece;

  cairo_destroy(painting->cairo);
  gst_buffer_unmap(piece->pixels, &painting->map);
  if (painter->orientation != VITGATE_ORIENTATION_IDENTITY)
    turn_piece(piece, painter->orientation);
  piece->used = painter->round;
  painter->bytes += piece_bytes(piece);
  painter->painted++;
  g_hash_table_insert(painter->pieces, g_strdup(key), piece);
  return piece;
}

/* ---- Painting ------------------------------------------------------------------------------ */

/* Rounds up to an even number, so that a piece shares no chroma samples with its surroundings. */
static gint even(gint value)
{
  return (value + 1) & ~1;
}

static gint padding(const GstVitgatePainter *painter)
{
  return MAX(painter->size / 4, 1);
}

/* Lays out @text in the width that @max_width leaves after @taken pixels and the padding. */
static void lay_out(GstVitgatePainter *painter, const char *text, gint min_width, gint max_width,
                    gint taken, gint *width, gint *height)
{
  g_autofree char *valid = g_utf8_make_valid(text, strnlen(text, MAX_TEXT));
  const gint room = max_width - taken - 2 * padding(painter);

  pango_layout_set_text(painter->layout, valid, -1);
  pango_layout_set_width(painter->layout, MAX(room, 1) * PANGO_SCALE);
  pango_layout_get_pixel_size(painter->layout, width, height);
  *width = even(CLAMP(*width + taken + 2 * padding(painter), MIN(min_width, max_width), max_width));
  *height = even(*height + padding(painter));
}

static void paint_text(GstVitgatePainter *painter, cairo_t *cairo, gint left)
{
  set_color(cairo, painter->colors.text);
  cairo_move_to(cairo, left, padding(painter) / 2);
  pango_cairo_show_layout(cairo, painter->layout);
}

static void paint_area(cairo_t *cairo, gint x, gint y, double width, gint height, guint32 color)
{
  cairo_rectangle(cairo, x, y, width, height);
  set_color(cairo, color);
  cairo_fill(cairo);
}

const GstVitgatePiece *gst_vitgate_painter_text(GstVitgatePainter *painter, const char *text,
                                                gint min_width, gint max_width)
{
  g_autofree char *key = g_strdup_printf("text %d %d %s", min_width, max_width, text);
  const GstVitgatePiece *known = find(painter, key);
  gint width, height;
  Painting painting;

  if (known)
    return known;
  lay_out(painter, text, min_width, max_width, 0, &width, &height);
  start_painting(&painting, width, height, painter->colors.box);
  paint_text(painter, painting.cairo, padding(painter));
  return finish_painting(painter, key, &painting);
}

const GstVitgatePiece *gst_vitgate_painter_bar(GstVitgatePainter *painter, guint percent,
                                               const char *text, gint min_width, gint max_width)
{
  g_autofree char *key = g_strdup_printf("bar %u %d %d %s", percent, min_width, max_width, text);
  const GstVitgatePiece *known = find(painter, key);
  const gint left = padding(painter), length = MIN(BAR_LENGTH * painter->size, max_width / 2);
  const double full = length * MIN(percent, 100u) / 100.0;
  gint width, height;
  Painting painting;

  if (known)
    return known;
  lay_out(painter, text, min_width, max_width, length + left, &width, &height);
  start_painting(&painting, width, height, painter->colors.box);
  paint_area(painting.cairo, left, height / 4, length, height / 2, painter->colors.box);
  paint_area(painting.cairo, left, height / 4, full, height / 2, painter->colors.bar);
  paint_text(painter, painting.cairo, length + 2 * left);
  return finish_painting(painter, key, &painting);
}

/* Returns: the modules that ran for a patch in the upright picture */
static guint count_upright(const GstVitgatePainter *painter, const GstVitgateTokenMap *map, guint i)
{
  const gint side = (gint)map->columns;
  gint x = (gint)i % side, y = (gint)i / side, w = 1, h = 1;

  gst_vitgate_orientation_to_stored(painter->orientation, side, side, &x, &y, &w, &h);
  return gst_vitgate_token_map_count(map, (guint)y, (guint)x);
}

static void paint_map(const GstVitgatePainter *painter, cairo_t *cairo,
                      const GstVitgateTokenMap *map, const GstVideoRectangle *place)
{
  const guint side = map->columns, n = side * side;
  guint least = G_MAXUINT, most = 0;

  for (guint i = 0; i < n; i++) {
    const guint count = count_upright(painter, map, i);

    least = MIN(least, count);
    most = MAX(most, count);
  }
  most = MAX(most, 1); /* if nothing ran at all, everything is dark */
  for (guint i = 0; i < n && least < most; i++) {
    const guint missing = most - count_upright(painter, map, i);
    const guint column = i % side, row = i / side;
    /* Edges on whole pixels leave no seams. */
    const gint left = place->x + (gint)((gint64)place->w * column / side),
               right = place->x + (gint)((gint64)place->w * (column + 1) / side),
               top = place->y + (gint)((gint64)place->h * row / side),
               bottom = place->y + (gint)((gint64)place->h * (row + 1) / side);
    const guint32 alpha = DARKEST * missing / (most - least);

    if (missing > 0)
      paint_area(cairo, left, top, right - left, bottom - top, alpha << 24);
  }
}

const GstVitgatePiece *gst_vitgate_painter_map(GstVitgatePainter *painter,
                                               const GstVitgateTokenMap *map,
                                               const GstVideoRectangle *place, gint width,
                                               gint height)
{
  g_autofree char *key = g_strdup_printf("map %d %d %d %d %d %d %s", width, height, place->x,
                                         place->y, place->w, place->h, map->counts);
  const GstVitgatePiece *known = find(painter, key);
  Painting painting;

  if (known)
    return known;
  start_painting(&painting, width, height, 0);
  paint_map(painter, painting.cairo, map, place);
  return finish_painting(painter, key, &painting);
}

const GstVitgatePiece *gst_vitgate_painter_area(GstVitgatePainter *painter, gint width, gint height,
                                                guint32 color)
{
  g_autofree char *key = g_strdup_printf("area %d %d %x", width, height, color);
  const GstVitgatePiece *known = find(painter, key);
  Painting painting;

  if (known)
    return known;
  start_painting(&painting, width, height, color);
  return finish_painting(painter, key, &painting);
}
