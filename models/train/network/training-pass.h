/* Runs a batch through a network in training: forward, keeping all activations, and backward.
 *
 * The threads of a team divide the images among themselves, and wait for each other where a gate
 * decides for more than one image. The rows of a share are stored image after image. Since tokens
 * merge, images may have different numbers of rows.
 *
 * With pass->entries, a network is the last blocks of another: the tokens that enter them are given
 * instead of images, and the backward pass ends there. */
#pragma once

#include "train/network/activations.h"

/* @max_images: maximum number of images in a batch
 * @bf16: products in bfloat16, requires matmul_has_bf16()
 * @backward: FALSE: only the forward pass is possible, with a fraction of the memory
 * Returns: (transfer full): the pass; or NULL with VITGATE_ERROR_MEMORY */
TrainingPass *training_pass_new(const Network *network, Team *team, guint max_images, gboolean bf16,
                                gboolean backward, GError **error);

/* The same for a pass whose images all ranks of the run divide among themselves. @max_images counts
 * those of all. Each rank supplies the tensors of its own slice of a batch. */
TrainingPass *training_pass_new_shared(const Network *network, Team *team, guint max_images,
                                       gboolean bf16, gboolean backward, GError **error);
void training_pass_free(TrainingPass **pass);

/* Packs the weights. Call it on every thread of the team each time the network's values change. */
void training_pass_pack(Share *share);

/* Call both on every thread of the team, with the thread's own share. training_pass_backward()
 * starts from the share's dlogits, dclass and dentry, and from decisions.dopen. */
void training_pass_forward(Share *share);
void training_pass_backward(Share *share);

/* The same on all threads, called from outside the team. */
void training_pass_pack_all(TrainingPass *pass);
void training_pass_forward_all(TrainingPass *pass);

/* Returns: (transfer none): [n_classes] logits of an image of the batch; call it after
 * training_pass_forward() and, if several ranks share the pass, pass_gather_logits() */
const real *training_pass_get_logits(const TrainingPass *pass, guint image);
