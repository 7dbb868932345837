#include "report/svg.h"

#include <string.h>

#include <cairo-svg.h>

#include "base/command-error.h"

static cairo_status_t append_bytes(void *document, const unsigned char *bytes, unsigned int n)
{
  g_string_append_len(document, (const char *)bytes, n);
  return CAIRO_STATUS_SUCCESS;
}

/* Uses its own fonts, since Pango never frees the shared ones. */
static void make_layout(Svg *svg)
{
  svg->fonts = pango_cairo_font_map_new();
  PangoContext *context = pango_font_map_create_context(svg->fonts);
  pango_cairo_update_context(svg->cairo, context);
  svg->layout = pango_layout_new(context);
  cairo_font_options_t *options = cairo_font_options_create();
  /* Without hinting, outlines fit every resolution. */
  cairo_font_options_set_hint_style(options, CAIRO_HINT_STYLE_NONE);
  cairo_font_options_set_hint_metrics(options, CAIRO_HINT_METRICS_OFF);
  pango_cairo_context_set_font_options(context, options);
  cairo_font_options_destroy(options);
  g_object_unref(context);
  pango_layout_set_single_paragraph_mode(svg->layout, TRUE);
  pango_layout_set_ellipsize(svg->layout, PANGO_ELLIPSIZE_END);
}

void svg_start(Svg *svg, double width, double height)
{
  svg->document = g_string_new(NULL);
  svg->surface = cairo_svg_surface_create_for_stream(append_bytes, svg->document, width, height);
  cairo_svg_surface_set_document_unit(svg->surface, CAIRO_SVG_UNIT_PX);
  svg->cairo = cairo_create(svg->surface);
  make_layout(svg);
  cairo_set_line_width(svg->cairo, 1);
  svg_set_color(svg, SVG_COLOR_PAPER);
  cairo_rectangle(svg->cairo, 0, 0, width, height);
  cairo_fill(svg->cairo);
}

/* Returns: (transfer full): XML */
static char *describe(const char *title, const char *description)
{
  GString *xml = g_string_new(NULL);
  g_autofree char *escaped_title = g_markup_escape_text(title, -1),
                  *escaped_text = g_markup_escape_text(description, -1);
  g_string_printf(xml, "\n<title>%s</title>\n<desc>%s</desc>", escaped_title, escaped_text);
  /* XML cannot contain these two characters of Unicode. */
  g_string_replace(xml, "\xef\xbf\xbe", " ", 0);
  g_string_replace(xml, "\xef\xbf\xbf", " ", 0);
  return g_string_free(xml, FALSE);
}

char *svg_finish(Svg *svg, const char *title, const char *description, GError **error)
{
  g_autoptr(GString) document = g_steal_pointer(&svg->document);
  cairo_status_t status = cairo_status(svg->cairo);
  g_object_unref(svg->layout);
  g_object_unref(svg->fonts);
  cairo_destroy(svg->cairo);
  cairo_surface_finish(svg->surface);
  status = status ? status : cairo_surface_status(svg->surface);
  cairo_surface_destroy(svg->surface);

  const char *root = strstr(document->str, "<svg"), *end = root ? strchr(root, '>') : NULL;
  if (status || !end) {
    g_set_error(error, COMMAND_ERROR, COMMAND_ERROR_IO, "cannot draw the picture: %s",
                cairo_status_to_string(status));
    return NULL;
  }
  g_autofree char *words = describe(title, description);
  g_string_insert(document, end + 1 - document->str, words);
  return g_string_free(g_steal_pointer(&document), FALSE);
}

/* ---- Shapes ---- */

void svg_set_color(const Svg *svg, guint32 color)
{
  cairo_set_source_rgb(svg->cairo, (color >> 16) / 255.0, (color >> 8 & 0xff) / 255.0,
                       (color & 0xff) / 255.0);
}

void svg_trace_rounded(const Svg *svg, double x, double y, double width, double height)
{
  const double r = MIN(MIN(3, width / 2), height / 2);
  cairo_new_sub_path(svg->cairo);
  cairo_arc(svg->cairo, x + width - r, y + r, r, -G_PI_2, 0);
  cairo_arc(svg->cairo, x + width - r, y + height - r, r, 0, G_PI_2);
  cairo_arc(svg->cairo, x + r, y + height - r, r, G_PI_2, G_PI);
  cairo_arc(svg->cairo, x + r, y + r, r, G_PI, 1.5 * G_PI);
  cairo_close_path(svg->cairo);
}

void svg_fill_box(const Svg *svg, guint32 color, double x, double y, double width, double height)
{
  svg_set_color(svg, color);
  svg_trace_rounded(svg, x, y, width, height);
  cairo_fill(svg->cairo);
}

void svg_text(const Svg *svg, const Style *style, Align align, double x, double y, const char *text)
{
  PangoFontDescription *font = pango_font_description_from_string(style->font);
  pango_layout_set_font_description(svg->layout, font);
  pango_font_description_free(font);
  pango_layout_set_text(svg->layout, text, -1);
  int width, height;
  pango_layout_get_pixel_size(svg->layout, &width, &height);
  const double left = align == ALIGN_LEFT ? x : align == ALIGN_RIGHT ? x - width : x - width / 2.0;
  svg_set_color(svg, style->color);
  cairo_move_to(svg->cairo, left, y - height / 2.0);
  pango_cairo_show_layout(svg->cairo, svg->layout);
}
