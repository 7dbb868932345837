/* What a network's modules see and give, on calibration images: the moments from which importance
 * and compensation follow in closed form. No labels are needed.
 *
 * The images' tokens stand in memory and walk through the network module by module, twice side by
 * side where wanted: on the reference's way, through every module as it was, and on the cut
 * network's way, through modules already compensated. Memory: 8 n_tokens dim bytes an image. */
#pragma once

#include "train/network/training-pass.h"

/* Gives the next images.
 * @tensors: (out caller-allocates): [max][3][image_size][image_size]
 * Returns: how many, at most @max; 0: no more, or @error is set */
typedef guint (*ImageSource)(gpointer data, real *tensors, guint max, GError **error);

/* Of a linear layer's inputs x[n] and wanted outputs y[n_out] over all tokens, centred, tokens
 * weighted by what they count for the loss; sums divided by the number of images. */
typedef struct {
  guint n, n_out;
  double weight; /* of all tokens of an image */
  double *mean_in, *mean_out;
  double *square; /* [n][n] x x^T */
  double *cross;  /* (nullable) [n_out][n] y x^T; NULL: y is what the layer itself gives */
} Moments;

void moments_free(Moments **moments);

/* Modules are numbered as gates are, see ATTENTION_OF() and MLP_OF(). The linear layer of a module
 * is its last: attn.proj, whose inputs are the heads' outputs, or mlp.fc2. */
typedef struct {
  Network *network;
  Team *team;
  TrainingPass *pass;
  guint n_images, n_tokens;
  guint n_trials;           /* the last so many images are left out where units are ranked */
  real *reference, *stream; /* [n_images][n_tokens][dim] */
  real *logits;             /* [n_images][n_classes] of the network as it was */
  double *token_weights;    /* [2 depth][2]: of a class or distillation token, of a patch */
  double *metrics;          /* [2 depth][dim][dim] of a module's output error, trace dim */
} Calibration;

/* What ridge regression adds to the diagonal: @ridge of the inputs' mean variance. */
double moments_ridge(const Moments *moments, double ridge);

typedef struct {
  guint max_images;
  double least_patches; /* share of the weight that patches have at least, in every module */
  gboolean bf16;
} CalibrationOptions;

/* Takes images until the source or max_images ends, and learns from the first of them how the
 * outputs of the network depend on those of its modules.
 * @network: without choices; its gates stay open; must outlive the calibration
 * Returns: (transfer full): or NULL with VITGATE_ERROR_ARGUMENT (no image, or the network's
 * output is not finite) or the source's error */
Calibration *calibration_new(Network *network, Team *team, const CalibrationOptions *options,
                             ImageSource source, gpointer data, GError **error);
void calibration_free(Calibration **calibration);

/* Measures @module's inputs on the stream's way, on all but the images for trials. */
Moments *calibration_measure(Calibration *calibration, guint module);

/* Moves the reference behind @module and measures the stream's inputs, on all images, against the
 * outputs that would bring it where the reference is. */
Moments *calibration_compare(Calibration *calibration, guint module);

/* Returns: the mean divergence of the classes of the images for trials from what they were, with
 * the weights that @module has now; the later ones are to be unchanged */
double calibration_try(Calibration *calibration, guint module);

/* Moves the stream behind @module, with the weights that the module has now; the former three leave
 * it before the module. */
void calibration_advance(Calibration *calibration, guint module);

/* The stream back to the start; only while the reference has not moved. */
void calibration_rewind(Calibration *calibration);
