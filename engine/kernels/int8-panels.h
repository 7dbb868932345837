/* Products by panels of columns: the code that AArch64 and x86-64 share around their own tiles of
 * sums.
 *
 * Packed weights consist of panels of PANEL columns, two vectors by default; the last one may be
 * one vector wide if that is enough. A panel holds 32 bits per column, derived from the sum of its
 * weights, then [k / GROUP][columns][GROUP] bytes, padded with zeros after the last column and
 * value.
 *
 * Before including this file, define ROWS, the maximum number of rows of a tile, and FOR_ROWS(X),
 * which applies X to each number below ROWS. */
#pragma once

#include "kernels/int8-isa.h"

#ifndef PANEL
#define PANEL (2 * LANES)
#endif

/* The values of one group in a row, of either type. */
#if GROUP == 8
typedef gint64 __attribute__((may_alias, aligned(4))) Group;
#else
typedef gint32 __attribute__((may_alias)) Group;
#endif

/* Some rows of the product with the columns of one panel. */
typedef struct {
  float *out;
  gsize out_stride;
  const Group *q;
  gsize groups; /* in a row of q, and in a column of the panel */
  const Int8Row *rows;
  const guint8 *panel;
  const guint8 *next; /* memory of the next panel to prefetch from here on, */
  gsize next_step;    /* this many bytes further for each group of a tile; 0: none */
  const float *scales, *bias;
  Int8Mode mode;
} Block;

/* ---- Defined by each instruction set ---- */

/* Returns: the width of a panel when @n columns are left */
static inline guint panel_width(guint n);

/* Computes a tile of the product.
 * @rows: at most ROWS; @columns: 2 for a tile as wide as PANEL, 1 for one vector. Both are
 * constants at every call, so the compiler resolves all conditions on them. */
static inline __attribute__((always_inline)) void multiply_tile(const Block *t, const guint rows,
                                                                const guint columns);

/* Adds the sums of the columns to a panel whose groups are in place.
 * Returns: the next panel */
static guint8 *finish_panel(guint8 *panel, guint width, gsize groups);

/* ---- Products ---- */

/* Smaller matrices are in the first-level cache: the keys and values of a head. */
#define NEAR_MATRIX (24 * 1024)

/* Returns: the step that prefetches the next panel while this one is multiplied. The first time
 * that an image uses a layer, its weights are farther away than the second-level cache. A single
 * tile does not last as long as that takes. */
static inline gsize find_step(guint m, guint n, gsize groups)
{
  const guint tiles = (m + ROWS - 1) / ROWS;
  return tiles > 1 && n * groups * GROUP > NEAR_MATRIX ? PANEL * GROUP / tiles + 1 : 0;
}

/* The heights of tiles differ by at most one row: a small tile would wait for its own sums. */
static inline __attribute__((always_inline)) void multiply_panel(Block t, guint m,
                                                                 const guint columns)
{
  t.next = t.panel + (t.next_step ? columns * LANES * (sizeof(gint32) + t.groups * GROUP) : 0);
  for (guint tiles = (m + ROWS - 1) / ROWS; tiles; tiles--) {
    const guint rows = m / tiles;
    switch (rows) {
#define CASE(r)                                                                                    \
  case r + 1:                                                                                      \
    multiply_tile(&t, r + 1, columns);                                                             \
    break;
      FOR_ROWS(CASE)
#undef CASE
    }
    m -= rows;
    t.out += rows * t.out_stride;
    t.q += rows * t.groups;
    t.rows += rows;
    t.next += t.groups * t.next_step;
  }
}

static void multiply_wide_panel(Block t, guint m)
{
  multiply_panel(t, m, 2);
}

static void multiply_narrow_panel(Block t, guint m)
{
  multiply_panel(t, m, 1);
}

/* Multiplies a panel that is not full, using a full tile on the stack. */
static void multiply_edge(Block t, guint m, guint n)
{
  float tile[ROWS * PANEL], scales[PANEL] = { 0 }, bias[PANEL] = { 0 };
  const gboolean add = t.mode == INT8_ADD;
  float *out = t.out;
  memcpy(scales, t.scales, n * sizeof *scales);
  if (t.bias)
    memcpy(bias, t.bias, n * sizeof *bias);
  Block full = t;
  full.out = tile;
  full.out_stride = PANEL;
  full.scales = scales;
  full.bias = bias;
  full.mode = add ? INT8_STORE : t.mode;
  for (guint rows; m; m -= rows, full.q += rows * t.groups, full.rows += rows) {
    rows = MIN(m, ROWS);
    (panel_width(n) > LANES ? multiply_wide_panel : multiply_narrow_panel)(full, rows);
    for (guint i = 0; i < rows; i++, out += t.out_stride)
      for (guint j = 0; j < n; j++)
        out[j] = (add ? out[j] : 0.0f) + tile[i * PANEL + j];
  }
}

static void gemm(float *out, gsize out_stride, gconstpointer q, const Int8Row *rows,
                 gconstpointer packed, const float *scales, const float *bias, Int8Mode mode,
                 guint m, guint n, guint k)
{
  const gsize groups = ((gsize)k + GROUP - 1) / GROUP;
  Block t = { .out = out,
              .out_stride = out_stride,
              .q = q,
              .groups = groups,
              .rows = rows,
              .panel = packed,
              .next_step = find_step(m, n, groups),
              .scales = scales,
              .bias = bias,
              .mode = mode };
  for (; n >= PANEL; n -= PANEL) {
    t.next_step = n >= 2 * PANEL ? t.next_step : 0;
    multiply_wide_panel(t, m);
    t.out += PANEL;
    t.panel += PANEL * (sizeof(gint32) + groups * GROUP);
    t.scales += PANEL;
    t.bias = t.bias ? t.bias + PANEL : NULL;
  }
  if (n && n == panel_width(n))
    multiply_narrow_panel(t, m);
  else if (n)
    multiply_edge(t, m, n);
}

/* ---- Packing ---- */

/* Packs one column of a panel of @width columns, from group @g on. */
static void pack_column(guint8 *out, guint width, const gint8 *w, guint g, guint k)
{
  for (; (g + 1) * GROUP <= k; g++)
    memcpy(out + g * width * GROUP, w + g * GROUP, GROUP);
  for (guint i = g * GROUP; i < k; i++)
    out[g * width * GROUP + i % GROUP] = (guint8)w[i];
}

/* Packs LANES columns. Groups of the size of a lane are transposed as vectors. */
static void pack_columns(guint8 *out, guint width, const gint8 *w, gsize w_stride, guint k)
{
  guint g = 0;
#if GROUP == 4
  for (; (g + LANES) * GROUP <= k; g += LANES) {
    vec block[LANES];
    for (guint c = 0; c < LANES; c++)
      memcpy(&block[c], w + c * w_stride + g * GROUP, sizeof *block);
    transpose(block);
    for (guint i = 0; i < LANES; i++)
      memcpy(out + (g + i) * width * GROUP, &block[i], sizeof *block);
  }
#endif
  for (guint c = 0; c < LANES; c++)
    pack_column(out + c * GROUP, width, w + c * w_stride, g, k);
}

static void pack(gpointer packed, const gint8 *w, gsize w_stride, guint n, guint k)
{
  const gsize groups = ((gsize)k + GROUP - 1) / GROUP;
  guint8 *panel = packed;
  for (guint j = 0; j < n; j += PANEL) {
    const guint width = panel_width(n - j), filled = MIN(n - j, width);
    guint8 *const first = panel + width * sizeof(gint32);
    memset(first, 0, filled < width || k % GROUP ? width * groups * GROUP : 0);
    guint c = 0;
    for (; c + LANES <= filled; c += LANES, w += LANES * w_stride)
      pack_columns(first + c * GROUP, width, w, w_stride, k);
    for (; c < filled; c++, w += w_stride)
      pack_column(first + c * GROUP, width, w, 0, k);
    panel = finish_panel(panel, width, groups);
  }
}

/* out[n][GROUP] = the transpose of @some rows of w[][n], padded with zeros */
static void pack_group(guint8 *out, const gint8 *w, gsize w_stride, guint n, guint some)
{
  static const gint8 none[PANEL];
  const gint8 *rows[GROUP];
  for (guint i = 0; i < GROUP; i++)
    rows[i] = i < some ? w + i * w_stride : none;
  for (guint c = 0; c < n; c++)
    for (guint i = 0; i < GROUP; i++)
      out[c * GROUP + i] = (guint8)rows[i][c];
}

static void pack_transposed(gpointer packed, const gint8 *w, gsize w_stride, guint n, guint k)
{
  const gsize groups = ((gsize)k + GROUP - 1) / GROUP;
  guint8 *panel = packed;
  for (guint j = 0; j < n; j += PANEL) {
    const guint width = panel_width(n - j), filled = MIN(n - j, width);
    guint8 *out = panel + width * sizeof(gint32);
    for (guint i = 0; i < k; i += GROUP, out += width * GROUP) {
      pack_group(out, w + i * w_stride + j, w_stride, filled, MIN(GROUP, k - i));
      memset(out + filled * GROUP, 0, (width - filled) * GROUP);
    }
    panel = finish_panel(panel, width, groups);
  }
}

/* ---- Changes ---- */

/* One column of a packed matrix. */
typedef struct {
  guint8 *panel;
  guint width;   /* of the panel */
  guint8 *first; /* the column's first group; groups are @width * GROUP bytes apart */
} Column;

static inline Column find_column(gpointer packed, guint j, guint n, gsize groups)
{
  const guint number = j / PANEL, width = panel_width(n - number * PANEL);
  guint8 *panel = (guint8 *)packed + number * (PANEL * (sizeof(gint32) + groups * GROUP));
  return (Column){ panel, width, panel + width * sizeof(gint32) + j % PANEL * GROUP };
}

static void replace_columns(gpointer packed, const gint8 *w, const guint *columns, guint n_columns,
                            guint n, guint k)
{
  const gsize groups = ((gsize)k + GROUP - 1) / GROUP;
  for (guint i = 0; i < n_columns; i++, w += k) {
    const Column column = find_column(packed, columns[i], n, groups);
    pack_column(column.first, column.width, w, 0, k);
    if (i + 1 == n_columns || columns[i + 1] / PANEL != columns[i] / PANEL)
      finish_panel(column.panel, column.width, groups);
  }
}

static void replace_rows(gpointer packed, const gint8 *w, const guint *rows, guint n_rows, guint n,
                         guint k)
{
  const gsize groups = ((gsize)k + GROUP - 1) / GROUP;
  guint8 *panel = packed;
  for (guint j = 0; j < n; j += PANEL) {
    const guint width = panel_width(n - j), filled = MIN(n - j, width);
    for (guint i = 0; i < n_rows; i++) {
      guint8 *out = panel + width * (sizeof(gint32) + (gsize)(rows[i] / GROUP) * GROUP);
      for (guint c = 0; c < filled; c++)
        out[c * GROUP + rows[i] % GROUP] = (guint8)w[(gsize)i * n + j + c];
    }
    panel = finish_panel(panel, width, groups);
  }
}

static void scale_column(gpointer packed, guint j, float factor, guint n, guint k)
{
  const gsize groups = ((gsize)k + GROUP - 1) / GROUP;
  const Column column = find_column(packed, j, n, groups);
  for (gsize g = 0; g < groups; g++)
    for (guint i = 0; i < GROUP; i++) {
      guint8 *weight = column.first + g * column.width * GROUP + i;
      *weight = scale_weight(*weight, factor);
    }
}
