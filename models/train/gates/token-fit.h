/* Fits token gates and their substitutes in closed form, on photographs without labels (gates.md).
 *
 * A substitute predicts a module's output from the output of its norm. A gate predicts the
 * logarithm of what a token's substitute costs: the Fisher estimate of the Kullback-Leibler
 * divergence that it adds, less the image's mean, less the logarithm of what it saves. So one
 * threshold for all gates closes those tokens that save most for their cost.
 *
 * Ranks divide the images among themselves, and fit the same. */
#pragma once

#include "train/network/training-pass.h"

#define TOKEN_FIT_MIN_IMAGES 10
#define TOKEN_FIT_DRAWS      6 /* directions for the cost of an image */

/* Of one module. */
typedef struct {
  guint n; /* patch tokens */
  double
      explained; /* share of the variance of log cost that the gate predicts on images left out */
} TokenFitResult;

typedef struct _TokenFit TokenFit;

/* Chooses the modules that get a token gate, and the ranks of their substitutes: those of blocks
 * after the first with patch tokens, whose gate can save enough. Removes other token gates.
 * @description: (inout)
 * Returns: the number of gates */
guint token_fit_shape(Description *description);

/* @network: with token gates; only theirs and their substitutes' values change
 * @max_images: in one call of token_fit_add()
 * Returns: (transfer full): the fit, or NULL with VITGATE_ERROR_MEMORY */
TokenFit *token_fit_new(Network *network, Team *team, guint max_images, gboolean bf16,
                        GError **error);
void token_fit_free(TokenFit **fit);

/* Adds images: to the substitutes' moments, then, after token_fit_end_substitutes(), to the gates'.
 * Use the same images both times.
 * @tensors: [n_images][3][image_size][image_size]
 * @first: number of the first image, counted over all ranks
 * Returns: FALSE with COMMAND_ERROR_DATA if an image's costs are not finite */
gboolean token_fit_add(TokenFit *fit, const real *tensors, guint n_images, guint first,
                       GError **error);

/* All ranks call the next two together.
 * Returns: FALSE with COMMAND_ERROR_DATA: too few images, the same image throughout, or a module
 * whose activations are not finite */
gboolean token_fit_end_substitutes(TokenFit *fit, GError **error);

/* @results: (out caller-allocates): [2 depth]; zeros without a gate
 * Returns: FALSE with COMMAND_ERROR_DATA: a module whose tokens do not vary */
gboolean token_fit_end_gates(TokenFit *fit, TokenFitResult *results, GError **error);
