#include "teach/entry-tokens.h"

#include <string.h>

#include "base/command-error.h"
#include "file/architecture.h"
#include "network/dial.h"
#include "train/network/training-pass.h"
#include "train/network/training-team.h"

/* Images per thread that go through the network together: few, so that they fit into the caches. */
#define CHUNK 4

typedef struct {
  EntrySet *set;
  GHashTable *numbers; /* (element-type guint64 guint): of the examples, from 1 on, by their hash */
  guint n_views, first, capacity, n_waiting;
  gsize pixels;
  float *tensors;        /* [capacity][pixels] */
  EntryTokens ***places; /* [capacity] of those that wait */
  Team *team;
  TrainingPass *pass;
} Run;

gsize entry_tokens_measure(const Description *d)
{
  return (gsize)vitgate__description_n_tokens(d) * (d->dim + 1) * sizeof(real) +
         sizeof(EntryTokens);
}

static void free_entry(EntryTokens *entry)
{
  if (!entry)
    return;
  g_free(entry->x);
  g_free(entry->size);
  g_free(entry);
}

void entry_tokens_free(EntrySet **set)
{
  EntrySet *freeing = g_steal_pointer(set);
  if (!freeing)
    return;
  for (guint i = 0; i < freeing->n; i++)
    free_entry(freeing->entries[i]);
  g_free(freeing->entries);
  network_free(&freeing->network);
  g_free(freeing);
}

static EntryTokens *copy_tokens(const Activations *a, guint image, guint dim)
{
  const guint from = a->rows[image], n = a->rows[image + 1] - from;
  EntryTokens *entry = g_new(EntryTokens, 1);
  entry->n_rows = n;
  entry->x = g_memdup2(a->x + (gsize)from * dim, (gsize)n * dim * sizeof(real));
  entry->size = g_memdup2(a->size + from, n * sizeof(real));
  return entry;
}

static void run_waiting(Run *run)
{
  const guint dim = run->set->network->description->dim;
  run->pass->n_images = run->n_waiting;
  run->pass->tensors = run->tensors;
  if (run->n_waiting)
    training_pass_forward_all(run->pass);
  for (guint s = 0; run->n_waiting && s < vitgate__team_size(run->team); s++) {
    const Share *share = &run->pass->shares[s];
    for (guint i = 0; i < share->n; i++)
      *run->places[share->first + i] = copy_tokens(&share->blocks[run->first], i, dim);
  }
  run->n_waiting = 0;
}

static gboolean see(gpointer data, const Picture *picture, const float *tensors, GError **error)
{
  Run *run = data;
  const guint number = GPOINTER_TO_UINT(g_hash_table_lookup(run->numbers, &picture->hash));
  for (guint v = 0; number && v < run->n_views; v++) {
    EntryTokens **place = &run->set->entries[(gsize)(number - 1) * run->n_views + v];
    if (*place)
      continue;
    memcpy(run->tensors + run->n_waiting * run->pixels, tensors + v * run->pixels,
           run->pixels * sizeof *tensors);
    run->places[run->n_waiting++] = place;
    if (run->n_waiting == run->capacity)
      run_waiting(run);
  }
  return TRUE;
}

/* Blocks merge as at the default setting of the dial. */
static void set_dial(EntrySet *set, const Description *d)
{
  Dial dial;
  vitgate__dial_set(&dial, d, d->default_compute);
  set->gate_bias = dial.gate_bias;
  for (guint b = 0; b < d->depth; b++)
    set->network->blocks[b].merge_threshold =
        dial.thresholds[b] < MERGE_NEVER ? dial.thresholds[b] : 2;
}

static gboolean run_network(Run *run, const Pictures *pictures, const FeaturesOptions *options,
                            GError **error)
{
  run->team = training_team_new(options->threads, error);
  run->pass = run->team ? training_pass_new(run->set->network, run->team, run->capacity, FALSE,
                                            FALSE, error)
                        : NULL;
  if (!run->pass)
    return FALSE;
  run->pass->decisions.bias = run->set->gate_bias;
  training_pass_pack_all(run->pass);
  if (!features_visit(pictures, options, run->n_views, "pictures for fine-tuning", see, run, error))
    return FALSE;
  run_waiting(run);
  for (guint i = 0; i < run->set->n; i++)
    if (!run->set->entries[i]) {
      g_set_error(error, COMMAND_ERROR, COMMAND_ERROR_IO,
                  "%s: a picture changed while the model was taught",
                  ((Picture *)pictures->pictures->pdata[0])->folder);
      return FALSE;
    }
  return TRUE;
}

EntrySet *entry_tokens_run(const Examples *examples, guint n_views, const Pictures *pictures,
                           const FeaturesOptions *options, const Safetensors *file,
                           const Description *d, guint first, GError **error)
{
  EntrySet *set = g_new0(EntrySet, 1);
  g_autoptr(GHashTable) numbers = g_hash_table_new(g_int64_hash, g_int64_equal);
  Run run = { .set = set,
              .numbers = numbers,
              .n_views = n_views,
              .first = first,
              .capacity = CHUNK * options->threads,
              .pixels = (gsize)3 * d->image_size * d->image_size };
  for (guint i = 0; i < examples->list->len; i++)
    g_hash_table_insert(numbers, &examples_get(examples, i)->hash, GUINT_TO_POINTER(i + 1));
  set->n = examples->list->len * n_views;
  set->entries = g_new0(EntryTokens *, set->n);
  set->network = network_new(d, FALSE);
  set_dial(set, d);
  run.tensors = g_new(float, run.capacity *run.pixels);
  run.places = g_new(EntryTokens **, run.capacity);
  const gboolean fine =
      network_load(set->network, file, error) && run_network(&run, pictures, options, error);
  training_pass_free(&run.pass);
  vitgate__team_free(&run.team);
  g_free(run.tensors);
  g_free(run.places);
  if (!fine)
    entry_tokens_free(&set);
  return set;
}
