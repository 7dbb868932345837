/* One batch's way through a network in training, forward with all activations kept, and back.
 *
 * The members of a team share the images out between them and meet wherever a gate decides for
 * more than one image. All rows of a share stand one below the other, image by image; merging
 * makes the number of an image's rows differ. */
#pragma once

#include "train/network/activations.h"

/* @max_images: maximum number of images in a batch
 * @bf16: products in bfloat16, needs matmul_has_bf16()
 * @backward: FALSE: only the way forward is possible, in a fraction of the memory
 * Returns: (transfer full): the pass; or NULL with VITGATE_ERROR_MEMORY */
TrainingPass *training_pass_new(const Network *network, Team *team, guint max_images, gboolean bf16,
                                gboolean backward, GError **error);
void training_pass_free(TrainingPass **pass);

/* Packs the weights anew: after every change of the network's values, on every member. */
void training_pass_pack(Share *share);

/* Both run on every member of the team; share: its own. training_pass_backward() starts from the
 * share's dlogits, dclass and dentry, and from decisions.dopen. */
void training_pass_forward(Share *share);
void training_pass_backward(Share *share);

/* Returns: (transfer none): [n_classes] of an image of the batch, after training_pass_forward() */
const real *training_pass_get_logits(const TrainingPass *pass, guint image);
