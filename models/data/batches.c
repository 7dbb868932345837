#include "data/batches.h"

#include <string.h>

#include "base/command-error.h"
#include "data/decode.h"

#define DEFAULT_BATCH   32
#define DEFAULT_DEPTH   3
#define DEFAULT_THREADS 1

/* Maximum values of options. */
#define MAX_BATCH   65536
#define MAX_DEPTH   1024
#define MAX_THREADS 64

/* Purposes of random numbers. The sampler has its own. */
enum { AUGMENTING = 100, BLENDING = 102 };

typedef enum { FREE, FILLING, READY, IN_USE } SlotState;

/* Memory of one batch. */
typedef struct {
  Batch batch; /* must be first: batches_release() casts it to its slot */
  Batches *batches;
  SlotState state;
  guint n_rows; /* images to make; batch.n and perhaps one to blend with */
  guint n_done; /* finished images */
  float *tensors;
  int *labels;
  guint *photographs;
  guint8 *usable; /* [n_rows] */
} Slot;

struct _Batches {
  const Collection *collection;
  Sampler *sampler;
  Augmentation augmentation;
  gboolean augmented, once;
  guint64 seed;
  guint batch_size, depth, n_threads;
  BatchSlice slice; /* of each batch */
  guint n_rows; /* images made for each batch: those of the slice and perhaps one to blend with */
  guint64 n_draws; /* total */
  gsize tensor_length;
  GThread **threads;
  gint stopping; /* atomic */

  GMutex lock;       /* protects all members below and the slots' states and counts */
  GCond work;        /* there may be an image to make */
  GCond done;        /* a batch is ready, a thread idle, or something failed */
  Slot *slots;       /* [depth] */
  Slot *open;        /* slot of the batch whose images threads are claiming */
  guint64 start;     /* first draw after the last seek */
  guint64 claimed;   /* images claimed by threads since then */
  guint64 delivered; /* batches delivered since then */
  guint n_busy;      /* images being made */
  gboolean paused, any_usable;
  GError *error;
};

typedef struct {
  Slot *slot;
  guint row;
  guint64 draw;
} Task;

/* Returns: (nullable): a slot in that state. If it is not free, it holds the batch that starts with
 * @draw. */
static Slot *find_slot(const Batches *batches, SlotState state, guint64 draw)
{
  for (guint i = 0; i < batches->depth; i++) {
    Slot *slot = &batches->slots[i];
    if (slot->state == state && (state == FREE || slot->batch.first_draw == draw))
      return slot;
  }
  return NULL;
}

static void fail(Batches *batches, GError *error)
{
  g_mutex_lock(&batches->lock);
  if (batches->error)
    g_error_free(error);
  else
    batches->error = error;
  g_mutex_unlock(&batches->lock);
}

static gboolean convert(const Batches *batches, ImageConverter *converter, float *tensor,
                        guint64 draw, const GdkPixbuf *pixels, GError **error)
{
  const VitgateImage image = decode_as_image(pixels);
  if (!batches->augmented)
    return vitgate__image_convert(converter, tensor, &image, error);
  Random random = { random_key(batches->seed, AUGMENTING, draw) };
  const Variation variation =
      augmentation_draw(&batches->augmentation, &random, image.width, image.height);
  const ImageView view = variation_view(&variation, &image);
  return vitgate__image_convert_view(converter, tensor, &image, &view, error);
}

/* Makes one image from the photograph of its draw or the first usable replacement. */
static void make_image(Batches *batches, ImageConverter *converter, const Task *task)
{
  Slot *slot = task->slot;
  const guint n_attempts = batches->once ? 1 : 1 + sampler_count(batches->sampler);
  slot->usable[task->row] = FALSE;
  for (guint attempt = 0; attempt < n_attempts; attempt++) {
    if (g_atomic_int_get(&batches->stopping))
      return;
    const guint number = sampler_get(batches->sampler, task->draw, attempt);
    g_autoptr(GdkPixbuf) pixels = collection_load(batches->collection, number, !batches->augmented);
    if (!pixels)
      continue;
    GError *error = NULL;
    float *tensor = slot->tensors + task->row * batches->tensor_length;
    if (!convert(batches, converter, tensor, task->draw, pixels, &error)) {
      fail(batches, error);
      return;
    }
    slot->photographs[task->row] = number;
    slot->labels[task->row] = collection_get(batches->collection, number)->label;
    slot->usable[task->row] = TRUE;
    return;
  }
  if (!batches->once)
    fail(batches,
         g_error_new(COMMAND_ERROR, COMMAND_ERROR_DATA, "none of the %u photographs can be used",
                     sampler_count(batches->sampler)));
}

/* Starts the batch of @draw. The caller holds the lock.
 * Returns: FALSE if no slot is free */
static gboolean open_slot(Batches *batches, guint64 draw)
{
  Slot *slot = find_slot(batches, FREE, 0);
  if (!slot)
    return FALSE;
  slot->state = FILLING;
  slot->n_done = 0;
  slot->n_rows = (guint)MIN(batches->n_rows, batches->n_draws - draw);
  slot->batch.n = MIN(slot->n_rows, batches->slice.n);
  slot->batch.first_draw = draw;
  slot->batch.next_draw = draw + MIN(batches->batch_size, batches->n_draws - draw);
  batches->open = slot;
  return TRUE;
}

/* Claims the next image. The caller holds the lock.
 * Returns: FALSE if there is none at the moment */
static gboolean claim(Batches *batches, Task *task)
{
  if (batches->paused || batches->error || batches->claimed >= batches->n_draws - batches->start)
    return FALSE;
  const guint row = (guint)(batches->claimed % batches->n_rows);
  const guint64 first_draw =
      batches->start + batches->claimed / batches->n_rows * batches->batch_size;
  if (row == 0 && !open_slot(batches, first_draw))
    return FALSE;
  *task =
      (Task){ batches->open, row, first_draw + (batches->slice.first + row) % batches->batch_size };
  batches->claimed++;
  batches->n_busy++;
  return TRUE;
}

static gpointer make_images(gpointer data)
{
  Batches *batches = data;
  ImageConverter *converter = vitgate__image_converter_new(batches->collection->image_size,
                                                           &batches->collection->preprocessing);
  g_mutex_lock(&batches->lock);
  while (!g_atomic_int_get(&batches->stopping)) {
    Task task;
    if (!claim(batches, &task)) {
      g_cond_wait(&batches->work, &batches->lock);
      continue;
    }
    g_mutex_unlock(&batches->lock);
    make_image(batches, converter, &task);
    g_mutex_lock(&batches->lock);
    if (++task.slot->n_done == task.slot->n_rows)
      task.slot->state = READY;
    batches->n_busy--;
    g_cond_signal(&batches->done);
  }
  g_mutex_unlock(&batches->lock);
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

static gboolean check_slice(const BatchesOptions *o, GError **error)
{
  const guint size = o->batch_size ? o->batch_size : DEFAULT_BATCH;
  return (!o->first && !o->n) ||
         (o->n && o->n <= size && o->first <= size - o->n && !o->order.once) ||
         command_fail(error, "a part of %u images from %u on is not part of a batch of %u", o->n,
                      o->first, size);
}

/* Returns: the number of images to make for each batch, with the one that the last is blended
 * with */
static guint count_rows(const Batches *batches)
{
  const gboolean next = batches->augmentation.mixup > 0 && batches->slice.n < batches->batch_size;
  return batches->slice.n + next;
}

static gboolean check_options(const BatchesOptions *options, GError **error)
{
  return check_number("images in a batch", options->batch_size, MAX_BATCH, error) &&
         check_number("batches in memory", options->depth, MAX_DEPTH, error) &&
         check_number("threads", options->threads, MAX_THREADS, error) &&
         check_slice(options, error) &&
         (!options->augmentation || augmentation_check(options->augmentation, error));
}

static gboolean make_slots(Batches *batches, GError **error)
{
  const gsize n = batches->n_rows;
  batches->slots = g_new0(Slot, batches->depth);
  for (guint i = 0; i < batches->depth; i++) {
    Slot *slot = &batches->slots[i];
    slot->batches = batches;
    slot->tensors = g_try_malloc_n(n, batches->tensor_length * sizeof(float));
    slot->labels = g_new(int, n);
    slot->photographs = g_new(guint, n);
    slot->usable = g_new(guint8, n);
    slot->batch = (Batch){ .tensors = slot->tensors,
                           .labels = slot->labels,
                           .photographs = slot->photographs };
    if (!slot->tensors) {
      g_set_error(error, VITGATE_ERROR, VITGATE_ERROR_MEMORY,
                  "out of memory for %u batches of %u images", batches->depth, batches->batch_size);
      return FALSE;
    }
  }
  return TRUE;
}

static gboolean start_threads(Batches *batches, guint n, GError **error)
{
  batches->threads = g_new0(GThread *, n);
  for (guint i = 0; i < n; i++) {
    batches->threads[i] = g_thread_try_new("vitgate-batches", make_images, batches, error);
    if (!batches->threads[i])
      return FALSE;
    batches->n_threads++;
  }
  return TRUE;
}

Batches *batches_new(const Collection *collection, const BatchesOptions *options, GError **error)
{
  if (!check_options(options, error))
    return NULL;
  g_autoptr(Batches) batches = g_new0(Batches, 1);
  g_mutex_init(&batches->lock);
  g_cond_init(&batches->work);
  g_cond_init(&batches->done);
  batches->collection = collection;
  batches->batch_size = options->batch_size ? options->batch_size : DEFAULT_BATCH;
  batches->depth = options->depth ? options->depth : DEFAULT_DEPTH;
  batches->seed = options->order.seed;
  batches->once = options->order.once;
  batches->augmented = options->augmentation != NULL;
  if (options->augmentation)
    batches->augmentation = *options->augmentation;
  batches->slice = (BatchSlice){ options->first, options->n ? options->n : batches->batch_size,
                                 batches->batch_size };
  batches->n_rows = count_rows(batches);
  batches->tensor_length = (gsize)3 * collection->image_size * collection->image_size;
  batches->sampler = sampler_new(collection, &options->order, error);
  if (!batches->sampler || !make_slots(batches, error))
    return NULL;
  batches->n_draws = batches->once ? sampler_count(batches->sampler) : G_MAXUINT64;
  const guint n_threads = options->threads ? options->threads : DEFAULT_THREADS;
  return start_threads(batches, n_threads, error) ? g_steal_pointer(&batches) : NULL;
}

/* Closes the gaps left by photographs that cannot be used. */
static void close_gaps(Slot *slot)
{
  const gsize length = slot->batches->tensor_length;
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

/* Returns whether the caller of batches_next() holds every batch. */
static gboolean all_in_use(const Batches *batches)
{
  for (guint i = 0; i < batches->depth; i++)
    if (batches->slots[i].state != IN_USE)
      return FALSE;
  return TRUE;
}

/* Waits for the slot of the next batch. The caller holds the lock.
 * Returns: (nullable): like batches_next() */
static Slot *wait_for_slot(Batches *batches, GError **error)
{
  const guint64 draw = batches->start + batches->delivered * batches->batch_size;
  Slot *slot = NULL;
  if (all_in_use(batches)) {
    g_set_error(error, COMMAND_ERROR, COMMAND_ERROR_USAGE, "all %u batches are in use",
                batches->depth);
    return NULL;
  }
  while (!batches->error && !(slot = find_slot(batches, READY, draw)))
    g_cond_wait(&batches->done, &batches->lock);
  if (batches->error) {
    g_propagate_error(error, g_error_copy(batches->error));
    return NULL;
  }
  slot->state = IN_USE;
  batches->delivered++;
  close_gaps(slot);
  batches->any_usable |= slot->batch.n > 0;
  return slot;
}

static void free_slot(Slot *slot)
{
  slot->state = FREE;
  g_cond_broadcast(&slot->batches->work);
}

/* Like batches_next(). The caller holds the lock. */
static Slot *take_slot(Batches *batches, GError **error)
{
  while (batches->delivered * batches->batch_size < batches->n_draws - batches->start) {
    Slot *slot = wait_for_slot(batches, error);
    if (!slot || slot->batch.n > 0)
      return slot;
    free_slot(slot);
  }
  if (batches->start == 0 && !batches->any_usable)
    g_set_error(error, COMMAND_ERROR, COMMAND_ERROR_DATA, "none of the %u photographs can be used",
                sampler_count(batches->sampler));
  return NULL;
}

static BatchSlice slice_of(const Slot *slot)
{
  const BatchSlice slice = slot->batches->slice;
  return slot->batches->once ? (BatchSlice){ 0, slot->batch.n, slot->batch.n } : slice;
}

const Batch *batches_next(Batches *batches, GError **error)
{
  g_mutex_lock(&batches->lock);
  Slot *slot = take_slot(batches, error);
  g_mutex_unlock(&batches->lock);
  if (!slot)
    return NULL;
  Random random = { random_key(batches->seed, BLENDING, slot->batch.first_draw) };
  if (batches->augmented)
    augmentation_blend(&batches->augmentation, &random, slot->tensors, slot->labels, slice_of(slot),
                       batches->tensor_length);
  return &slot->batch;
}

guint batches_count(const Batches *batches)
{
  return sampler_count(batches->sampler);
}

void batches_release(const Batch **batch)
{
  Slot *slot = (Slot *)g_steal_pointer(batch);
  if (!slot)
    return;
  g_mutex_lock(&slot->batches->lock);
  free_slot(slot);
  g_mutex_unlock(&slot->batches->lock);
}

void batches_seek(Batches *batches, guint64 draw)
{
  g_mutex_lock(&batches->lock);
  batches->paused = TRUE;
  while (batches->n_busy)
    g_cond_wait(&batches->done, &batches->lock);
  for (guint i = 0; i < batches->depth; i++)
    if (batches->slots[i].state != IN_USE)
      batches->slots[i].state = FREE;
  batches->start = MIN(draw, batches->n_draws);
  batches->claimed = batches->delivered = 0;
  batches->paused = FALSE;
  g_cond_broadcast(&batches->work);
  g_mutex_unlock(&batches->lock);
}

static void free_slots(Batches *batches)
{
  for (guint i = 0; batches->slots && i < batches->depth; i++) {
    g_free(batches->slots[i].tensors);
    g_free(batches->slots[i].labels);
    g_free(batches->slots[i].photographs);
    g_free(batches->slots[i].usable);
  }
  g_free(batches->slots);
}

void batches_free(Batches **batches)
{
  Batches *freeing = g_steal_pointer(batches);
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
