#include "report/structure-svg.h"

#include <math.h>

#include "base/clean-text.h"
#include "report/gate-usage.h"
#include "report/module-numbers.h"
#include "report/svg.h"

/* Lengths in pixels. */
#define MARGIN     28
#define ROW        28
#define LINE       19
#define BLOCK      52 /* width of the column with the block's number */
#define CELL       14
#define CELL_STEP  18
#define MAX_CELLS  16 /* more heads are drawn as a bar, like neurons */
#define BAR        10 /* height of bars */
#define HEADS_BAR  150
#define NEURON_BAR 200
#define WIDE_BAR   300 /* neurons, in a model without columns for gates */
#define USAGE_BAR  72
#define HEAD_COUNT 52 /* column for "12 / 16" */
#define COUNT      84 /* column for "1536 / 3072" */
#define PERCENT    56
#define SUBSTITUTE 66 /* column for "rank 192" */
#define TOKEN_STEP 6  /* the bar of a token gate consists of tokens */
#define TOKEN      4
#define TOKEN_BAR  110
#define THIN       5 /* height of the bars of tokens */
#define GAP        30
#define LEGEND_ROW 22

typedef enum {
  COLOR_LOST = 0xe7ebef, /* units of the dense network that were cut */
  COLOR_EDGE = 0xb7c0c9,
  COLOR_HEADS = 0x3468b0,
  COLOR_NEURONS = 0x2a8a7a,
  COLOR_GATE = 0xd98218,
} Color;

static const Style title = { "Sans Bold 19px", SVG_COLOR_INK },
                   subtitle = { "Sans 12.5px", SVG_COLOR_FAINT },
                   heading = { "Sans Bold 13px", SVG_COLOR_INK },
                   subheading = { "Sans 11.5px", SVG_COLOR_FAINT },
                   plain = { "Sans 12px", SVG_COLOR_INK }, faint = { "Sans 12px", SVG_COLOR_FAINT },
                   cut_label = { "Sans Italic 11px", SVG_COLOR_FAINT };

/* Positions. A model without gates has no columns for them. */
typedef struct {
  double heads, heads_width, attention_gate, neurons, neurons_width, mlp_gate, tokens; /* columns */
  double rows, legend; /* upper edges */
  double width, height;
} Plan;

typedef struct {
  Svg svg;
  const Structure *structure;
  Plan plan;
} Drawing;

static double plan_heads(guint heads)
{
  return heads > MAX_CELLS ? HEADS_BAR : MAX(heads * CELL_STEP, 4 * CELL_STEP);
}

static guint n_gate_kinds(const Structure *s)
{
  return (s->gates & GATES_FOR_IMAGES ? 1 : 0) + (s->gates & GATES_FOR_TOKENS ? 1 : 0);
}

static Plan plan_picture(const Structure *s)
{
  const double substitute = s->gates & GATES_FOR_TOKENS ? SUBSTITUTE : 0;
  const double gate = s->gates ? GAP / 2.0 + USAGE_BAR + PERCENT + substitute : 0;
  Plan p = { .heads = MARGIN + BLOCK, .heads_width = plan_heads(s->dense_heads) };
  p.attention_gate = p.heads + p.heads_width + HEAD_COUNT + GAP / 2.0;
  p.neurons = p.heads + p.heads_width + HEAD_COUNT + gate + GAP;
  p.neurons_width = s->gates ? NEURON_BAR : WIDE_BAR;
  p.mlp_gate = p.neurons + p.neurons_width + COUNT + GAP / 2.0;
  p.tokens = p.neurons + p.neurons_width + COUNT + gate + GAP;
  p.width = (s->tokens ? p.tokens + TOKEN_BAR + COUNT : p.tokens - GAP) + MARGIN;
  p.rows = 104 + LINE * (s->description->n_calibration ? 4 : 3);
  p.legend = p.rows + (double)ROW * s->model->depth + 12;
  p.height = p.legend + 44 + LEGEND_ROW * (n_gate_kinds(s) + (s->tokens ? 1 : 0));
  return p;
}

/* ---- Shapes ---- */

/* Draws a bar, filled up to @share. */
static void draw_bar(const Drawing *d, Color color, double x, double y, double width, double share)
{
  svg_fill_box(&d->svg, COLOR_LOST, x, y - BAR / 2.0, width, BAR);
  if (share > 0)
    svg_fill_box(&d->svg, color, x, y - BAR / 2.0, MAX(width * share, 1), BAR);
}

static void draw_cell(const Drawing *d, Color color, gboolean kept, double x, double y)
{
  if (kept) {
    svg_fill_box(&d->svg, color, x, y - CELL / 2.0, CELL, CELL);
    return;
  }
  svg_fill_box(&d->svg, COLOR_LOST, x, y - CELL / 2.0, CELL, CELL);
  svg_set_color(&d->svg, COLOR_EDGE);
  svg_trace_rounded(&d->svg, x + 0.5, y - CELL / 2.0 + 0.5, CELL - 1, CELL - 1);
  cairo_stroke(d->svg.cairo);
}

static void draw_cut(const Drawing *d, double x, double y, double width)
{
  static const double dashes[] = { 4, 3 };
  cairo_set_dash(d->svg.cairo, dashes, G_N_ELEMENTS(dashes), 0);
  svg_set_color(&d->svg, COLOR_EDGE);
  svg_trace_rounded(&d->svg, x + 0.5, y - CELL / 2.0 + 0.5, width - 1, CELL - 1);
  cairo_stroke(d->svg.cairo);
  cairo_set_dash(d->svg.cairo, NULL, 0, 0);
}

/* ---- Rows ---- */

/* A module's units: heads or neurons. */
static void draw_units(const Drawing *d, guint m, double y)
{
  const Structure *s = d->structure;
  const gboolean mlp = m % 2;
  const VitgateBlockInfo *block = &s->model->blocks[m / 2];
  const guint kept = mlp ? block->neurons : block->heads;
  const guint dense = mlp ? s->dense_neurons : s->dense_heads;
  const double x = mlp ? d->plan.neurons : d->plan.heads;
  const double width = mlp ? d->plan.neurons_width : d->plan.heads_width;
  const Color color = mlp ? COLOR_NEURONS : COLOR_HEADS;
  if (!kept) {
    draw_cut(d, x, y, width);
    svg_text(&d->svg, &cut_label, ALIGN_CENTRE, x + width / 2, y, "cut");
  } else if (mlp || dense > MAX_CELLS) {
    draw_bar(d, color, x, y, width, (double)kept / dense);
  } else {
    for (guint i = 0; i < dense; i++)
      draw_cell(d, color, i < kept, x + i * CELL_STEP, y);
  }
  g_autofree char *count = g_strdup_printf("%u / %u", kept, dense);
  svg_text(&d->svg, kept < dense ? &plain : &faint, ALIGN_RIGHT,
           x + width + (mlp ? COUNT : HEAD_COUNT), y, count);
}

/* Draws a bar of tokens, filled up to @share. */
static void draw_token_gate(const Drawing *d, double x, double y, double width, double share)
{
  for (double at = 0; at + TOKEN <= width; at += TOKEN_STEP) {
    const double filled = CLAMP((width * share - at) / TOKEN, 0, 1);
    svg_fill_box(&d->svg, COLOR_LOST, x + at, y - BAR / 2.0, TOKEN, BAR);
    if (filled > 0)
      svg_fill_box(&d->svg, COLOR_GATE, x + at, y - BAR / 2.0, TOKEN * filled, BAR);
  }
}

/* @share: NAN: unknown */
static void draw_usage(const Drawing *d, guint m, double x, double y, double share)
{
  const gboolean tokens = gate_usage_has_token_gate(d->structure->model, m);
  if (isnan(share) && tokens)
    draw_token_gate(d, x, y, CELL, 1);
  else if (isnan(share))
    svg_fill_box(&d->svg, COLOR_GATE, x, y - BAR / 2.0, CELL, BAR);
  else if (tokens)
    draw_token_gate(d, x, y, USAGE_BAR, share);
  else
    draw_bar(d, COLOR_GATE, x, y, USAGE_BAR, share);
}

static void draw_gate(const Drawing *d, guint m, double y)
{
  const Structure *s = d->structure;
  const double x = m % 2 ? d->plan.mlp_gate : d->plan.attention_gate;
  const double share = s->usage ? s->usage[m] : NAN;
  const gboolean gated = gate_usage_has_gate(s->model, m) || gate_usage_has_token_gate(s->model, m);
  g_autofree char *substitute = structure_substitute_to_text(s, m);
  if (!module_numbers_has_module(s->model, m))
    return;
  if (gated)
    draw_usage(d, m, x, y, share);
  if (gated && s->usage) {
    g_autofree char *text = g_strdup_printf("%.1f %%", 100 * share);
    svg_text(&d->svg, &plain, ALIGN_RIGHT, x + USAGE_BAR + PERCENT, y, text);
  } else if (s->usage) {
    svg_text(&d->svg, &faint, ALIGN_RIGHT, x + USAGE_BAR + PERCENT, y, "always");
  } else {
    svg_text(&d->svg, gated ? &plain : &faint, ALIGN_LEFT, x + CELL_STEP + 4, y,
             substitute ? "token gate"
             : gated    ? "gate"
                        : "always");
  }
  if (substitute)
    svg_text(&d->svg, &faint, ALIGN_RIGHT, x + USAGE_BAR + PERCENT + SUBSTITUTE, y, substitute);
}

/* The tokens that a block's modules run for: attention above, MLP below. */
static void draw_tokens(const Drawing *d, guint b, double y)
{
  const Structure *s = d->structure;
  const double *tokens = s->tokens + 2 * b, x = d->plan.tokens, all = s->model->n_tokens;
  g_autoptr(GString) text = g_string_new(NULL);
  for (guint i = 0; i < 2; i++) {
    const double top = y + (i ? 1 : -1 - THIN);
    svg_fill_box(&d->svg, COLOR_LOST, x, top, TOKEN_BAR, THIN);
    if (isnan(tokens[i])) {
      g_string_append(text, i ? " · –" : "–");
      continue;
    }
    if (tokens[i] > 0)
      svg_fill_box(&d->svg, i ? COLOR_NEURONS : COLOR_HEADS, x, top,
                   MAX(1, TOKEN_BAR * tokens[i] / all), THIN);
    g_string_append_printf(text, i ? " · %.0f" : "%.0f", tokens[i]);
  }
  svg_text(&d->svg, &plain, ALIGN_RIGHT, x + TOKEN_BAR + COUNT, y, text->str);
}

static void draw_rows(const Drawing *d)
{
  for (guint b = 0; b < d->structure->model->depth; b++) {
    const double top = d->plan.rows + (double)ROW * b, y = top + ROW / 2.0;
    if (b % 2 == 0)
      svg_fill_box(&d->svg, SVG_COLOR_STRIPE, MARGIN / 2.0, top, d->plan.width - MARGIN, ROW);
    g_autofree char *number = g_strdup_printf("%u", b);
    svg_text(&d->svg, &plain, ALIGN_RIGHT, MARGIN + BLOCK - GAP, y, number);
    for (guint m = 2 * b; m < 2 * b + 2; m++) {
      draw_units(d, m, y);
      if (d->structure->gates)
        draw_gate(d, m, y);
    }
    if (d->structure->tokens)
      draw_tokens(d, b, y);
  }
}

/* ---- Above and below the rows ---- */

/* Summarizes the structure.
 * Returns: (transfer full): lines of text */
static char **summarize(const Structure *s)
{
  const VitgateModelInfo *model = s->model;
  const double parameters = (double)model->n_parameters,
               dense = (double)s->description->dense_parameters;
  GPtrArray *lines = g_ptr_array_new();
  g_ptr_array_add(lines,
                  g_strdup_printf("%u blocks, %u tokens, %u wide; stored as %s", model->depth,
                                  model->n_tokens, model->dim, s->description->precision));
  g_ptr_array_add(lines,
                  g_strdup_printf("%.2f M parameters, %.0f %% of the dense %.2f M",
                                  1e-6 * parameters, 100 * parameters / dense, 1e-6 * dense));
  g_ptr_array_add(lines,
                  g_strdup_printf("%.3f GMACs with every module running, %.0f %% of the dense %.3f",
                                  model->gmacs, 100 * model->gmacs / model->dense_gmacs,
                                  model->dense_gmacs));
  if (s->description->n_calibration)
    g_ptr_array_add(lines, g_strdup_printf("dial: %.3f GMACs on average by default, %.0f %% of "
                                           "the dense; from %.0f to %.0f %%",
                                           model->default_compute * model->dense_gmacs,
                                           100 * model->default_compute, 100 * model->min_compute,
                                           100 * model->max_compute));
  g_ptr_array_add(lines, NULL);
  return (char **)g_ptr_array_free(lines, FALSE);
}

/* @tokens: those that decide for tokens, not for images */
static char *describe_gates(const Structure *s, gboolean tokens)
{
  const char *otherwise = tokens ? "; otherwise a substitute" : "";
  if (!s->usage)
    return g_strdup_printf("a gate decides for each %s whether the module runs%s",
                           tokens ? "token" : "image", otherwise);
  g_autofree char *source = vitgate__clean_text(s->usage_source);
  return g_strdup_printf("share of %s for which a gate lets its module run%s (%s)",
                         tokens ? "tokens" : "images", otherwise, source);
}

static void draw_header(const Drawing *d)
{
  const Structure *s = d->structure;
  const Plan *p = &d->plan;
  g_autofree char *name = vitgate__clean_text(s->model->name);
  g_auto(GStrv) lines = summarize(s);
  pango_layout_set_width(d->svg.layout, (int)(p->width - 2 * MARGIN) * PANGO_SCALE);
  svg_text(&d->svg, &title, ALIGN_LEFT, MARGIN, 30, name);
  for (guint i = 0; lines[i]; i++)
    svg_text(&d->svg, &subtitle, ALIGN_LEFT, MARGIN, 57 + LINE * i, lines[i]);
  pango_layout_set_width(d->svg.layout, -1);

  const double upper = p->rows - 29, lower = p->rows - 12;
  svg_text(&d->svg, &subheading, ALIGN_LEFT, MARGIN, lower, "block");
  svg_text(&d->svg, &heading, ALIGN_LEFT, p->heads, upper, "attention");
  svg_text(&d->svg, &subheading, ALIGN_LEFT, p->heads, lower, "heads");
  svg_text(&d->svg, &heading, ALIGN_LEFT, p->neurons, upper, "MLP");
  svg_text(&d->svg, &subheading, ALIGN_LEFT, p->neurons, lower, "neurons");
  for (guint i = 0; s->gates && i < 2; i++) {
    const double x = i ? p->mlp_gate : p->attention_gate;
    svg_text(&d->svg, &subheading, ALIGN_LEFT, x, lower, s->usage ? "runs for" : "gate");
    if (s->gates & GATES_FOR_TOKENS)
      svg_text(&d->svg, &subheading, ALIGN_RIGHT, x + USAGE_BAR + PERCENT + SUBSTITUTE, lower,
               "substitute");
  }
  if (!s->tokens)
    return;
  svg_text(&d->svg, &heading, ALIGN_LEFT, p->tokens, upper, "tokens");
  svg_text(&d->svg, &subheading, ALIGN_LEFT, p->tokens, lower, "in attention · in the MLP");
}

/* Draws the text of a legend entry at *@x, and moves *@x past it. */
static void draw_key(const Drawing *d, double *x, double y, const char *text)
{
  svg_text(&d->svg, &faint, ALIGN_LEFT, *x, y, text);
  int width;
  pango_layout_get_pixel_size(d->svg.layout, &width, NULL);
  *x += width + GAP;
}

static void draw_legend(const Drawing *d)
{
  const Structure *s = d->structure;
  const double top = d->plan.legend;
  double x = MARGIN, y = top + 22;
  svg_set_color(&d->svg, SVG_COLOR_RULE);
  cairo_move_to(d->svg.cairo, MARGIN, top + 0.5);
  cairo_line_to(d->svg.cairo, d->plan.width - MARGIN, top + 0.5);
  cairo_stroke(d->svg.cairo);

  draw_cell(d, COLOR_HEADS, TRUE, x, y);
  draw_cell(d, COLOR_NEURONS, TRUE, x + CELL_STEP, y);
  x += 2 * CELL_STEP + 6;
  draw_key(d, &x, y, "kept");
  draw_cell(d, COLOR_LOST, FALSE, x, y);
  x += CELL_STEP + 6;
  draw_key(d, &x, y, "only in the dense network");
  draw_cut(d, x, y, 2 * CELL_STEP);
  x += 2 * CELL_STEP + 8;
  draw_key(d, &x, y, "module cut");
  for (guint tokens = 0; tokens < 2; tokens++) {
    if (!(s->gates & (tokens ? GATES_FOR_TOKENS : GATES_FOR_IMAGES)))
      continue;
    g_autofree char *text = describe_gates(s, tokens);
    x = MARGIN, y += LEGEND_ROW;
    if (tokens)
      draw_token_gate(d, x, y, CELL, 1);
    else
      svg_fill_box(&d->svg, COLOR_GATE, x, y - BAR / 2.0, CELL, BAR);
    x += CELL_STEP + 6;
    draw_key(d, &x, y, text);
  }
  if (s->tokens) {
    x = MARGIN, y += LEGEND_ROW;
    svg_fill_box(&d->svg, COLOR_HEADS, x, y - 1 - THIN, CELL, THIN);
    svg_fill_box(&d->svg, COLOR_NEURONS, x, y + 1, CELL, THIN);
    x += CELL_STEP + 6;
    g_autofree char *source = vitgate__clean_text(s->tokens_source);
    g_autofree char *text =
        g_strdup_printf("mean tokens, of %u, that attention (above) and MLP (below) run for (%s)",
                        s->model->n_tokens, source);
    draw_key(d, &x, y, text);
  }
}

/* ---- The document ---- */

static void append_module(GString *text, const Structure *s, guint m)
{
  const gboolean mlp = m % 2;
  const VitgateBlockInfo *block = &s->model->blocks[m / 2];
  g_string_append(text, mlp ? "; MLP " : "attention ");
  if (!module_numbers_has_module(s->model, m)) {
    g_string_append(text, "cut");
    return;
  }
  g_string_append_printf(text, "with %u of %u %s", mlp ? block->neurons : block->heads,
                         mlp ? s->dense_neurons : s->dense_heads, mlp ? "neurons" : "heads");
  g_autofree char *substitute = structure_substitute_to_text(s, m);
  const gboolean gated = substitute || gate_usage_has_gate(s->model, m);
  if (gated && s->usage)
    g_string_append_printf(text, ", run for %.1f %% of %s", 100 * s->usage[m],
                           substitute ? "tokens" : "images");
  else if (gated)
    g_string_append(text, substitute ? ", with a token gate" : ", with a gate");
  if (substitute)
    g_string_append_printf(text, ", substitute: %s", substitute);
  if (s->tokens)
    g_string_append_printf(text, ", for %.1f of %u tokens", s->tokens[m], s->model->n_tokens);
}

/* Returns: (transfer full): the picture in words */
static char *describe(const Structure *s)
{
  g_auto(GStrv) lines = summarize(s);
  GString *text = g_string_new(NULL);
  for (guint i = 0; lines[i]; i++)
    g_string_append_printf(text, i ? "; %s" : "%s", lines[i]);
  g_string_append_c(text, '.');
  for (guint b = 0; b < s->model->depth; b++) {
    g_string_append_printf(text, "\nBlock %u: ", b);
    append_module(text, s, 2 * b);
    append_module(text, s, 2 * b + 1);
    g_string_append_c(text, '.');
  }
  return g_string_free(text, FALSE);
}

char *structure_to_svg(const Structure *structure, GError **error)
{
  Drawing drawing = { .structure = structure, .plan = plan_picture(structure) };
  g_autofree char *name = vitgate__clean_text(structure->model->name);
  g_autofree char *words = describe(structure);
  svg_start(&drawing.svg, drawing.plan.width, drawing.plan.height);
  draw_header(&drawing);
  draw_rows(&drawing);
  draw_legend(&drawing);
  return svg_finish(&drawing.svg, name, words, error);
}
