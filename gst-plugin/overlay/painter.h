/* painter.h: paints the pieces of an overlay: lines of text, bars and plain areas. Pieces are
 * cached, so painting the same piece again costs one lookup. */
#pragma once

#include <gst/video/video.h>
#include <pango/pangocairo.h>
#include <vitgate.h>

#include "common/token-map.h"

G_BEGIN_DECLS

/* Colors are 0xAARRGGBB, not premultiplied. */
typedef struct {
  guint32 text, box; /* letters and their background */
  guint32 bar;       /* filled part of a bar */
} GstVitgateColors;

/* A piece: pixels in the form that GstVitgatePlacement requires, turned so that they are upright
 * when the frame is. */
typedef struct {
  GstBuffer *pixels;
  gint width, height; /* upright */
  guint64 used;       /* last round that used it */
} GstVitgatePiece;

typedef struct {
  PangoContext *context;
  PangoLayout *layout;
  gint size; /* of the font in pixels */
  GstVitgateColors colors;
  VitgateOrientation orientation; /* of the frames */

  GHashTable *pieces; /* key string (what it shows) -> GstVitgatePiece */
  gsize bytes;        /* size of all pixels in the cache */
  guint64 round;
  guint64 painted; /* number of pieces painted so far */
} GstVitgatePainter;

/* Returns: (transfer full) */
GstVitgatePainter *gst_vitgate_painter_new(void);

/* Frees *@painter and sets it to NULL; it may be NULL. */
void gst_vitgate_painter_free(GstVitgatePainter **painter);

/* Sets the font and colors, and drops all pieces from the cache.
 * @size: font size in pixels; replaces the size in @font
 * @orientation: of the frames that are drawn on */
void gst_vitgate_painter_set_style(GstVitgatePainter *painter, const PangoFontDescription *font,
                                   gint size, const GstVitgateColors *colors,
                                   VitgateOrientation orientation);

/* Starts a round of painting. A piece is valid until the start of the round after next; pieces that
 * the last round did not use may be dropped now. */
void gst_vitgate_painter_begin(GstVitgatePainter *painter);

/* Paints a line of text in a box.
 * @text: any NUL-terminated bytes; if it is wider than @max_width pixels, it ends in an ellipsis
 * @min_width: minimum width of the box; even
 * Returns: (transfer none) */
const GstVitgatePiece *gst_vitgate_painter_text(GstVitgatePainter *painter, const char *text,
                                                gint min_width, gint max_width);

/* Paints a box with a bar, filled to @percent, followed by @text.
 * Returns: (transfer none) */
const GstVitgatePiece *gst_vitgate_painter_bar(GstVitgatePainter *painter, guint percent,
                                               const char *text, gint min_width, gint max_width);

/* Paints how many modules ran for each patch: the fewer, the darker, compared with the others.
 * @place: of all patches, upright, from the upper left of the piece; it may reach beyond it
 * Returns: (transfer none) */
const GstVitgatePiece *gst_vitgate_painter_map(GstVitgatePainter *painter,
                                               const GstVitgateTokenMap *map,
                                               const GstVideoRectangle *place, gint width,
                                               gint height);

/* Paints an area of one color.
 * Returns: (transfer none) */
const GstVitgatePiece *gst_vitgate_painter_area(GstVitgatePainter *painter, gint width, gint height,
                                                guint32 color);

G_END_DECLS
