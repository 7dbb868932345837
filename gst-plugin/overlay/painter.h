/* painter.h: the pieces of an overlay as pixels: lines of text, bars and plain areas. What was
 * painted is kept: painting the same again costs a look-up. */
#pragma once

#include <gst/video/video.h>
#include <pango/pangocairo.h>

G_BEGIN_DECLS

/* Colors are 0xAARRGGBB, not premultiplied. */
typedef struct {
  guint32 text, box; /* letters, and what is behind them */
  guint32 bar;       /* what is full of a bar */
} GstVitgateColors;

/* A piece: pixels as GstVitgatePlacement wants them. */
typedef struct {
  GstBuffer *pixels;
  gint width, height;
  guint64 used; /* in which round */
} GstVitgatePiece;

typedef struct {
  PangoContext *context;
  PangoLayout *layout;
  gint size; /* of the font in pixels */
  GstVitgateColors colors;

  GHashTable *pieces; /* string that tells what it shows -> GstVitgatePiece */
  gsize bytes;        /* of their pixels */
  guint64 round;
  guint64 painted; /* pieces that had to be painted, ever */
} GstVitgatePainter;

/* Returns: (transfer full) */
GstVitgatePainter *gst_vitgate_painter_new(void);

/* Frees *@painter and sets it to NULL; it may be NULL. */
void gst_vitgate_painter_free(GstVitgatePainter **painter);

/* Forgets all pieces: they look otherwise from now on.
 * @size: of the font in pixels, instead of what @font says */
void gst_vitgate_painter_set_style(GstVitgatePainter *painter, const PangoFontDescription *font,
                                   gint size, const GstVitgateColors *colors);

/* Begins a round of painting. Pieces are valid to the begin of the next but one; of those that the
 * last round did not need, some may be forgotten now. */
void gst_vitgate_painter_begin(GstVitgatePainter *painter);

/* A line of text in a box. @text: anything that ends with a NUL; what is too long for @max_width
 * pixels ends in an ellipsis. */
const GstVitgatePiece *gst_vitgate_painter_text(GstVitgatePainter *painter, const char *text,
                                                gint max_width);

/* A bar, @percent of it full, and @text behind it, in a box. */
const GstVitgatePiece *gst_vitgate_painter_bar(GstVitgatePainter *painter, guint percent,
                                               const char *text, gint max_width);

/* An area of one color. */
const GstVitgatePiece *gst_vitgate_painter_area(GstVitgatePainter *painter, gint width, gint height,
                                                guint32 color);

G_END_DECLS
