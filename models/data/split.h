/* Chooses the photographs to hold out from training. */
#pragma once

#include "data/dataset.h"

#define SPLIT_HELD_OUT 0.05 /* share that compress holds out */

/* Marks @share (0 to below 1) of the photographs, evenly from every top folder, class and folder.
 * The choice uses a hash of the names and does not depend on a seed or the model, so the same
 * photographs are always held out. At least one photograph of each class in each folder remains.
 * @held_out: (out caller-allocates): [photographs] */
void split_mark(const Dataset *dataset, double share, guint8 *held_out);
