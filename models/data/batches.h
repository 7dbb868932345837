/* Batches of training images. Threads prepare them in advance, so that training does not wait.
 *
 * Several processes can make a part of each batch each: the images of a part are those that it
 * would have in the whole batch. Where images are blended, that takes one photograph of the next
 * part.
 *
 * The contents of a batch depend only on the photographs, the options and the number of its first
 * draw, not on time, the number of threads or earlier draws. If a photograph cannot be used, the
 * number of the draw selects a replacement. To resume a run, use the same options and
 * batches_seek(). Only one thread may use a Batches; several Batches may share a collection. */
#pragma once

#include "data/augment.h"
#include "data/sampler.h"

/* A field that is 0 has its default. */
typedef struct {
  SamplerOptions order;
  const Augmentation
      *augmentation; /* (nullable): NULL: pre-process as in inference. Not needed after the call */
  guint batch_size;  /* images; default 32 */
  guint first, n;    /* the part of each batch to make; default: all. Not with order.once */
  guint depth;       /* batches in memory, including those in use; default 3 */
  guint threads;     /* default 1 */
} BatchesOptions;

typedef struct {
  guint n;                  /* images: of the part; fewer at the end of photographs drawn once */
  const float *tensors;     /* [n][3][image_size][image_size], normalised */
  const int *labels;        /* [n] classes of the model; -1: none */
  const guint *photographs; /* [n] numbers in the collection */
  guint64 first_draw;
  guint64 next_draw; /* argument of batches_seek() to continue after this batch */
} Batch;

typedef struct _Batches Batches;

/* Starts preparing batches from draw 0.
 * @collection: must outlive the batches
 * Returns: (transfer full): or NULL with COMMAND_ERROR_USAGE or _DATA (nothing to draw from),
 * VITGATE_ERROR_MEMORY, or G_THREAD_ERROR */
Batches *batches_new(const Collection *collection, const BatchesOptions *options, GError **error);

/* Waits for the next batch, if it is not ready.
 * Returns: (transfer full): a batch to free with batches_release(). NULL without @error after the
 * last photograph, if each is drawn once. NULL with COMMAND_ERROR_DATA if no photograph can be
 * used, _USAGE if all batches are in use, or VITGATE_ERROR_MEMORY. */
const Batch *batches_next(Batches *batches, GError **error);

/* Returns: the number of photographs to draw from */
guint batches_count(const Batches *batches);

/* Releases the memory of *@batch, which may be NULL, for reuse, and nulls it. */
void batches_release(const Batch **batch);

/* Makes the next batch start with draw number @draw. Batches in use do not change. */
void batches_seek(Batches *batches, guint64 draw);

/* Stops the threads, frees all batches, and nulls *@batches, which may be NULL. */
void batches_free(Batches **batches);

static inline void batches_cleanup(Batches *batches)
{
  batches_free(&batches);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Batches, batches_cleanup)
