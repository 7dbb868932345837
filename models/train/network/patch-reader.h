/* The input of a network's embedding in training: the values of each patch. The engine's family
 * computes them in float32. A stem does not learn. */
#pragma once

#include "train/network/network.h"

typedef struct _PatchReader PatchReader;

/* @n_members: number of threads that use it at the same time
 * Returns: (transfer full): the reader, or NULL if out of memory */
PatchReader *patch_reader_new(const Network *network, guint n_members);
void patch_reader_free(PatchReader **reader);

/* Packs the weights of the stem. Call it after the network's values are set. */
void patch_reader_pack(PatchReader *reader);

/* Computes the patches of an image.
 * @patches: (out caller-allocates): [n_patches][patch_values] in the order of the embedding's
 * weights
 * @tensor: [3][image_size][image_size] */
void patch_reader_run(const PatchReader *reader, guint member, real *patches, const real *tensor);
