/* A picture in the making, as an SVG document: boxes, text and a description in words. */
#pragma once

#include <cairo.h>
#include <pango/pangocairo.h>

#define SVG_COLOR_PAPER  0xffffff
#define SVG_COLOR_STRIPE 0xf6f7f9
#define SVG_COLOR_INK    0x1d2731
#define SVG_COLOR_FAINT  0x65717d
#define SVG_COLOR_RULE   0xd5dbe1

typedef enum { ALIGN_LEFT, ALIGN_CENTRE, ALIGN_RIGHT } Align;

typedef struct {
  const char *font;
  guint32 color; /* 0xRRGGBB */
} Style;

/* Lengths are in pixels. */
typedef struct {
  cairo_t *cairo;
  PangoLayout *layout;
  cairo_surface_t *surface;
  PangoFontMap *fonts;
  GString *document;
} Svg;

/* Starts a picture on white paper. Text is on a single line, which ends in an ellipsis if it is
 * wider than the layout. */
void svg_start(Svg *svg, double width, double height);

/* Ends a picture and frees it.
 * @title, @description: of the picture in words. In the picture, letters are outlines, which
 * programs cannot read.
 * Returns: (transfer full): the document, or NULL with COMMAND_ERROR_IO */
char *svg_finish(Svg *svg, const char *title, const char *description, GError **error);

void svg_set_color(const Svg *svg, guint32 color);

/* Adds a rectangle with rounded corners to the path. */
void svg_trace_rounded(const Svg *svg, double x, double y, double width, double height);

void svg_fill_box(const Svg *svg, guint32 color, double x, double y, double width, double height);

/* @x: the text's left edge, centre or right edge; @y: the middle of its line */
void svg_text(const Svg *svg, const Style *style, Align align, double x, double y,
              const char *text);
