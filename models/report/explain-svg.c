#include "report/explain-svg.h"

#include <math.h>

#include <gdk-pixbuf/gdk-pixbuf.h>

#include "base/clean-text.h"
#include "base/command-error.h"
#include "report/gate-usage.h"
#include "report/module-numbers.h"
#include "report/svg.h"

/* Lengths in pixels. */
#define MARGIN    28
#define HEADING   72 /* column with the modules' names */
#define MAP       130
#define MAP_STEP  142
#define COLUMNS   6 /* blocks in a row */
#define PHOTO     272
#define PHOTO_GAP 28
#define TOP       62 /* upper edge of the photograph */
#define MAPS      (TOP + PHOTO + 34)
#define BLOCKS    (2 * MAP_STEP + 24) /* height of a row of blocks */
#define LINE      19
#define KEY       22

#define QUALITY "90" /* of the embedded JPEG */

/* How much of the photograph shows through where a module did not run. */
#define SHOW_THROUGH 0.12

typedef enum {
  COLOR_COVER = 0xf2efe8,
  COLOR_STROKE = 0x8a6a3a, /* of a patch that got the substitute */
  COLOR_DOT = 0x10508f,    /* in a patch that had merged */
  COLOR_EDGE = 0xb7c0c9,
} Color;

static const Style title = { "Sans Bold 19px", SVG_COLOR_INK },
                   heading = { "Sans Bold 13px", SVG_COLOR_INK },
                   plain = { "Sans 13px", SVG_COLOR_INK }, faint = { "Sans 12px", SVG_COLOR_FAINT },
                   note = { "Sans Italic 12px", SVG_COLOR_FAINT };

typedef struct {
  Svg svg;
  const Explanation *what;
  cairo_surface_t *photo;
  guint side;        /* patches in a row */
  guint *counts;     /* [side * side] modules that ran for each patch */
  guint least, most; /* of them */
  guint n_modules;   /* that could have run */
} Drawing;

/* ---- What is known of a module ---- */

/* Counts of patches. */
typedef struct {
  guint ran, merged;
} Patches;

static const guint8 *flags_of(const Drawing *d, guint m)
{
  return d->what->result->patches + (gsize)m * d->side * d->side;
}

static gboolean runs_for_patches(const Drawing *d, guint m)
{
  return m / 2 < d->what->model->patch_depth;
}

static Patches count_patches(const Drawing *d, guint m)
{
  Patches n = { 0, 0 };
  for (guint p = 0; p < d->side * d->side; p++) {
    n.ran += (flags_of(d, m)[p] & VITGATE_PATCH_RAN) != 0;
    n.merged += (flags_of(d, m)[p] & VITGATE_PATCH_MERGED) != 0;
  }
  return n;
}

/* Sums up the modules that ran for each patch. */
static void count_modules(Drawing *d)
{
  const guint n = d->side * d->side;
  d->counts = g_new0(guint, n);
  for (guint m = 0; m < 2 * d->what->model->depth; m++) {
    if (!module_numbers_has_module(d->what->model, m) || !runs_for_patches(d, m))
      continue;
    d->n_modules++;
    for (guint p = 0; p < n; p++)
      d->counts[p] += (flags_of(d, m)[p] & VITGATE_PATCH_RAN) != 0;
  }
  d->least = d->n_modules;
  for (guint p = 0; p < n; p++) {
    d->least = MIN(d->least, d->counts[p]);
    d->most = MAX(d->most, d->counts[p]);
  }
}

/* ---- The photograph ---- */

/* Returns: (transfer full): the network's input as pixels */
static GdkPixbuf *restore_pixels(const Explanation *what)
{
  const VitgateModelInfo *model = what->model;
  const gsize size = model->image_size;
  GdkPixbuf *pixels = gdk_pixbuf_new(GDK_COLORSPACE_RGB, FALSE, 8, (int)size, (int)size);
  guint8 *bytes = gdk_pixbuf_get_pixels(pixels);
  const gsize stride = (gsize)gdk_pixbuf_get_rowstride(pixels);
  for (gsize i = 0; i < size * size; i++)
    for (gsize c = 0; c < 3; c++) {
      const float value = what->tensor[c * size * size + i] * model->std[c] + model->mean[c];
      bytes[i / size * stride + i % size * 3 + c] = (guint8)CLAMP(lrintf(255 * value), 0, 255);
    }
  return pixels;
}

/* Makes a surface with the photograph, which a document holds as a JPEG. */
static cairo_surface_t *make_surface(const Explanation *what, GError **error)
{
  g_autoptr(GdkPixbuf) pixels = restore_pixels(what);
  g_autoptr(GError) failure = NULL;
  gchar *jpeg;
  gsize length;
  if (!gdk_pixbuf_save_to_buffer(pixels, &jpeg, &length, "jpeg", &failure, "quality", QUALITY,
                                 NULL)) {
    g_set_error(error, COMMAND_ERROR, COMMAND_ERROR_IO, "cannot embed the photograph: %s",
                failure->message);
    return NULL;
  }
  const int size = gdk_pixbuf_get_width(pixels);
  cairo_surface_t *surface = cairo_image_surface_create(CAIRO_FORMAT_RGB24, size, size);
  cairo_surface_set_mime_data(surface, CAIRO_MIME_TYPE_JPEG, (const guchar *)jpeg, length, g_free,
                              jpeg);
  return surface;
}

static void draw_photo(const Drawing *d, double x, double y, double width)
{
  cairo_t *cairo = d->svg.cairo;
  const double scale = width / cairo_image_surface_get_width(d->photo);
  cairo_save(cairo);
  cairo_translate(cairo, x, y);
  cairo_scale(cairo, scale, scale);
  cairo_set_source_surface(cairo, d->photo, 0, 0);
  cairo_paint(cairo);
  cairo_restore(cairo);
}

static void draw_edge(const Drawing *d, double x, double y, double width)
{
  svg_set_color(&d->svg, COLOR_EDGE);
  cairo_rectangle(d->svg.cairo, x, y, width, width);
  cairo_stroke(d->svg.cairo);
}

/* ---- Patches ---- */

static void cover(const Drawing *d, double x, double y, double width, double alpha)
{
  cairo_set_source_rgba(d->svg.cairo, (COLOR_COVER >> 16) / 255.0, (COLOR_COVER >> 8 & 255) / 255.0,
                        (COLOR_COVER & 255) / 255.0, alpha);
  cairo_rectangle(d->svg.cairo, x, y, width, width);
  cairo_fill(d->svg.cairo);
}

/* @flags: VitgatePatchFlags */
static void draw_patch(const Drawing *d, double x, double y, double width, guint flags)
{
  cairo_t *cairo = d->svg.cairo;
  if (!(flags & VITGATE_PATCH_RAN)) {
    cover(d, x, y, width, 1 - SHOW_THROUGH);
    svg_set_color(&d->svg, COLOR_STROKE);
    cairo_set_line_width(cairo, MAX(width / 12, 0.4));
    cairo_move_to(cairo, x, y + width);
    cairo_line_to(cairo, x + width, y);
    cairo_stroke(cairo);
    cairo_set_line_width(cairo, 1);
  }
  if (flags & VITGATE_PATCH_MERGED) {
    cairo_arc(cairo, x + width / 2, y + width / 2, width / 5, 0, 2 * G_PI);
    cairo_set_source_rgb(cairo, 1, 1, 1);
    cairo_fill(cairo);
    cairo_arc(cairo, x + width / 2, y + width / 2, width / 7, 0, 2 * G_PI);
    svg_set_color(&d->svg, COLOR_DOT);
    cairo_fill(cairo);
  }
}

static void draw_map(const Drawing *d, guint m, double x, double y)
{
  const double width = (double)MAP / d->side;
  const gboolean exists = module_numbers_has_module(d->what->model, m);
  const double middle = y + MAP / 2.0;
  if (!exists || !runs_for_patches(d, m)) {
    cover(d, x, y, MAP, 1);
    svg_text(&d->svg, &note, ALIGN_CENTRE, x + MAP / 2.0, middle, exists ? "class token" : "cut");
    draw_edge(d, x, y, MAP);
    return;
  }
  draw_photo(d, x, y, MAP);
  for (guint p = 0; p < d->side * d->side; p++)
    draw_patch(d, x + p % d->side * width, y + (double)(p / d->side) * width, width,
               flags_of(d, m)[p]);
  draw_edge(d, x, y, MAP);
}

static void draw_blocks(const Drawing *d)
{
  for (guint b = 0; b < d->what->model->depth; b++) {
    const double x = MARGIN + HEADING + MAP_STEP * (double)(b % COLUMNS),
                 y = MAPS + BLOCKS * (double)(b / COLUMNS);
    g_autofree char *number = g_strdup_printf("block %u", b);
    svg_text(&d->svg, &faint, ALIGN_LEFT, x, y + 8, number);
    for (guint mlp = 0; mlp < 2; mlp++) {
      if (b % COLUMNS == 0)
        svg_text(&d->svg, &heading, ALIGN_LEFT, MARGIN, y + 20 + MAP_STEP * mlp + MAP / 2.0,
                 mlp ? "MLP" : "attention");
      draw_map(d, 2 * b + mlp, x, y + 20 + MAP_STEP * mlp);
    }
  }
}

/* ---- Above the blocks ---- */

/* The more modules ran for a patch, the clearer it is, compared with the other patches. */
static void draw_counts(const Drawing *d, double x, double y)
{
  const double width = (double)PHOTO / d->side;
  draw_photo(d, x, y, PHOTO);
  for (guint p = 0; p < d->side * d->side; p++) {
    const double share = (double)(d->counts[p] - d->least) / MAX(d->most - d->least, 1);
    if (d->counts[p] < d->most)
      cover(d, x + p % d->side * width, y + (double)(p / d->side) * width, width,
            (1 - share) * (1 - SHOW_THROUGH));
  }
  draw_edge(d, x, y, PHOTO);
}

static char *describe_counts(const Drawing *d)
{
  return d->least == d->most
             ? g_strdup_printf("%u of %u modules ran for every patch", d->most, d->n_modules)
             : g_strdup_printf("%u to %u of %u modules ran for a patch", d->least, d->most,
                               d->n_modules);
}

static char *describe_tokens(const Drawing *d)
{
  return g_strdup_printf("%u of %u tokens left", d->what->result->n_tokens,
                         d->what->model->n_tokens);
}

static char *describe_compute(const Drawing *d)
{
  const VitgateResult *result = d->what->result;
  return g_strdup_printf("%.3f GMACs, %.0f %% of the dense", result->gmacs,
                         100 * result->compute_ratio);
}

/* A patch of the legend, on a grey that stands for the photograph. */
static void draw_key(const Drawing *d, double x, double y, guint flags, const char *text)
{
  const double size = 14;
  cover(d, x, y - size / 2, size, 1);
  if (flags & VITGATE_PATCH_RAN) {
    cairo_set_source_rgb(d->svg.cairo, 0.45, 0.5, 0.45);
    cairo_rectangle(d->svg.cairo, x, y - size / 2, size, size);
    cairo_fill(d->svg.cairo);
  }
  draw_patch(d, x, y - size / 2, size, flags);
  draw_edge(d, x, y - size / 2, size);
  svg_text(&d->svg, &plain, ALIGN_LEFT, x + size + 8, y, text);
}

static void draw_words(const Drawing *d, double x)
{
  double y = TOP + 8;
  g_autofree char *compute = describe_compute(d), *tokens = describe_tokens(d),
                  *counts = describe_counts(d);
  for (guint i = 0; d->what->answer[i]; i++, y += LINE)
    svg_text(&d->svg, i ? &plain : &heading, ALIGN_LEFT, x, y, d->what->answer[i]);
  y += 6;
  svg_text(&d->svg, &faint, ALIGN_LEFT, x, y, compute);
  svg_text(&d->svg, &faint, ALIGN_LEFT, x, y + LINE, tokens);
  svg_text(&d->svg, &faint, ALIGN_LEFT, x, y + 2 * LINE, counts);

  static const struct {
    guint flags;
    const char *text;
  } keys[] = {
    { VITGATE_PATCH_RAN, "the module ran for the patch" },
    { 0, "it did not: substitute or nothing" },
    { VITGATE_PATCH_RAN | VITGATE_PATCH_MERGED, "merged with other patches before" },
  };
  y = TOP + PHOTO - KEY * (double)G_N_ELEMENTS(keys) + KEY / 2.0;
  for (guint i = 0; i < G_N_ELEMENTS(keys); i++)
    draw_key(d, x, y + KEY * i, keys[i].flags, keys[i].text);
}

static void draw_header(const Drawing *d, const char *name, double width)
{
  const double second = MARGIN + PHOTO + PHOTO_GAP, third = second + PHOTO + PHOTO_GAP;
  pango_layout_set_width(d->svg.layout, (int)(width - 2 * MARGIN) * PANGO_SCALE);
  svg_text(&d->svg, &title, ALIGN_LEFT, MARGIN, 28, name);
  draw_photo(d, MARGIN, TOP, PHOTO);
  draw_edge(d, MARGIN, TOP, PHOTO);
  draw_counts(d, second, TOP);
  pango_layout_set_width(d->svg.layout, (int)(width - MARGIN - third) * PANGO_SCALE);
  draw_words(d, third);
  pango_layout_set_width(d->svg.layout, -1);
  svg_text(&d->svg, &faint, ALIGN_LEFT, MARGIN, TOP + PHOTO + 12, "what the network sees");
  svg_text(&d->svg, &faint, ALIGN_LEFT, second, TOP + PHOTO + 12,
           "the clearer, the more modules ran");
}

/* ---- The document ---- */

static void append_module(GString *text, const Drawing *d, guint m)
{
  const Patches n = count_patches(d, m);
  g_string_append(text, m % 2 ? "; MLP " : "attention ");
  if (!module_numbers_has_module(d->what->model, m))
    g_string_append(text, "cut");
  else if (!runs_for_patches(d, m))
    g_string_append(text, "for the class token only");
  else
    g_string_append_printf(text, "ran for %u of %u patches, %u merged", n.ran, d->side * d->side,
                           n.merged);
}

/* Returns: (transfer full): the picture in words */
static char *describe(const Drawing *d)
{
  GString *text = g_string_new(NULL);
  g_autofree char *compute = describe_compute(d), *tokens = describe_tokens(d),
                  *counts = describe_counts(d);
  for (guint i = 0; d->what->answer[i]; i++)
    g_string_append_printf(text, "%s; ", d->what->answer[i]);
  g_string_append_printf(text, "%s; %s; %s.", compute, tokens, counts);
  for (guint b = 0; b < d->what->model->depth; b++) {
    g_string_append_printf(text, "\nBlock %u: ", b);
    append_module(text, d, 2 * b);
    append_module(text, d, 2 * b + 1);
    g_string_append_c(text, '.');
  }
  return g_string_free(text, FALSE);
}

char *explanation_to_svg(const Explanation *what, GError **error)
{
  const guint depth = what->model->depth, rows = (depth + COLUMNS - 1) / COLUMNS;
  const double width = MARGIN + HEADING + COLUMNS * MAP_STEP + MARGIN - (MAP_STEP - MAP),
               height = MAPS + BLOCKS * (double)rows + MARGIN / 2.0;
  Drawing d = { .what = what, .side = what->model->image_size / what->model->patch_size };
  g_autofree char *name = vitgate__clean_text(what->name);
  d.photo = make_surface(what, error);
  if (!d.photo)
    return NULL;
  count_modules(&d);
  g_autofree char *words = describe(&d);
  svg_start(&d.svg, width, height);
  draw_header(&d, name, width);
  draw_blocks(&d);
  char *document = svg_finish(&d.svg, name, words, error);
  cairo_surface_destroy(d.photo);
  g_free(d.counts);
  return document;
}
