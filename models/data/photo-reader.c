#include "data/photo-reader.h"

/* Limits of the photographs that wait to be fetched: enough for a large batch of usual photographs,
 * but bounded for huge ones. One photograph may always wait, whatever its size. */
#define MAX_WAITING ((guint)64)
#define MAX_BYTES   ((gsize)256 << 20)

struct _PhotoReader {
  const Dataset *dataset;
  guint *order;
  guint n;
  GThread *thread;
  GMutex lock; /* protects all members below */
  GCond changed;
  GQueue ready; /* (element-type DecodedPhotograph) */
  gsize ready_bytes;
  gboolean finished, cancelled;
};

static gsize sample_bytes(const DecodedPhotograph *photograph)
{
  return photograph->pixels ? gdk_pixbuf_get_byte_length(photograph->pixels) : 0;
}

static DecodedPhotograph *make_sample(const Dataset *dataset, guint index)
{
  DecodedPhotograph *photograph = g_new0(DecodedPhotograph, 1);
  photograph->index = index;
  photograph->pixels = dataset_decode(dataset, index, &photograph->error);
  return photograph;
}

static gboolean has_room(const PhotoReader *reader, gsize n_bytes)
{
  return reader->ready.length == 0 ||
         (reader->ready.length < MAX_WAITING && reader->ready_bytes + n_bytes <= MAX_BYTES);
}

static gpointer read_ahead(gpointer data)
{
  PhotoReader *reader = data;
  gboolean cancelled = FALSE;
  for (guint i = 0; i < reader->n && !cancelled; i++) {
    DecodedPhotograph *photograph =
        make_sample(reader->dataset, reader->order ? reader->order[i] : i);
    g_mutex_lock(&reader->lock);
    while (!reader->cancelled && !has_room(reader, sample_bytes(photograph)))
      g_cond_wait(&reader->changed, &reader->lock);
    reader->ready_bytes += sample_bytes(photograph);
    g_queue_push_tail(&reader->ready, photograph);
    cancelled = reader->cancelled;
    g_cond_signal(&reader->changed);
    g_mutex_unlock(&reader->lock);
  }
  g_mutex_lock(&reader->lock);
  reader->finished = TRUE;
  g_cond_signal(&reader->changed);
  g_mutex_unlock(&reader->lock);
  return NULL;
}

PhotoReader *photo_reader_new(const Dataset *dataset, const guint *order, guint n)
{
  PhotoReader *reader = g_new0(PhotoReader, 1);
  reader->dataset = dataset;
  reader->order = order ? g_memdup2(order, n * sizeof *order) : NULL;
  reader->n = order ? n : dataset->photographs->len;
  g_mutex_init(&reader->lock);
  g_cond_init(&reader->changed);
  g_queue_init(&reader->ready);
  reader->thread = g_thread_new("vitgate-reader", read_ahead, reader);
  return reader;
}

DecodedPhotograph *photo_reader_next(PhotoReader *reader)
{
  g_mutex_lock(&reader->lock);
  while (reader->ready.length == 0 && !reader->finished)
    g_cond_wait(&reader->changed, &reader->lock);
  DecodedPhotograph *photograph = g_queue_pop_head(&reader->ready);
  if (photograph)
    reader->ready_bytes -= sample_bytes(photograph);
  g_cond_signal(&reader->changed);
  g_mutex_unlock(&reader->lock);
  return photograph;
}

void decoded_photograph_free(DecodedPhotograph *photograph)
{
  if (!photograph)
    return;
  g_clear_object(&photograph->pixels);
  g_clear_error(&photograph->error);
  g_free(photograph);
}

void photo_reader_free(PhotoReader **reader)
{
  PhotoReader *freeing = g_steal_pointer(reader);
  if (!freeing)
    return;
  g_mutex_lock(&freeing->lock);
  freeing->cancelled = TRUE;
  g_cond_signal(&freeing->changed);
  g_mutex_unlock(&freeing->lock);
  g_thread_join(freeing->thread);
  g_queue_clear_full(&freeing->ready, (GDestroyNotify)decoded_photograph_free);
  g_mutex_clear(&freeing->lock);
  g_cond_clear(&freeing->changed);
  g_free(freeing->order);
  g_free(freeing);
}
