/* scene.c: how much the picture has changed since the last inferred one. */
#include "scene.h"

#include <math.h>
#include <string.h>

#define CELLS GST_VITGATE_SCENE_CELLS

void gst_vitgate_scene_init(GstVitgateScene *scene, guint size, const float std[3])
{
  *scene = (GstVitgateScene){
    .size = size,
    .scale = { std[0], std[1], std[2] },
    .columns = g_new(float, size),
  };
}

void gst_vitgate_scene_clear(GstVitgateScene *scene)
{
  g_clear_pointer(&scene->columns, g_free);
}

/* Where cell @i begins: sizes need not be multiples of CELLS, and may be smaller. */
static guint first(const GstVitgateScene *scene, guint i)
{
  return i * scene->size / CELLS;
}

/* @means: [CELLS], of the cells in @rows rows from @pixels on. Columns first: a sum along a row
 * would be one long chain of additions. */
static void look_at_row(const GstVitgateScene *scene, float *means, const float *pixels, guint rows,
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

double gst_vitgate_scene_look(GstVitgateScene *scene, const float *tensor)
{
  const gsize plane = (gsize)scene->size * scene->size;
  float most = 0;

  for (guint c = 0; c < 3; c++) {
    for (guint i = 0; i < CELLS; i++) {
      const guint from = first(scene, i), rows = first(scene, i + 1) - from;

      look_at_row(scene, scene->seen[c][i], tensor + c * plane + (gsize)from * scene->size, rows,
                  scene->scale[c]);
      for (guint j = 0; j < CELLS; j++)
        most = MAX(most, fabsf(scene->seen[c][i][j] - scene->inferred[c][i][j]));
    }
  }
  return scene->known ? most : 1;
}

void gst_vitgate_scene_keep(GstVitgateScene *scene)
{
  memcpy(scene->inferred, scene->seen, sizeof scene->inferred);
  scene->known = TRUE;
}

void gst_vitgate_scene_forget(GstVitgateScene *scene)
{
  scene->known = FALSE;
}
