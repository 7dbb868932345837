#include "train/dial/held-out.h"

#include <string.h>

#include "base/progress.h"
#include "base/random.h"

static void add_image(HeldOut *h, const Batch *batch, guint i, Teacher *teacher)
{
  memcpy(h->tensors + h->n * h->pixels, batch->tensors + i * h->pixels, h->pixels * sizeof(float));
  if (teacher)
    memcpy(h->logits + (gsize)h->n * h->n_classes,
           teacher_get_logits(teacher) + (gsize)i * h->n_classes, h->n_classes * sizeof(float));
  h->labels[h->n] = batch->labels[i];
  h->n++;
}

/* Counts the photographs of @part.
 * @labelled: (inout): count only those with a label; set to FALSE if there are none */
static guint count(const Collection *collection, SamplerPart part, gboolean *labelled)
{
  guint n = 0, n_labelled = 0;
  for (guint i = 0; i < collection->items->len; i++) {
    const CollectionItem *item = collection_get(collection, i);
    if (item->held_out != (part == SAMPLER_HELD_OUT))
      continue;
    n++;
    n_labelled += item->label >= 0;
  }
  *labelled = *labelled && n_labelled;
  return *labelled ? n_labelled : n;
}

static void swap_bytes(gpointer a, gpointer b, gsize n_bytes)
{
  g_autofree guint8 *before = g_memdup2(a, n_bytes);
  memcpy(a, b, n_bytes);
  memcpy(b, before, n_bytes);
}

/* Photographs are read in order of their names, but callers may use only the first few. */
static void shuffle(HeldOut *h)
{
  Random random = { 1 };
  for (guint i = h->n; i > 1; i--) {
    const guint other = random_below(&random, i), last = i - 1;
    if (other == last)
      continue;
    swap_bytes(h->tensors + last * h->pixels, h->tensors + other * h->pixels,
               h->pixels * sizeof(float));
    if (h->logits)
      swap_bytes(h->logits + (gsize)last * h->n_classes, h->logits + (gsize)other * h->n_classes,
                 h->n_classes * sizeof(float));
    swap_bytes(&h->labels[last], &h->labels[other], sizeof(int));
  }
}

HeldOut *held_out_new(const Collection *collection, Teacher *teacher, guint max_images, guint batch,
                      guint threads, gboolean labelled, GError **error)
{
  const SamplerPart part = collection->n_held_out ? SAMPLER_HELD_OUT : SAMPLER_TRAINING;
  const BatchesOptions order = { .order = { .part = part, .once = TRUE },
                                 .batch_size = batch,
                                 .threads = threads };
  g_autoptr(Batches) batches = batches_new(collection, &order, error);
  if (!batches)
    return NULL;
  HeldOut *h = g_new0(HeldOut, 1);
  const guint n_there = count(collection, part, &labelled);
  const guint max = MIN(max_images, n_there);
  h->pixels = (gsize)3 * collection->image_size * collection->image_size;
  h->n_classes = teacher ? teacher_get_description(teacher)->n_classes : 0;
  h->tensors = g_new(float, max * h->pixels);
  h->logits = teacher ? g_new(float, (gsize)max * h->n_classes) : NULL;
  h->labels = g_new(int, max);
  const Batch *next;
  Progress progress = progress_start_phase("reading held-out photographs", max, "images");
  g_autoptr(GError) failure = NULL;
  for (guint64 seen = 0; h->n < max && (next = batches_next(batches, &failure));) {
    if (teacher)
      teacher_run(teacher, next->tensors, next->n);
    for (guint i = 0; i < next->n; i++) {
      if (labelled && next->labels[i] < 0)
        continue;
      if (seen++ * max / n_there >= h->n && h->n < max) /* spread evenly over the names */
        add_image(h, next, i, teacher);
    }
    batches_release(&next);
    progress_update(&progress, h->n);
  }
  progress_clear(&progress);
  if (failure) {
    g_propagate_error(error, g_steal_pointer(&failure));
    held_out_free(&h);
  } else {
    shuffle(h);
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
  g_free(h->labels);
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

typedef struct {
  const HeldOut *held_out;
  HeldOutOutcome sum;
} Measurement;

static void add_batch(gpointer data, const TrainingPass *pass, guint first)
{
  Measurement *m = data;
  const HeldOut *h = m->held_out;
  const double dense_gmacs = pass->network->description->dense_gmacs;
  m->sum.ratio += pass->n_images * loss_compute_ratio(pass, dense_gmacs);
  for (guint i = 0; i < pass->n_images; i++) {
    const float *student = training_pass_get_logits(pass, i);
    const guint best = loss_best(student, pass->network->description->n_classes);
    const int label = h->labels[first + i];
    if (h->logits) {
      const float *teacher = h->logits + (gsize)(first + i) * h->n_classes;
      m->sum.divergence += loss_divergence(teacher, student, h->n_classes);
      m->sum.agreement += best == loss_best(teacher, h->n_classes);
    }
    m->sum.labelled += label >= 0;
    m->sum.right += label >= 0 && best == (guint)label;
  }
}

HeldOutOutcome held_out_measure(const HeldOut *held_out, Trainer *trainer, double bias, guint n,
                                guint batch)
{
  Measurement m = { .held_out = held_out, .sum = { .taught = held_out->logits != NULL } };
  held_out_run(held_out, trainer, bias, n, batch, add_batch, &m);
  m.sum.ratio /= n;
  m.sum.divergence /= n;
  m.sum.agreement /= n;
  return m.sum;
}
