#include "data/batches.h"

#include <string.h>

#include "base/command-error.h"
#include "data/decode.h"

#define DEFAULT_BATCH   32
#define DEFAULT_DEPTH   3
#define DEFAULT_THREADS 1

/* Bounds on what a caller may ask for. */
#define MAX_BATCH   65536
#define MAX_DEPTH   1024
#define MAX_THREADS 64

/* The purposes of random numbers, apart from those of the sampler. */
enum { AUGMENTING = 100, BLENDING = 102 };

typedef enum { FREE, FILLING, READY, IN_USE } SlotState;

/* Memory of one batch. */
typedef struct {
  Batch batch; /* the first member: samples_release() finds the slot by it */
  Samples *samples;
  SlotState state;
  guint n_done; /* of batch.n images */
  float *tensors;
  int *labels;
  guint *photographs;
  guint8 *usable; /* [batch_size] */
} Slot;

struct _Samples {
  const Collection *collection;
  Sampler *sampler;
  Augmentation augmentation;
  gboolean augmented, once;
  guint64 seed;
  guint batch_size, depth, n_threads;
  guint64 n_draws; /* in all */
  gsize tensor_length;
  GThread **threads;
  gint stopping; /* atomic */

  GMutex lock;       /* of all below and of the slots' states and counts */
  GCond work;        /* there may be an image to make */
  GCond done;        /* a batch is ready, a thread idle, or something failed */
  Slot *slots;       /* [depth] */
  Slot *open;        /* of the batch whose images are being taken on */
  guint64 start;     /* the draw that the first batch after the last seek begins with */
  guint64 claimed;   /* draws since then that threads have taken on */
  guint64 delivered; /* batches since then that were handed over */
  guint n_busy;      /* images being made */
  gboolean paused, any_usable;
  GError *error;
};

typedef struct {
  Slot *slot;
  guint row;
  guint64 draw;
} Task;

/* Returns: (nullable): a slot in that state, and of the batch that begins with @draw if it is not
 * free */
static Slot *find_slot(const Samples *samples, SlotState state, guint64 draw)
{
  for (guint i = 0; i < samples->depth; i++) {
    Slot *slot = &samples->slots[i];
    if (slot->state == state && (state == FREE || slot->batch.first_draw == draw))
      return slot;
  }
  return NULL;
}

static void fail(Samples *samples, GError *error)
{
  g_mutex_lock(&samples->lock);
  if (samples->error)
    g_error_free(error);
  else
    samples->error = error;
  g_mutex_unlock(&samples->lock);
}

static gboolean convert(const Samples *samples, ImageConverter *converter, float *tensor,
                        guint64 draw, const GdkPixbuf *pixels, GError **error)
{
  const VitgateImage image = decode_as_image(pixels);
  if (!samples->augmented)
    return vitgate__image_convert(converter, tensor, &image, error);
  Random random = { random_key(samples->seed, AUGMENTING, draw) };
  const Variation variation =
      augmentation_draw(&samples->augmentation, &random, image.width, image.height);
  const ImageView view = variation_view(&variation, &image);
  return vitgate__image_convert_view(converter, tensor, &image, &view, error);
}

/* Makes one image, of the photograph of its draw or the first replacement that can be used. */
static void make_image(Samples *samples, ImageConverter *converter, const Task *task)
{
  Slot *slot = task->slot;
  const guint n_attempts = samples->once ? 1 : 1 + sampler_count(samples->sampler);
  slot->usable[task->row] = FALSE;
  for (guint attempt = 0; attempt < n_attempts; attempt++) {
    if (g_atomic_int_get(&samples->stopping))
      return;
    const guint number = sampler_get(samples->sampler, task->draw, attempt);
    g_autoptr(GdkPixbuf) pixels = collection_load(samples->collection, number, !samples->augmented);
    if (!pixels)
      continue;
    GError *error = NULL;
    float *tensor = slot->tensors + task->row * samples->tensor_length;
    if (!convert(samples, converter, tensor, task->draw, pixels, &error)) {
      fail(samples, error);
      return;
    }
    slot->photographs[task->row] = number;
    slot->labels[task->row] = collection_get(samples->collection, number)->label;
    slot->usable[task->row] = TRUE;
    return;
  }
  if (!samples->once)
    fail(samples,
         g_error_new(COMMAND_ERROR, COMMAND_ERROR_DATA, "none of the %u photographs can be used",
                     sampler_count(samples->sampler)));
}

/* Begins the batch of @draw, under the lock.
 * Returns: FALSE where all memory holds other batches */
static gboolean open_slot(Samples *samples, guint64 draw)
{
  Slot *slot = find_slot(samples, FREE, 0);
  if (!slot)
    return FALSE;
  slot->state = FILLING;
  slot->n_done = 0;
  slot->batch.n = (guint)MIN(samples->batch_size, samples->n_draws - draw);
  slot->batch.first_draw = draw;
  slot->batch.next_draw = draw + slot->batch.n;
  samples->open = slot;
  return TRUE;
}

/* Takes the next image on, under the lock.
 * Returns: FALSE where there is none for now */
static gboolean claim(Samples *samples, Task *task)
{
  if (samples->paused || samples->error || samples->claimed >= samples->n_draws - samples->start)
    return FALSE;
  const guint row = (guint)(samples->claimed % samples->batch_size);
  const guint64 draw = samples->start + samples->claimed;
  if (row == 0 && !open_slot(samples, draw))
    return FALSE;
  *task = (Task){ samples->open, row, draw };
  samples->claimed++;
  samples->n_busy++;
  return TRUE;
}

static gpointer make_images(gpointer data)
{
  Samples *samples = data;
  ImageConverter *converter = vitgate__image_converter_new(samples->collection->image_size,
                                                           &samples->collection->preprocessing);
  g_mutex_lock(&samples->lock);
  while (!g_atomic_int_get(&samples->stopping)) {
    Task task;
    if (!claim(samples, &task)) {
      g_cond_wait(&samples->work, &samples->lock);
      continue;
    }
    g_mutex_unlock(&samples->lock);
    make_image(samples, converter, &task);
    g_mutex_lock(&samples->lock);
    if (++task.slot->n_done == task.slot->batch.n)
      task.slot->state = READY;
    samples->n_busy--;
    g_cond_signal(&samples->done);
  }
  g_mutex_unlock(&samples->lock);
  vitgate__image_converter_free(&converter);
  return NULL;
}

static gboolean check_number(const char *what, guint value, guint most, GError **error)
{
  if (value <= most)
    return TRUE;
  g_set_error(error, COMMAND_ERROR, COMMAND_ERROR_USAGE, "%u %s, expected at most %u", value, what,
              most);
  return FALSE;
}

static gboolean check_options(const SamplesOptions *options, GError **error)
{
  return check_number("images in a batch", options->batch_size, MAX_BATCH, error) &&
         check_number("batches in memory", options->depth, MAX_DEPTH, error) &&
         check_number("threads", options->threads, MAX_THREADS, error) &&
         (!options->augmentation || augmentation_check(options->augmentation, error));
}

static gboolean make_slots(Samples *samples, GError **error)
{
  const gsize n = samples->batch_size;
  samples->slots = g_new0(Slot, samples->depth);
  for (guint i = 0; i < samples->depth; i++) {
    Slot *slot = &samples->slots[i];
    slot->samples = samples;
    slot->tensors = g_try_malloc_n(n, samples->tensor_length * sizeof(float));
    slot->labels = g_new(int, n);
    slot->photographs = g_new(guint, n);
    slot->usable = g_new(guint8, n);
    slot->batch = (Batch){ .tensors = slot->tensors,
                           .labels = slot->labels,
                           .photographs = slot->photographs };
    if (!slot->tensors) {
      g_set_error(error, VITGATE_ERROR, VITGATE_ERROR_MEMORY,
                  "no memory for %u batches of %u images", samples->depth, samples->batch_size);
      return FALSE;
    }
  }
  return TRUE;
}

static gboolean start_threads(Samples *samples, guint n, GError **error)
{
  samples->threads = g_new0(GThread *, n);
  for (guint i = 0; i < n; i++) {
    samples->threads[i] = g_thread_try_new("vitgate-samples", make_images, samples, error);
    if (!samples->threads[i])
      return FALSE;
    samples->n_threads++;
  }
  return TRUE;
}

Samples *samples_new(const Collection *collection, const SamplesOptions *options, GError **error)
{
  if (!check_options(options, error))
    return NULL;
  g_autoptr(Samples) samples = g_new0(Samples, 1);
  g_mutex_init(&samples->lock);
  g_cond_init(&samples->work);
  g_cond_init(&samples->done);
  samples->collection = collection;
  samples->batch_size = options->batch_size ? options->batch_size : DEFAULT_BATCH;
  samples->depth = options->depth ? options->depth : DEFAULT_DEPTH;
  samples->seed = options->order.seed;
  samples->once = options->order.once;
  samples->augmented = options->augmentation != NULL;
  if (options->augmentation)
    samples->augmentation = *options->augmentation;
  samples->tensor_length = (gsize)3 * collection->image_size * collection->image_size;
  samples->sampler = sampler_new(collection, &options->order, error);
  if (!samples->sampler || !make_slots(samples, error))
    return NULL;
  samples->n_draws = samples->once ? sampler_count(samples->sampler) : G_MAXUINT64;
  const guint n_threads = options->threads ? options->threads : DEFAULT_THREADS;
  return start_threads(samples, n_threads, error) ? g_steal_pointer(&samples) : NULL;
}

/* Closes the gaps that photographs leave which cannot be used. */
static void close_gaps(Slot *slot)
{
  const gsize length = slot->samples->tensor_length;
  guint kept = 0;
  for (guint i = 0; i < slot->batch.n; i++) {
    if (!slot->usable[i])
      continue;
    if (kept < i) {
      memcpy(slot->tensors + kept * length, slot->tensors + i * length, length * sizeof(float));
      slot->labels[kept] = slot->labels[i];
      slot->photographs[kept] = slot->photographs[i];
    }
    kept++;
  }
  slot->batch.n = kept;
}

/* Whether the caller of samples_next() keeps every batch to itself. */
static gboolean all_in_use(const Samples *samples)
{
  for (guint i = 0; i < samples->depth; i++)
    if (samples->slots[i].state != IN_USE)
      return FALSE;
  return TRUE;
}

/* Waits for the slot of the next batch, under the lock.
 * Returns: (nullable): as samples_next() */
static Slot *wait_for_slot(Samples *samples, GError **error)
{
  const guint64 draw = samples->start + samples->delivered * samples->batch_size;
  Slot *slot = NULL;
  if (all_in_use(samples)) {
    g_set_error(error, COMMAND_ERROR, COMMAND_ERROR_USAGE, "all %u batches are in use",
                samples->depth);
    return NULL;
  }
  while (!samples->error && !(slot = find_slot(samples, READY, draw)))
    g_cond_wait(&samples->done, &samples->lock);
  if (samples->error) {
    g_propagate_error(error, g_error_copy(samples->error));
    return NULL;
  }
  slot->state = IN_USE;
  samples->delivered++;
  close_gaps(slot);
  samples->any_usable |= slot->batch.n > 0;
  return slot;
}

static void free_slot(Slot *slot)
{
  slot->state = FREE;
  g_cond_broadcast(&slot->samples->work);
}

/* As samples_next(), under the lock. */
static Slot *take_slot(Samples *samples, GError **error)
{
  while (samples->delivered * samples->batch_size < samples->n_draws - samples->start) {
    Slot *slot = wait_for_slot(samples, error);
    if (!slot || slot->batch.n > 0)
      return slot;
    free_slot(slot);
  }
  if (samples->start == 0 && !samples->any_usable)
    g_set_error(error, COMMAND_ERROR, COMMAND_ERROR_DATA, "none of the %u photographs can be used",
                sampler_count(samples->sampler));
  return NULL;
}

const Batch *samples_next(Samples *samples, GError **error)
{
  g_mutex_lock(&samples->lock);
  Slot *slot = take_slot(samples, error);
  g_mutex_unlock(&samples->lock);
  if (!slot)
    return NULL;
  Random random = { random_key(samples->seed, BLENDING, slot->batch.first_draw) };
  if (samples->augmented)
    augmentation_blend(&samples->augmentation, &random, slot->tensors, slot->labels, slot->batch.n,
                       samples->tensor_length);
  return &slot->batch;
}

void samples_release(const Batch **batch)
{
  Slot *slot = (Slot *)g_steal_pointer(batch);
  if (!slot)
    return;
  g_mutex_lock(&slot->samples->lock);
  free_slot(slot);
  g_mutex_unlock(&slot->samples->lock);
}

void samples_seek(Samples *samples, guint64 draw)
{
  g_mutex_lock(&samples->lock);
  samples->paused = TRUE;
  while (samples->n_busy)
    g_cond_wait(&samples->done, &samples->lock);
  for (guint i = 0; i < samples->depth; i++)
    if (samples->slots[i].state != IN_USE)
      samples->slots[i].state = FREE;
  samples->start = MIN(draw, samples->n_draws);
  samples->claimed = samples->delivered = 0;
  samples->paused = FALSE;
  g_cond_broadcast(&samples->work);
  g_mutex_unlock(&samples->lock);
}

static void free_slots(Samples *samples)
{
  for (guint i = 0; samples->slots && i < samples->depth; i++) {
    g_free(samples->slots[i].tensors);
    g_free(samples->slots[i].labels);
    g_free(samples->slots[i].photographs);
    g_free(samples->slots[i].usable);
  }
  g_free(samples->slots);
}

void samples_free(Samples **samples)
{
  Samples *freeing = g_steal_pointer(samples);
  if (!freeing)
    return;
  g_mutex_lock(&freeing->lock);
  g_atomic_int_set(&freeing->stopping, TRUE);
  g_cond_broadcast(&freeing->work);
  g_mutex_unlock(&freeing->lock);
  for (guint i = 0; i < freeing->n_threads; i++)
    g_thread_join(freeing->threads[i]);
  g_free(freeing->threads);
  free_slots(freeing);
  sampler_free(&freeing->sampler);
  g_clear_error(&freeing->error);
  g_mutex_clear(&freeing->lock);
  g_cond_clear(&freeing->work);
  g_cond_clear(&freeing->done);
  g_free(freeing);
}
