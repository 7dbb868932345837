/* Sends images through a network module by module, to measure what the modules see and give. No
 * labels are needed.
 *
 * The images' tokens stay in memory and pass through the network on up to two ways: the reference
 * through every module as it was, and the stream through modules already compensated. Memory:
 * 8 n_tokens dim bytes an image. */
#pragma once

#include "train/cut/moments.h"
#include "train/network/training-pass.h"

/* Gives the next images.
 * @tensors: (out caller-allocates): [max][3][image_size][image_size]
 * Returns: how many, at most @max; 0: no more, or @error is set */
typedef guint (*ImageSource)(gpointer data, real *tensors, guint max, GError **error);

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
} Probe;

typedef struct {
  guint max_images;
  double least_patches; /* share of the weight that patches have at least, in every module */
  gboolean bf16;
} ProbeOptions;

/* Takes images until the source or max_images ends, and learns from the first of them how the
 * outputs of the network depend on those of its modules.
 * @network: without choices; its gates stay open; must outlive the probe
 * Returns: (transfer full): the probe; or NULL with VITGATE_ERROR_ARGUMENT (no image, or the
 * network's output is not finite), VITGATE_ERROR_MEMORY or the source's error */
Probe *probe_new(Network *network, Team *team, const ProbeOptions *options, ImageSource source,
                 gpointer data, GError **error);
void probe_free(Probe **probe);

/* Measures @module's inputs on the stream's way, on all but the images for trials. */
Moments *probe_measure(Probe *probe, guint module);

/* Moves the reference behind @module and measures the stream's inputs, on all images, against the
 * outputs that would bring it where the reference is. */
Moments *probe_compare(Probe *probe, guint module);

/* Returns: the mean divergence of the classes of the images for trials from what they were, with
 * the weights that @module has now; the later ones are to be unchanged */
double probe_try(Probe *probe, guint module);

/* Moves the stream behind @module, with the weights that the module has now; the former three leave
 * it before the module. */
void probe_advance(Probe *probe, guint module);

/* The stream back to the start; only while the reference has not moved. */
void probe_rewind(Probe *probe);
