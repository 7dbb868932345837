/* Runs images through a network module by module, and measures the inputs and outputs of the
 * modules. No labels are needed.
 *
 * Ranks divide the images among themselves. What is measured is that of all images, and the same on
 * all ranks.
 *
 * The images' tokens stay in memory as two copies: the reference runs through the original modules,
 * and the stream through modules already compensated. Memory: 8 n_tokens dim bytes per image. */
#pragma once

#include "base/progress.h"
#include "train/cut/moments.h"
#include "train/network/training-pass.h"

/* Supplies images.
 * @first: number of the first one, counted over all ranks
 * @tensors: (out caller-allocates): [max][3][image_size][image_size]
 * Returns: how many, at most @max; 0 if there are no more, or @error is set */
typedef guint (*ImageSource)(gpointer data, guint first, real *tensors, guint max, GError **error);

/* Modules are numbered like gates: see ATTENTION_OF() and MLP_OF(). The linear layer of a module is
 * its last one: attn.proj, whose inputs are the heads' outputs, or mlp.fc2. */
typedef struct {
  Network *network;
  Team *team;
  TrainingPass *pass;
  guint n_tokens;
  guint n_images; /* of this rank */
  guint n_trials; /* of those, for trials: the last ones, not used for ranking units */
  guint all_images, all_trials; /* of all ranks */
  real *reference, *stream;     /* [n_images][n_tokens][dim] */
  real *logits;                 /* [n_images][n_classes] of the original network */
  double *token_weights;        /* [2 depth][2] of a class or distillation token; of a patch */
  double *metrics;    /* [2 depth][dim][dim] cost of a module's output error; trace: dim */
  Progress *progress; /* (nullable): updated while modules run */
  double work;        /* done in the phase, for the progress */
} Probe;

typedef struct {
  guint max_images;     /* several ranks expect that many from the source */
  double least_patches; /* minimum share of the weight that patches have in every module */
  gboolean bf16;
} ProbeOptions;

/* Reads images until the source ends or there are max_images. Measures on the first of them how the
 * outputs of the network depend on those of its modules.
 * @network: without choices; its gates stay open; must outlive the probe
 * Returns: (transfer full): the probe; or NULL with VITGATE_ERROR_ARGUMENT (no images, or the
 * network's output is not finite), VITGATE_ERROR_MEMORY or the source's error */
Probe *probe_new(Network *network, Team *team, const ProbeOptions *options, ImageSource source,
                 gpointer data, GError **error);
void probe_free(Probe **probe);

/* Measures @module's inputs in the stream, on all images except those for trials.
 * Returns: (transfer full): the moments */
Moments *probe_measure(Probe *probe, guint module);

/* Moves the reference past @module. Then measures the stream's inputs and the outputs that would
 * bring the stream to the reference, on all images.
 * Returns: (transfer full): the moments */
Moments *probe_compare(Probe *probe, guint module);

/* Measures the effect of @module's current weights on the images for trials. All later modules must
 * be unchanged.
 * Returns: the mean divergence of the images' classes from the original ones */
double probe_try(Probe *probe, guint module);

/* Moves the stream past @module, with the module's current weights. The three functions above leave
 * the stream before the module. */
void probe_advance(Probe *probe, guint module);

/* Estimate what the functions above add to the probe's work if @module is ranked or compensated.
 * @n_tries: calls of probe_try() */
double probe_ranking_work(const Probe *probe, guint module, guint n_tries);
double probe_compensation_work(const Probe *probe, guint module);

/* Moves the stream back to the start. Call it only while the reference has not moved. */
void probe_rewind(Probe *probe);
