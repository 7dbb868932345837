#include "train/cut/static-cut.h"

#include <string.h>

#include "base/ranks.h"
#include "data/batches.h"
#include "train/cut/compensation.h"
#include "train/cut/cut.h"
#include "train/cut/importance.h"

typedef struct {
  Batches *batches;
  const Batch *batch;
  guint next; /* number of the next image in or after the batch */
  gsize pixels;
} BatchImages;

/* Images have the numbers of their draws. */
static guint give_images(gpointer data, guint first, real *tensors, guint max, GError **error)
{
  BatchImages *images = data;
  if (images->next != first) {
    batches_release(&images->batch);
    batches_seek(images->batches, first);
    images->next = first;
  }
  if (!images->batch && !(images->batch = batches_next(images->batches, error)))
    return 0;
  const guint used = first - (guint)images->batch->first_draw;
  const guint n = MIN(max, images->batch->n - used);
  memcpy(tensors, images->batch->tensors + used * images->pixels,
         n * images->pixels * sizeof(real));
  images->next += n;
  if (used + n == images->batch->n)
    batches_release(&images->batch);
  return n;
}

/* Returns: images in a batch, so that few are read in vain before and after a rank's own ones */
static guint batch_size(guint n_images)
{
  return CLAMP(n_images / ranks_count(), 1, 32);
}

Ranking **static_cut_rank(Network *network, Team *team, const Collection *collection,
                          const StaticCutOptions *options, Probe **probe, GError **error)
{
  const guint size = network->description->image_size;
  const BatchesOptions order = { .order = { .part = SAMPLER_TRAINING,
                                            .seed = 1,
                                            .weights = options->weights,
                                            .n_weights = options->n_weights },
                                 .batch_size = batch_size(options->max_images),
                                 .threads = options->threads };
  g_autoptr(Batches) batches = batches_new(collection, &order, error);
  if (!batches)
    return NULL;
  BatchImages images = { .batches = batches, .pixels = (gsize)3 * size * size };
  const ProbeOptions how = { .max_images = MIN(options->max_images, batches_count(batches)),
                             .least_patches = 0.6,
                             .bf16 = options->bf16 };
  *probe = probe_new(network, team, &how, give_images, &images, error);
  batches_release(&images.batch);
  if (!*probe)
    return NULL;
  Ranking **rankings = rankings_new(*probe, options->ridge, error);
  if (!rankings)
    probe_free(probe);
  return rankings;
}

Network *static_cut_apply(Probe *probe, Ranking **rankings, const BlockShape *shapes, double ridge,
                          Description **description, GError **error)
{
  if (!compensate_network(probe, rankings, shapes, ridge, error))
    return NULL;
  const Network *network = probe->network;
  return cut_network(network, rankings, shapes, network->description->name, description);
}
