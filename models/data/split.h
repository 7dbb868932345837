/* Which photographs are held out from training. */
#pragma once

#include "data/dataset.h"

#define SPLIT_HELD_OUT 0.05 /* the share that compress holds out */

/* Marks @share (0 to below 1) of the photographs, drawn alike from every top folder, class and
 * folder, by the hash of their names: neither a seed nor the model at hand matters, so that what
 * was held out once always is. One photograph at least remains of every folder's class.
 * @held_out: (out caller-allocates): [photographs] */
void split_mark(const Dataset *dataset, double share, guint8 *held_out);
