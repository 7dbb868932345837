#include <math.h>
#include <string.h>

#include "vitgate.h"

/* Number of cells along a side. For an input of 224 x 224 a cell has 14 x 14 pixels. */
#define CELLS 16

struct _VitgateScene {
  guint size;     /* side of the input in pixels */
  float scale[3]; /* converts normalised values to shares of full scale */
  /* Means of cells, as shares of full scale, minus the mean that normalisation subtracted. */
  float inferred[3][CELLS][CELLS], seen[3][CELLS][CELLS];
  gboolean known;  /* inferred is valid */
  float columns[]; /* [size] sum of each column over one row of cells */
};

VitgateScene *vitgate_scene_new(const VitgateModelInfo *info)
{
  VitgateScene *scene = g_malloc0(sizeof *scene + info->image_size * sizeof *scene->columns);
  scene->size = info->image_size;
  memcpy(scene->scale, info->std, sizeof scene->scale);
  return scene;
}

void vitgate_scene_free(VitgateScene **scene)
{
  g_free(g_steal_pointer(scene));
}

/* Returns: the first pixel of cell @i. The size may be below CELLS, or not a multiple of it. */
static guint first(const VitgateScene *scene, guint i)
{
  return i * scene->size / CELLS;
}

/* Computes means[CELLS] of one row of cells, which starts at @pixels and has @rows rows of pixels.
 * Columns are summed first: a sum along a row would be one long chain of dependent additions. */
static void look_at_row(VitgateScene *scene, float *means, const float *pixels, guint rows,
                        float scale)
{
  float *columns = scene->columns;
  memset(columns, 0, scene->size * sizeof *columns);
  for (guint y = 0; y < rows; y++)
    for (guint x = 0; x < scene->size; x++)
      columns[x] += pixels[y * scene->size + x];
  for (guint i = 0; i < CELLS; i++) {
    const guint from = first(scene, i), to = first(scene, i + 1);
    float sum = 0;
    for (guint x = from; x < to; x++)
      sum += columns[x];
    means[i] = to > from && rows > 0 ? sum * scale / ((to - from) * rows) : 0;
  }
}

double vitgate_scene_look(VitgateScene *scene, const float *tensor)
{
  const gsize plane = (gsize)scene->size * scene->size;
  float max = 0;
  for (guint c = 0; c < 3; c++) {
    for (guint i = 0; i < CELLS; i++) {
      const guint from = first(scene, i), rows = first(scene, i + 1) - from;
      look_at_row(scene, scene->seen[c][i], tensor + c * plane + (gsize)from * scene->size, rows,
                  scene->scale[c]);
      for (guint j = 0; j < CELLS; j++)
        max = MAX(max, fabsf(scene->seen[c][i][j] - scene->inferred[c][i][j]));
    }
  }
  return scene->known ? max : 1;
}

/* Returns: the largest change of cell @i, @j among the colours. */
static float cell_change(const VitgateScene *scene, guint i, guint j)
{
  float max = 0;
  for (guint c = 0; c < 3; c++)
    max = MAX(max, fabsf(scene->seen[c][i][j] - scene->inferred[c][i][j]));
  return max;
}

double vitgate_scene_changed_share(const VitgateScene *scene, double threshold)
{
  guint n = 0, changed = 0;
  for (guint i = 0; i < CELLS; i++) {
    for (guint j = 0; j < CELLS; j++) {
      /* Below CELLS pixels, some cells are empty. */
      if (first(scene, i) == first(scene, i + 1) || first(scene, j) == first(scene, j + 1))
        continue;
      n++;
      changed += cell_change(scene, i, j) > threshold;
    }
  }
  return scene->known && n > 0 ? (double)changed / n : 1;
}

void vitgate_scene_keep(VitgateScene *scene)
{
  memcpy(scene->inferred, scene->seen, sizeof scene->inferred);
  scene->known = TRUE;
}

void vitgate_scene_forget(VitgateScene *scene)
{
  scene->known = FALSE;
}
