/* How much each patch of a picture has changed since it was last computed.
 *
 * Each patch has four cells, or one if it is a single pixel. The change of a patch is the largest
 * difference of a cell's mean in any colour, as a share of full scale: sensor noise has little
 * effect on a mean, and a small object counts. Each patch is compared with the picture it was last
 * computed from, so slow drift adds up until it counts. */
#pragma once

#include "file/description.h"

typedef struct _ChangeMap ChangeMap;

/* Returns: (transfer full): a map without a picture to compare with */
ChangeMap *vitgate__change_map_new(const Description *description);

/* Frees *@map and sets it to NULL. *@map may be NULL. */
void vitgate__change_map_free(ChangeMap **map);

/* Measures a picture.
 * @tensor: [3][image_size][image_size], normalised
 * Returns: the largest change of a patch; 1 if there is no picture to compare with, NaN if a pixel
 * is not a number */
float vitgate__change_map_look(ChangeMap *map, const float *tensor);

/* Returns: the share of patches whose mean changed by more than @threshold in any colour; 1 if
 * there is no picture to compare with */
float vitgate__change_map_share(const ChangeMap *map, float threshold);

/* Counts the patches that show something new that stays: that have just stood still for a few
 * frames, show something else than when they last did, and were not computed together with all
 * others since. Call it once for each measured picture.
 * @still: change up to which a patch stands still
 * @different: change from which it shows something else */
guint vitgate__change_map_count_new(ChangeMap *map, float still, float different);

/* Forgets the picture to compare with. */
void vitgate__change_map_forget(ChangeMap *map);

/* Marks the patches whose change is above @threshold, and with @dilate their neighbours too.
 * @marks: (out caller-allocates): [n_patches] 1 or 0
 * Returns: how many are marked */
guint vitgate__change_map_mark(const ChangeMap *map, guint8 *marks, float threshold,
                               gboolean dilate);

/* Makes the measured picture the one to compare with.
 * @marks: (nullable): [n_patches] only where this is 1 */
void vitgate__change_map_keep(ChangeMap *map, const guint8 *marks);
