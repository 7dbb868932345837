/* scene.h: how much the picture has changed since the last inferred one, as the network sees it.
 *
 * The network's input is cut into GST_VITGATE_SCENE_CELLS x GST_VITGATE_SCENE_CELLS cells. What
 * counts is the mean of each cell and colour: it hardly knows of a sensor's noise. The change is
 * that of the cell that changed most, so that a small object is seen. As the comparison is always
 * with the picture last inferred, slow drift adds up until it is seen. A look at 224 x 224 pixels
 * takes about 0.1 ms. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

#define GST_VITGATE_SCENE_CELLS 16 /* a side: 14 x 14 pixels each of 224 x 224 */

typedef struct {
  guint size;     /* pixels a side */
  float scale[3]; /* from normalised values to shares of full scale */
  float *columns; /* [size] sums of a column within a row of cells */
  float inferred[3][GST_VITGATE_SCENE_CELLS][GST_VITGATE_SCENE_CELLS]; /* means, 0 to 1 */
  float seen[3][GST_VITGATE_SCENE_CELLS][GST_VITGATE_SCENE_CELLS];
  gboolean known; /* inferred holds something */
} GstVitgateScene;

/* @size: of the network's input, pixels a side
 * @std: that the input was divided by */
void gst_vitgate_scene_init(GstVitgateScene *scene, guint size, const float std[3]);
void gst_vitgate_scene_clear(GstVitgateScene *scene);

/* Looks at @tensor, [3][size][size].
 * Returns: the largest change of a cell's mean against the last inferred picture, as a share of
 * full scale; 1 where there is none to compare with. */
double gst_vitgate_scene_look(GstVitgateScene *scene, const float *tensor);

/* The picture last looked at is being inferred: the next ones are compared with it. */
void gst_vitgate_scene_keep(GstVitgateScene *scene);

/* The next picture counts as changed. */
void gst_vitgate_scene_forget(GstVitgateScene *scene);

G_END_DECLS
