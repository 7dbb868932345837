/* A training pass whose images several ranks run, each its slice. Arrays over images, such as the
 * decisions, have a place for every image, and are gathered where they are needed. */
#pragma once

#include "base/ranks.h"
#include "train/network/activations.h"

/* Returns: the number of the first image that this rank runs */
static inline guint pass_own_first(const TrainingPass *pass)
{
  return pass->shared ? ranks_slice(pass->n_images, ranks_own()) : 0;
}

/* Returns: the number of images that this rank runs */
static inline guint pass_own_count(const TrainingPass *pass)
{
  return pass->shared ? ranks_slice(pass->n_images, ranks_own() + 1) - pass_own_first(pass)
                      : pass->n_images;
}

/* Waits for the team, and gathers values[n_images]. Called by every thread. */
void pass_gather(Share *share, real *values);

/* Gathers logits, decisions and costs of all modules. Called by one thread. */
void pass_gather_decisions(TrainingPass *pass);

/* Gathers the classes' logits for training_pass_get_logits(). Called by one thread. */
void pass_gather_logits(TrainingPass *pass);
