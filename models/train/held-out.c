#include "held-out.h"

#include <string.h>

static void add_image(HeldOut *h, const Batch *batch, guint i, Teacher *teacher)
{
  memcpy(h->tensors + h->n * h->pixels, batch->tensors + i * h->pixels, h->pixels * sizeof(float));
  memcpy(h->logits + (gsize)h->n * h->n_classes,
         teacher_get_logits(teacher) + (gsize)i * h->n_classes, h->n_classes * sizeof(float));
  h->n++;
}

HeldOut *held_out_new(const Collection *collection, Teacher *teacher, guint max_images, guint batch,
                      GError **error)
{
  const SamplesOptions order = { .order = { .part = SAMPLER_HELD_OUT, .once = TRUE },
                                 .batch_size = batch };
  g_autoptr(Samples) samples = samples_new(collection, &order, error);
  if (!samples)
    return NULL;
  HeldOut *h = g_new0(HeldOut, 1);
  const guint most = MIN(max_images, collection->n_held_out);
  h->pixels = (gsize)3 * collection->image_size * collection->image_size;
  h->n_classes = teacher_get_description(teacher)->n_classes;
  h->tensors = g_new(float, most * h->pixels);
  h->logits = g_new(float, (gsize)most * h->n_classes);
  const Batch *next;
  g_autoptr(GError) failure = NULL;
  for (guint64 seen = 0; h->n < most && (next = samples_next(samples, &failure));) {
    teacher_run(teacher, next->tensors, next->n);
    for (guint i = 0; i < next->n; i++, seen++) /* the photographs stand in order of their names */
      if (seen * most / collection->n_held_out >= h->n && h->n < most)
        add_image(h, next, i, teacher);
    samples_release(&next);
  }
  if (failure) {
    g_propagate_error(error, g_steal_pointer(&failure));
    held_out_free(&h);
  }
  return h;
}

void held_out_free(HeldOut **held_out)
{
  HeldOut *h = g_steal_pointer(held_out);
  if (!h)
    return;
  g_free(h->tensors);
  g_free(h->logits);
  g_free(h);
}

void held_out_run(const HeldOut *h, Trainer *trainer, double bias, guint n, guint batch,
                  HeldOutVisit visit, gpointer data)
{
  for (guint first = 0, some; first < n; first += some) {
    some = MIN(batch, n - first);
    trainer_evaluate(trainer, h->tensors + first * h->pixels, some, bias);
    visit(data, trainer_get_pass(trainer), first);
  }
}
