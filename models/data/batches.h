/* Batches of training images, made ahead of their use in threads of their own, so that training
 * finds the next one ready.
 *
 * What a batch holds depends on the photographs, the options and the number of its first draw
 * alone, not on time, on the number of threads, or on what was drawn before: a photograph that
 * cannot be used is replaced by another that the draw's number chooses. A run is resumed with the
 * same options and batches_seek(). One thread uses a Batches; several may share a collection. */
#pragma once

#include "data/augment.h"
#include "data/sampler.h"

/* A field that is 0 takes its default. */
typedef struct {
  SamplerOptions order;
  const Augmentation *augmentation; /* (nullable): NULL: pre-processing as in use. Not needed after
                                       the call */
  guint batch_size;                 /* images; default 32 */
  guint depth;                      /* batches in memory, those in use included; default 3 */
  guint threads;                    /* default 1 */
} BatchesOptions;

typedef struct {
  guint n;                  /* images: batch_size, but for photographs that are drawn once */
  const float *tensors;     /* [n][3][image_size][image_size], normalised */
  const int *labels;        /* [n] classes of the model; -1: none */
  const guint *photographs; /* [n] numbers in the collection */
  guint64 first_draw;
  guint64 next_draw; /* where to seek to, to go on behind this batch */
} Batch;

typedef struct _Batches Batches;

/* Starts making batches from draw 0.
 * @collection: must outlive the batches
 * Returns: (transfer full): or NULL with COMMAND_ERROR_USAGE or _DATA (nothing to draw from),
 * VITGATE_ERROR_MEMORY, or G_THREAD_ERROR */
Batches *batches_new(const Collection *collection, const BatchesOptions *options, GError **error);

/* Waits for the next batch, if it is not ready.
 * Returns: (transfer full): for batches_release(), or NULL: without @error, behind the last
 * photograph of those drawn once; with COMMAND_ERROR_DATA where no photograph can be used, _USAGE
 * where all batches are in use already, or VITGATE_ERROR_MEMORY */
const Batch *batches_next(Batches *batches, GError **error);

/* Returns: photographs to draw from */
guint batches_count(const Batches *batches);

/* Gives the memory of *@batch, which may be NULL, back for another one. Nulls it. */
void batches_release(const Batch **batch);

/* The next batch will begin with draw number @draw. Batches in use stay as they are. */
void batches_seek(Batches *batches, guint64 draw);

/* Ends the threads and frees all batches. Nulls *@batches, which may be NULL. */
void batches_free(Batches **batches);

static inline void batches_cleanup(Batches *batches)
{
  batches_free(&batches);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Batches, batches_cleanup)
