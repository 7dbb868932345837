#include "image/change-map.h"

#include <math.h>
#include <string.h>

#include "file/architecture.h"

/* Frames that something new has to stand still. */
#define STAYS 3

struct _ChangeMap {
  guint size;           /* side of the input in pixels */
  guint side, per_side; /* patches along a side of the input; cells along a side of a patch */
  guint *edges;         /* [cells + 1] first pixel of each cell along a side. The size may be no
                           multiple of the number of cells. */
  float scale[3];       /* converts normalised values to shares of full scale */
  gboolean known;       /* kept is valid */
  /* Means of cells [3][cells][cells], as shares of full scale, minus the mean that normalisation
   * subtracted. */
  float *seen, *kept;
  float *changes; /* [side][side] */
  /* What each patch showed when it last stood still, as in kept, how many frames it has stood still
   * by now, and whether it was computed alone since all were. */
  float *ground;
  guint8 *still, *alone; /* [side][side] */
  float *columns;        /* [size] sum of each column over one row of cells */
};

static guint n_cells(const ChangeMap *map)
{
  return map->side * map->per_side;
}

ChangeMap *vitgate__change_map_new(const Description *d)
{
  ChangeMap *map = g_new0(ChangeMap, 1);
  map->size = d->image_size;
  map->side = (guint)lround(sqrt(vitgate__description_n_patches(d)));
  map->per_side = map->size >= 2 * map->side ? 2 : 1;
  memcpy(map->scale, d->preprocessing.std, sizeof map->scale);
  const gsize cells = 3 * (gsize)n_cells(map) * n_cells(map);
  map->seen = g_new0(float, cells);
  map->kept = g_new0(float, cells);
  map->ground = g_new0(float, cells);
  map->changes = g_new0(float, (gsize)map->side * map->side);
  map->still = g_new0(guint8, (gsize)map->side * map->side);
  map->alone = g_new0(guint8, (gsize)map->side * map->side);
  map->columns = g_new0(float, map->size);
  map->edges = g_new(guint, n_cells(map) + 1);
  for (guint i = 0; i <= n_cells(map); i++)
    map->edges[i] = i * map->size / n_cells(map);
  return map;
}

void vitgate__change_map_free(ChangeMap **map)
{
  ChangeMap *m = g_steal_pointer(map);
  if (!m)
    return;
  g_free(m->seen);
  g_free(m->kept);
  g_free(m->ground);
  g_free(m->changes);
  g_free(m->still);
  g_free(m->alone);
  g_free(m->columns);
  g_free(m->edges);
  g_free(m);
}

/* Computes the means of one row of cells, which starts at @pixels and has @rows rows of pixels.
 * Columns are summed first: a sum along a row would be one long chain of dependent additions. */
static void look_at_row(ChangeMap *map, float *means, const float *pixels, guint rows, float scale)
{
  float *columns = map->columns;
  memset(columns, 0, map->size * sizeof *columns);
  for (guint y = 0; y < rows; y++)
    for (guint x = 0; x < map->size; x++)
      columns[x] += pixels[y * map->size + x];
  for (guint i = 0; i < n_cells(map); i++) {
    const guint from = map->edges[i], to = map->edges[i + 1];
    float sum = 0;
    for (guint x = from; x < to; x++)
      sum += columns[x];
    means[i] = sum * scale / (float)((to - from) * rows);
  }
}

static gsize cell(const ChangeMap *map, guint colour, guint y, guint x)
{
  return ((gsize)colour * n_cells(map) + y) * n_cells(map) + x;
}

/* A NaN stays. */
static float larger(float a, float b)
{
  return a > b || isnan(a) ? a : b;
}

/* Returns: the largest change of patch @y, @x since @before */
static float change_since(const ChangeMap *map, const float *before, guint y, guint x)
{
  const guint n = map->per_side;
  float change = 0;
  for (guint c = 0; c < 3; c++)
    for (guint i = 0; i < n * n; i++) {
      const gsize at = cell(map, c, y * n + i / n, x * n + i % n);
      change = larger(change, fabsf(map->seen[at] - before[at]));
    }
  return change;
}

float vitgate__change_map_look(ChangeMap *map, const float *tensor)
{
  const guint cells = n_cells(map), side = map->side;
  float largest = 0;
  for (guint c = 0; c < 3; c++, tensor += (gsize)map->size * map->size)
    for (guint i = 0; i < cells; i++) {
      const guint from = map->edges[i], rows = map->edges[i + 1] - from;
      look_at_row(map, map->seen + cell(map, c, i, 0), tensor + (gsize)from * map->size, rows,
                  map->scale[c]);
    }
  for (guint p = 0; p < side * side; p++) {
    map->changes[p] = change_since(map, map->kept, p / side, p % side);
    largest = larger(largest, map->changes[p]);
  }
  return map->known ? largest : 1;
}

/* Returns: the largest change of a patch's mean in any colour */
static float mean_change(const ChangeMap *map, guint y, guint x)
{
  const guint n = map->per_side;
  float change = 0;
  for (guint c = 0; c < 3; c++) {
    float sum = 0;
    for (guint i = 0; i < n * n; i++) {
      const gsize at = cell(map, c, y * n + i / n, x * n + i % n);
      sum += map->seen[at] - map->kept[at];
    }
    change = larger(change, fabsf(sum) / (float)(n * n));
  }
  return change;
}

float vitgate__change_map_share(const ChangeMap *map, float threshold)
{
  const guint side = map->side;
  guint n = 0;
  if (!map->known)
    return 1;
  for (guint p = 0; p < side * side; p++)
    n += !(mean_change(map, p / side, p % side) <= threshold);
  return (float)n / (float)(side * side);
}

static gboolean is_changed(const ChangeMap *map, guint y, guint x, float threshold)
{
  return !map->known || !(map->changes[y * map->side + x] <= threshold);
}

guint vitgate__change_map_mark(const ChangeMap *map, guint8 *marks, float threshold,
                               gboolean dilate)
{
  const guint side = map->side, reach = dilate ? 1 : 0;
  guint n = 0;
  memset(marks, 0, (gsize)side * side);
  for (guint y = 0; y < side; y++)
    for (guint x = 0; x < side; x++) {
      if (!is_changed(map, y, x, threshold))
        continue;
      for (guint v = MAX(y, reach) - reach; v < MIN(side, y + reach + 1); v++)
        for (guint u = MAX(x, reach) - reach; u < MIN(side, x + reach + 1); u++)
          marks[v * side + u] = 1;
    }
  for (guint p = 0; p < side * side; p++)
    n += marks[p];
  return n;
}

/* Copies the cells of patch @p of the measured picture. */
static void copy_patch(const ChangeMap *map, float *cells, guint p)
{
  const guint n = map->per_side;
  for (guint i = 0; i < 3 * n; i++) {
    const gsize at = cell(map, i / n, p / map->side * n + i % n, p % map->side * n);
    memcpy(cells + at, map->seen + at, n * sizeof *cells);
  }
}

guint vitgate__change_map_count_new(ChangeMap *map, float still, float different)
{
  const guint side = map->side;
  guint n = 0;
  for (guint p = 0; p < side * side; p++) {
    if (!map->known || is_changed(map, p / side, p % side, still))
      map->still[p] = 0;
    else if (map->still[p] < STAYS)
      map->still[p]++;
    else
      continue;
    if (map->still[p] == STAYS)
      n += map->alone[p] && change_since(map, map->ground, p / side, p % side) > different;
    if (map->still[p] == STAYS || !map->known)
      copy_patch(map, map->ground, p);
  }
  return n;
}

void vitgate__change_map_forget(ChangeMap *map)
{
  map->known = FALSE;
}

void vitgate__change_map_keep(ChangeMap *map, const guint8 *marks)
{
  const guint n_patches = map->side * map->side;
  if (!marks) {
    memcpy(map->kept, map->seen, 3 * (gsize)n_cells(map) * n_cells(map) * sizeof(float));
    memset(map->alone, 0, n_patches);
    map->known = TRUE;
    return;
  }
  for (guint p = 0; p < n_patches; p++)
    if (marks[p]) {
      copy_patch(map, map->kept, p);
      map->alone[p] = 1;
    }
}
