/* The stem of a T2T-ViT in training: it does not learn, and the engine computes it, in float32.
 * What it makes takes the place of a ViT's patches. */
#pragma once

#include "train/network/network.h"

typedef struct _Stem Stem;

/* @n_members: threads that run it at once
 * Returns: (transfer full): or NULL where the network has none */
Stem *stem_new(const Network *network, guint n_members);
void stem_free(Stem **stem);

/* Packs the network's weights: after they have been set. */
void stem_pack(Stem *stem);

/* @windows: (out caller-allocates): [n_patches][values of a patch] in the order of the projection's
 *           weights
 * @tensor: [3][image_size][image_size] */
void stem_run(const Stem *stem, guint member, real *windows, const real *tensor);
