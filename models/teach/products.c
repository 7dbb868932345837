#include "teach/products.h"

#define ROWS  4  /* of a tile, whose sums stay in registers */
#define CHUNK 64 /* rows whose values stay in the cache */

/* GCC keeps sums of such a type in registers, but not those of an array of numbers. */
typedef double Pair __attribute__((vector_size(16), aligned(8)));

typedef struct {
  Pair sums[ROWS][2]; /* a group of columns is two pairs */
} Tile;

#define TILE_INLINE static inline __attribute__((always_inline))

/* Adds the products of @n values of a column of x, @stride apart, and a group of columns. */
TILE_INLINE void add_to_tile(Tile *tile, const double *x, gsize stride, const double *columns,
                             guint n)
{
  const Pair *pairs = (const Pair *)(gconstpointer)columns;
  const Pair first = pairs[0], second = pairs[1];
  for (guint i = 0; i < n; i++) {
    const double value = x[i * stride];
    tile->sums[i][0] += value * first;
    tile->sums[i][1] += value * second;
  }
}

/* @n: rows, at most ROWS */
TILE_INLINE void forward_tile(double *out, const double *x, const double *w, guint n, guint inner,
                              guint columns)
{
  Tile tile = { 0 };
  for (guint k = 0; k < inner; k++)
    add_to_tile(&tile, x + k, inner, w + (gsize)k * columns, n);
  for (guint i = 0; i < n; i++) {
    Pair *to = (Pair *)(gpointer)(out + (gsize)i * columns);
    to[0] = tile.sums[i][0];
    to[1] = tile.sums[i][1];
  }
}

void products_forward(double *out, const double *x, const double *w, guint rows, guint inner,
                      guint columns)
{
  for (guint i = 0; i < rows; i += ROWS)
    for (guint j = 0; j < columns; j += PRODUCTS_COLUMNS) {
      double *at = out + (gsize)i * columns + j;
      const double *from = x + (gsize)i * inner;
      if (rows - i >= ROWS) /* a constant lets the compiler keep the tile in registers */
        forward_tile(at, from, w + j, ROWS, inner, columns);
      else
        forward_tile(at, from, w + j, rows - i, inner, columns);
    }
}

/* @n: values of inner, at most ROWS */
TILE_INLINE void backward_tile(double *out, const double *x, const double *y, guint n, guint rows,
                               guint inner, guint columns)
{
  Tile tile = { 0 };
  for (guint r = 0; r < rows; r++)
    add_to_tile(&tile, x + (gsize)r * inner, 1, y + (gsize)r * columns, n);
  for (guint i = 0; i < n; i++) {
    Pair *to = (Pair *)(gpointer)(out + (gsize)i * columns);
    to[0] += tile.sums[i][0];
    to[1] += tile.sums[i][1];
  }
}

void products_backward(double *out, const double *x, const double *y, guint rows, guint inner,
                       guint columns)
{
  for (guint first = 0; first < rows; first += CHUNK) {
    const guint some = MIN(CHUNK, rows - first);
    const double *part = x + (gsize)first * inner, *right = y + (gsize)first * columns;
    for (guint i = 0; i < inner; i += ROWS)
      for (guint j = 0; j < columns; j += PRODUCTS_COLUMNS) {
        double *at = out + (gsize)i * columns + j;
        if (inner - i >= ROWS)
          backward_tile(at, part + i, right + j, ROWS, some, inner, columns);
        else
          backward_tile(at, part + i, right + j, inner - i, some, inner, columns);
      }
  }
}
