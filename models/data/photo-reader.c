#include "data/photo-reader.h"

#include "data/decode.h"

/* What may wait: enough for a large batch of usual photographs, and not without bound for huge
 * ones. One sample may always wait, whatever its size. */
#define MAX_WAITING ((guint)64)
#define MAX_BYTES   ((gsize)256 << 20)

struct _Loader {
  const Dataset *dataset;
  guint *order;
  guint n;
  GThread *thread;
  GMutex lock; /* of all below */
  GCond changed;
  GQueue ready; /* (element-type Sample) */
  gsize ready_bytes;
  gboolean finished, cancelled;
};

static gsize sample_bytes(const Sample *sample)
{
  return sample->pixels ? gdk_pixbuf_get_byte_length(sample->pixels) : 0;
}

static Sample *make_sample(const Dataset *dataset, guint index)
{
  Sample *sample = g_new0(Sample, 1);
  sample->index = index;
  g_autoptr(GBytes) file = dataset_load(dataset, index, &sample->error);
  if (file)
    sample->pixels = decode_pixels(file, &sample->error);
  return sample;
}

static gboolean has_room(const Loader *loader, gsize n_bytes)
{
  return loader->ready.length == 0 ||
         (loader->ready.length < MAX_WAITING && loader->ready_bytes + n_bytes <= MAX_BYTES);
}

static gpointer read_ahead(gpointer data)
{
  Loader *loader = data;
  gboolean cancelled = FALSE;
  for (guint i = 0; i < loader->n && !cancelled; i++) {
    Sample *sample = make_sample(loader->dataset, loader->order ? loader->order[i] : i);
    g_mutex_lock(&loader->lock);
    while (!loader->cancelled && !has_room(loader, sample_bytes(sample)))
      g_cond_wait(&loader->changed, &loader->lock);
    loader->ready_bytes += sample_bytes(sample);
    g_queue_push_tail(&loader->ready, sample);
    cancelled = loader->cancelled;
    g_cond_signal(&loader->changed);
    g_mutex_unlock(&loader->lock);
  }
  g_mutex_lock(&loader->lock);
  loader->finished = TRUE;
  g_cond_signal(&loader->changed);
  g_mutex_unlock(&loader->lock);
  return NULL;
}

Loader *loader_new(const Dataset *dataset, const guint *order, guint n)
{
  Loader *loader = g_new0(Loader, 1);
  loader->dataset = dataset;
  loader->order = order ? g_memdup2(order, n * sizeof *order) : NULL;
  loader->n = order ? n : dataset->photographs->len;
  g_mutex_init(&loader->lock);
  g_cond_init(&loader->changed);
  g_queue_init(&loader->ready);
  loader->thread = g_thread_new("vitgate-loader", read_ahead, loader);
  return loader;
}

Sample *loader_next(Loader *loader)
{
  g_mutex_lock(&loader->lock);
  while (loader->ready.length == 0 && !loader->finished)
    g_cond_wait(&loader->changed, &loader->lock);
  Sample *sample = g_queue_pop_head(&loader->ready);
  if (sample)
    loader->ready_bytes -= sample_bytes(sample);
  g_cond_signal(&loader->changed);
  g_mutex_unlock(&loader->lock);
  return sample;
}

void sample_free(Sample *sample)
{
  if (!sample)
    return;
  g_clear_object(&sample->pixels);
  g_clear_error(&sample->error);
  g_free(sample);
}

void loader_free(Loader **loader)
{
  Loader *freeing = g_steal_pointer(loader);
  if (!freeing)
    return;
  g_mutex_lock(&freeing->lock);
  freeing->cancelled = TRUE;
  g_cond_signal(&freeing->changed);
  g_mutex_unlock(&freeing->lock);
  g_thread_join(freeing->thread);
  g_queue_clear_full(&freeing->ready, (GDestroyNotify)sample_free);
  g_mutex_clear(&freeing->lock);
  g_cond_clear(&freeing->changed);
  g_free(freeing->order);
  g_free(freeing);
}
