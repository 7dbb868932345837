#include "train/cut/static-cut.h"

#include <string.h>

#include "data/batches.h"
#include "train/cut/compensation.h"
#include "train/cut/cut.h"

typedef struct {
  Samples *samples;
  const Batch *batch;
  guint used; /* images of the batch */
  gsize pixels;
} Source;

static guint next_images(gpointer data, real *tensors, guint max, GError **error)
{
  Source *source = data;
  if (!source->batch && !(source->batch = samples_next(source->samples, error)))
    return 0;
  const guint n = MIN(max, source->batch->n - source->used);
  memcpy(tensors, source->batch->tensors + source->used * source->pixels,
         n * source->pixels * sizeof(real));
  source->used += n;
  if (source->used == source->batch->n) {
    samples_release(&source->batch);
    source->used = 0;
  }
  return n;
}

Ranking **static_cut_rank(Network *network, Team *team, const Collection *collection,
                          const StaticCutOptions *options, Calibration **calibration,
                          GError **error)
{
  const guint size = network->description->image_size;
  const SamplesOptions order = { .order = { .part = SAMPLER_TRAINING,
                                            .seed = 1,
                                            .weights = options->weights,
                                            .n_weights = options->n_weights } };
  g_autoptr(Samples) samples = samples_new(collection, &order, error);
  if (!samples)
    return NULL;
  Source source = { .samples = samples, .pixels = (gsize)3 * size * size };
  const CalibrationOptions how = { .max_images = options->max_images,
                                   .least_patches = 0.6,
                                   .bf16 = options->bf16 };
  *calibration = calibration_new(network, team, &how, next_images, &source, error);
  samples_release(&source.batch);
  if (!*calibration)
    return NULL;
  Ranking **rankings = rankings_new(*calibration, options->ridge, error);
  if (!rankings)
    calibration_free(calibration);
  return rankings;
}

Network *static_cut_apply(Calibration *calibration, Ranking **rankings, const BlockShape *shapes,
                          double ridge, Description **description, GError **error)
{
  if (!compensate_network(calibration, rankings, shapes, ridge, error))
    return NULL;
  const Network *network = calibration->network;
  return cut_network(network, rankings, shapes, network->description->name, description);
}
