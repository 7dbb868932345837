/* drawing.c: decides what an overlay shows of a frame's results, and where. */
#include "overlay/drawing.h"

#include "common/orientation.h"
#include "common/results.h"
#include "overlay/words.h"

/* Maximum width of a line of text, in font sizes: about 48 letters. */
#define MAX_LINE 24

/* Minimum width of a line in the corner. */
#define MIN_LINE 16

/* Maximum number of maps of a result. */
#define MAX_MAPS 8

/* Color around the edge of a region, so that it is visible on a background of its own color. */
#define EDGE_GROUND 0xff000000u

typedef struct {
  gint x, y, width, height;
} Area;

static void clear_placement(gpointer data)
{
  gst_buffer_unref(((GstVitgatePlacement *)data)->pixels);
}

/* Gets the size of the frame as it is stored. */
static void stored_size(const GstVitgateDrawingStyle *style, gint *width, gint *height)
{
  const gboolean lying = gst_vitgate_orientation_is_lying(style->painter->orientation);

  *width = lying ? style->height : style->width;
  *height = lying ? style->width : style->height;
}

/* @x, @y: in the upright picture */
static void place(const GstVitgateDrawingStyle *style, GArray *drawing,
                  const GstVitgatePiece *piece, gint x, gint y)
{
  GstVitgatePlacement placement = { gst_buffer_ref(piece->pixels), x, y, piece->width,
                                    piece->height };
  gint width, height;

  stored_size(style, &width, &height);
  gst_vitgate_orientation_to_stored(style->painter->orientation, width, height, &placement.x,
                                    &placement.y, &placement.width, &placement.height);
  g_array_append_val(drawing, placement);
}

/* Space between the frame's border and the stack; less on small frames. */
static gint margin(const GstVitgateDrawingStyle *style)
{
  return MIN(style->painter->size / 2, MIN(style->width, style->height) / 16) & ~1;
}

static gint line_width(const GstVitgateDrawingStyle *style)
{
  return MIN(style->width - 2 * margin(style), MAX_LINE * style->painter->size);
}

/* ---- Places ------------------------------------------------------------------------------- */

/* Extends a side of a region to even pixels, so that its edge shares no chroma samples with its
 * surroundings, within the frame's @limit. */
static void align(guint start, guint length, gint limit, gint *aligned, gint *extent)
{
  const guint end = start + MIN(length, (guint)limit - start);

  *aligned = start & ~1;
  *extent = MIN((gint)((end + 1) & ~1), limit) - *aligned;
}

/* Finds the region in the upright picture.
 * Returns: FALSE if it lies outside the frame. */
static gboolean region_area(const GstVitgateDrawingStyle *style, const GstStructure *s, Area *area)
{
  VitgateRectangle found;
  gint frame_width, frame_height;

  if (!gst_vitgate_results_get_place(s, &found))
    return FALSE;
  stored_size(style, &frame_width, &frame_height);
  if (found.x >= (guint)frame_width || found.y >= (guint)frame_height || found.width == 0 ||
      found.height == 0)
    return FALSE;
  align(found.x, found.width, frame_width, &area->x, &area->width);
  align(found.y, found.height, frame_height, &area->y, &area->height);
  gst_vitgate_orientation_to_upright(style->painter->orientation, frame_width, frame_height,
                                     &area->x, &area->y, &area->width, &area->height);
  return TRUE;
}

/* Whether @area is not the whole frame. */
static gboolean is_part(const GstVitgateDrawingStyle *style, const Area *area)
{
  return area->width < style->width || area->height < style->height;
}

/* Whether @s, a result, is written where it was seen: it has a name, and is about a part of the
 * frame. */
static gboolean is_local(const GstVitgateDrawingStyle *style, const GstStructure *s)
{
  Area area;

  return gst_structure_get_string(s, "look") && region_area(style, s, &area) &&
         is_part(style, &area);
}

/* ---- The stack in the corner --------------------------------------------------------------- */

typedef struct {
  char *text;
  gint percent; /* of the bar in front; below 0: none */
} Line;

static void clear_line(gpointer data)
{
  g_free(((Line *)data)->text);
}

static void stack_text(GArray *stack, const char *text)
{
  const Line line = { g_strdup(text), -1 };

  g_array_append_val(stack, line);
}

static void stack_compute(GArray *stack, double ratio)
{
  const Line line = { g_strdup_printf("compute %u %%", gst_vitgate_words_percent(ratio)),
                      (gint)gst_vitgate_words_percent(ratio) };

  g_array_append_val(stack, line);
}

static void stack_result(const GstVitgateDrawingStyle *style, GArray *stack, const GstStructure *s)
{
  /* More lines than this never fit into the frame. */
  const guint max_lines = (guint)(style->height / style->painter->size) + 1;
  double ratio;

  if (style->top_k > 0 && gst_vitgate_words_is_unsure(s))
    stack_text(stack, GST_VITGATE_UNSURE);
  for (guint i = 0; i < MIN(style->top_k, max_lines); i++) {
    g_autofree char *line = gst_vitgate_words_result(s, i);
    if (!line)
      break;
    stack_text(stack, line);
  }
  if (style->bar && gst_structure_get_double(s, "compute-ratio", &ratio))
    stack_compute(stack, ratio);
}

/* Returns: (transfer none): what to write for result @i of a frame. */
static const GstStructure *hold_result(const GstVitgateDrawingStyle *style, guint i,
                                       const GstStructure *s)
{
  g_autofree char *key = g_strdup_printf("%u", i);

  return gst_vitgate_held_results_get(style->held, key, s, style->time);
}

/* Counts the results that have no place of their own. */
static guint count_stacked(const GstVitgateDrawingStyle *style, GstBuffer *buffer)
{
  const GstStructure *s;
  gpointer state = NULL;
  guint n = 0;

  while ((s = gst_vitgate_results_next(buffer, &state)))
    n += !is_local(style, s);
  return n;
}

/* Stacks the name of a result: of its look or, if there are others, its model. */
static void stack_name(GArray *stack, const GstStructure *s, guint n)
{
  const char *look = gst_structure_get_string(s, "look"),
             *model = gst_structure_get_string(s, "model-name");

  if (look)
    stack_text(stack, look);
  else if (n > 1 && model)
    stack_text(stack, model);
}

/* Returns: (transfer full): the lines for all results of @buffer that have no place of their own,
 * from top to bottom. */
static GArray *build_stack(const GstVitgateDrawingStyle *style, GstBuffer *buffer)
{
  const guint n = count_stacked(style, buffer);
  GArray *stack = g_array_new(FALSE, FALSE, sizeof(Line));
  const GstStructure *s;
  gpointer state = NULL;
  guint n_done = 0;

  g_array_set_clear_func(stack, clear_line);
  for (guint i = 0; (s = gst_vitgate_results_next(buffer, &state)); i++) {
    g_autofree char *status = NULL;
    const GstStructure *held;

    if (is_local(style, s))
      continue;
    held = hold_result(style, i, s);
    status = gst_vitgate_words_status(held, style->state, ++n_done < n ? 0 : style->rate);
    stack_name(stack, held, n);
    stack_result(style, stack, held);
    if (status)
      stack_text(stack, status);
  }
  if (n == 0 && style->rate > 0) {
    g_autofree char *rate = gst_vitgate_words_rate(style->rate);
    stack_text(stack, rate);
  }
  return stack;
}

/* Returns: (transfer container): the pieces of @lines, each at least @min_width wide. */
static GPtrArray *paint_lines(const GstVitgateDrawingStyle *style, const GArray *lines,
                              gint min_width)
{
  GPtrArray *pieces = g_ptr_array_sized_new(lines->len);

  for (guint i = 0; i < lines->len; i++) {
    const Line *line = &g_array_index(lines, Line, i);
    const GstVitgatePiece *piece =
        line->percent >= 0
            ? gst_vitgate_painter_bar(style->painter, (guint)line->percent, line->text, min_width,
                                      line_width(style))
            : gst_vitgate_painter_text(style->painter, line->text, min_width, line_width(style));

    g_ptr_array_add(pieces, (gpointer)piece);
  }
  return pieces;
}

/* Returns: (transfer container): the pieces of @lines, all equally wide: MIN_LINE, or as wide as
 * the widest, in whole font sizes so that the width seldom changes. */
static GPtrArray *paint_stack(const GstVitgateDrawingStyle *style, const GArray *lines)
{
  const gint size = style->painter->size, min = MIN(MIN_LINE * size, line_width(style)) & ~1;
  GPtrArray *pieces = paint_lines(style, lines, min);
  gint width = 0;

  for (guint i = 0; i < pieces->len; i++)
    width = MAX(width, ((const GstVitgatePiece *)pieces->pdata[i])->width);
  if (width <= min)
    return pieces;
  g_ptr_array_unref(pieces);
  return paint_lines(style, lines, MIN((width + size - 1) / size * size, line_width(style)) & ~1);
}

/* Places the stack in its corner, without the pieces that do not fit into the frame. */
static void place_stack(const GstVitgateDrawingStyle *style, GArray *drawing, const GArray *lines)
{
  g_autoptr(GPtrArray) stack = paint_stack(style, lines);
  const gboolean right =
      style->corner == GST_VITGATE_TOP_RIGHT || style->corner == GST_VITGATE_BOTTOM_RIGHT;
  const gboolean bottom =
      style->corner == GST_VITGATE_BOTTOM_LEFT || style->corner == GST_VITGATE_BOTTOM_RIGHT;
  gint height = 0, y;
  guint n = 0;

  for (; n < stack->len; n++) {
    const GstVitgatePiece *piece = stack->pdata[n];
    if (n > 0 && height + piece->height > style->height - 2 * margin(style))
      break;
    height += piece->height;
  }
  y = bottom ? MAX((style->height - margin(style) - height) & ~1, 0) : margin(style);
  for (guint i = 0; i < n; i++) {
    const GstVitgatePiece *piece = stack->pdata[i];

    place(style, drawing, piece,
          right ? MAX((style->width - margin(style) - piece->width) & ~1, 0) : margin(style), y);
    y += piece->height;
  }
}

/* ---- Regions ------------------------------------------------------------------------------- */

/* Places the border of @area, @thick pixels wide and inside the area. */
static void place_edges(const GstVitgateDrawingStyle *style, GArray *drawing, Area area, gint thick,
                        guint32 color)
{
  const gint side = area.height - 2 * thick;
  const GstVitgatePiece *piece;

  if (area.width <= 2 * thick || side <= 0) {
    piece = gst_vitgate_painter_area(style->painter, area.width, area.height, color);
    place(style, drawing, piece, area.x, area.y);
    return;
  }
  piece = gst_vitgate_painter_area(style->painter, area.width, thick, color);
  place(style, drawing, piece, area.x, area.y);
  place(style, drawing, piece, area.x, area.y + area.height - thick);
  piece = gst_vitgate_painter_area(style->painter, thick, side, color);
  place(style, drawing, piece, area.x, area.y + thick);
  place(style, drawing, piece, area.x + area.width - thick, area.y + thick);
}

/* Returns: (transfer none) (nullable): one of @tags that @tag would cover. */
static const Area *find_covered(const GArray *tags, const Area *tag)
{
  for (guint i = 0; i < tags->len; i++) {
    const Area *other = &g_array_index(tags, Area, i);

    if (tag->x < other->x + other->width && other->x < tag->x + tag->width &&
        tag->y < other->y + other->height && other->y < tag->y + tag->height)
      return other;
  }
  return NULL;
}

/* Places the tag above the region, or at the top inside it if there is no room above.
 * @tags: (nullable): of Area: tags that it must not cover, so that it moves below them; it is added
 */
static void place_tag(const GstVitgateDrawingStyle *style, GArray *drawing, const Area *area,
                      const char *text, GArray *tags)
{
  const GstVitgatePiece *piece =
      gst_vitgate_painter_text(style->painter, text, 0, line_width(style));
  Area tag = { .x = MIN(area->x, MAX((style->width - piece->width) & ~1, 0)),
               .y = area->y >= piece->height ? area->y - piece->height : area->y,
               .width = piece->width,
               .height = piece->height };
  const Area *covered;

  while (tags && (covered = find_covered(tags, &tag)))
    tag.y = covered->y + covered->height;
  if (tags)
    g_array_append_val(tags, tag);
  place(style, drawing, piece, tag.x, tag.y);
}

/* Returns: what to write for a region of result @result. One without an id cannot be followed from
 * frame to frame. */
static const GstStructure *hold_region(const GstVitgateDrawingStyle *style, guint result,
                                       const GstStructure *s)
{
  const char *type = gst_structure_get_string(s, "type");
  g_autofree char *key = NULL;
  gint id = -1;

  if (!gst_structure_get_int(s, "id", &id) || id < 0)
    return s;
  key = g_strdup_printf("%u %d %s", result, id, type ? type : "");
  return gst_vitgate_held_results_get(style->held, key, s, style->time);
}

static void place_box(const GstVitgateDrawingStyle *style, GArray *drawing, const Area *area)
{
  /* Even, so that both colors keep theirs where pixels share chroma samples. */
  const gint half = MAX(style->painter->size / 16, 2) & ~1, thick = 2 * half;
  const Area inner = { area->x + half, area->y + half, area->width - thick, area->height - thick };

  place_edges(style, drawing, *area, thick, EDGE_GROUND);
  if (inner.width > 0 && inner.height > 0)
    place_edges(style, drawing, inner, half, style->region);
}

static void place_region(const GstVitgateDrawingStyle *style, GArray *drawing, guint result,
                         const GstStructure *s)
{
  g_autofree char *line = NULL;
  Area area;

  if (!region_area(style, s, &area))
    return;
  place_box(style, drawing, &area);
  line = gst_vitgate_words_region(hold_region(style, result, s), style->state);
  if (line)
    place_tag(style, drawing, &area, line, NULL);
}

/* Places a border around the part of the frame that the model has seen, unless that is all of it;
 * and a tag if it has a name.
 * @tags: of earlier parts */
static void place_view(const GstVitgateDrawingStyle *style, GArray *drawing, guint result,
                       const GstStructure *s, GArray *tags)
{
  Area area;

  if (!region_area(style, s, &area) || !is_part(style, &area))
    return;
  place_box(style, drawing, &area);
  if (is_local(style, s)) {
    g_autofree char *line = gst_vitgate_words_look(hold_result(style, result, s), style->state);
    place_tag(style, drawing, &area, line, tags);
  }
}

static void place_regions(const GstVitgateDrawingStyle *style, GArray *drawing, GstBuffer *buffer)
{
  g_autoptr(GArray) tags = g_array_new(FALSE, FALSE, sizeof(Area));
  guint left = GST_VITGATE_DRAWING_MAX_REGIONS, result = 0;
  const GstStructure *s, *region;
  gpointer state = NULL;

  for (; (s = gst_vitgate_results_next(buffer, &state)); result++) {
    place_view(style, drawing, result, s, tags);
    for (guint i = 0; left > 0 && (region = gst_vitgate_results_next_region(s, &i)); left--)
      place_region(style, drawing, result, region);
  }
}

/* ---- Patches ------------------------------------------------------------------------------- */

/* Takes from @part what @before covers, if they lie side by side or one above the other. */
static void exclude(GstVideoRectangle *part, const GstVideoRectangle *before)
{
  const gint right = MAX(part->x, before->x + before->w), end_x = part->x + part->w;
  const gint bottom = MAX(part->y, before->y + before->h), end_y = part->y + part->h;

  if (part->y == before->y && part->h == before->h) {
    part->x = right;
    part->w = end_x - right;
  } else if (part->x == before->x && part->w == before->w) {
    part->y = bottom;
    part->h = end_y - bottom;
  }
}

/* Places what lies within the frame of a part of a map.
 * @part: as stored */
static void place_map(const GstVitgateDrawingStyle *style, GArray *drawing,
                      const GstVitgateTokenMap *map, GstVideoRectangle part)
{
  const VitgateOrientation orientation = style->painter->orientation;
  GstVideoRectangle at = map->place;
  gint width, height, left, top, right, bottom;

  stored_size(style, &width, &height);
  gst_vitgate_orientation_to_upright(orientation, width, height, &at.x, &at.y, &at.w, &at.h);
  gst_vitgate_orientation_to_upright(orientation, width, height, &part.x, &part.y, &part.w,
                                     &part.h);
  left = MAX(part.x, 0) & ~1;
  top = MAX(part.y, 0) & ~1;
  right = MIN(part.x + part.w, style->width);
  bottom = MIN(part.y + part.h, style->height);
  if (left >= right || top >= bottom)
    return;
  at.x -= left;
  at.y -= top;
  place(style, drawing,
        gst_vitgate_painter_map(style->painter, map, &at, right - left, bottom - top), left, top);
}

static void place_maps(const GstVitgateDrawingStyle *style, GArray *drawing, GstBuffer *buffer)
{
  const GstStructure *s;
  GstVitgateTokenMap map;
  gpointer state = NULL;

  while (style->tokens && (s = gst_vitgate_results_next(buffer, &state))) {
    GstVideoRectangle before = { 0 };

    for (guint i = 0; i < MAX_MAPS && gst_vitgate_token_map_get(s, i, &map); i++) {
      GstVideoRectangle part = map.place;

      if (i > 0)
        exclude(&part, &before);
      if (part.w > 0 && part.h > 0)
        place_map(style, drawing, &map, part);
      before = map.place;
    }
  }
}

/* ---- The drawing ----------------------------------------------------------------------------- */

GArray *gst_vitgate_drawing_new(const GstVitgateDrawingStyle *style, GstBuffer *buffer)
{
  GArray *drawing = g_array_new(FALSE, FALSE, sizeof(GstVitgatePlacement));
  GArray *stack;

  g_array_set_clear_func(drawing, clear_placement);
  gst_vitgate_painter_begin(style->painter);
  gst_vitgate_held_results_next_frame(style->held);
  place_maps(style, drawing, buffer);
  place_regions(style, drawing, buffer);
  stack = build_stack(style, buffer);
  place_stack(style, drawing, stack);
  g_array_unref(stack);
  return drawing;
}

gboolean gst_vitgate_drawing_equal(const GArray *a, const GArray *b)
{
  if (a->len != b->len)
    return FALSE;
  for (guint i = 0; i < a->len; i++) {
    const GstVitgatePlacement *left = &g_array_index(a, GstVitgatePlacement, i),
                              *right = &g_array_index(b, GstVitgatePlacement, i);

    /* Pieces never change once painted, so pointers can be compared. */
    if (left->pixels != right->pixels || left->x != right->x || left->y != right->y)
      return FALSE;
  }
  return TRUE;
}
