/* The record of what happens to each patch of an image in each module, if a session asks for it:
 * VitgatePatchFlags. From the tail on nothing is recorded: only prefix tokens are computed there.
 */
#pragma once

#include "network/vit-work.h"

/* Makes each patch a token of its own again, or in an update those that are computed. */
void vitgate__patches_start(ImageState *image, const Vit *vit);

/* Records the patches whose tokens are this thread's rows, by their sizes before the module's own
 * merging. All threads that share the image call it, with the rows that they had in the module.
 * @open: (nullable): [n_tokens] whether the module runs for each token; NULL: for all */
void vitgate__patches_record(const Job *job, guint block, gboolean mlp, gboolean runs,
                             const guint8 *open);

/* Makes the patches follow their tokens to new positions.
 * @into: [n_tokens] the new position of each token */
void vitgate__patches_move(ImageState *image, const Vit *vit, const guint *into);
