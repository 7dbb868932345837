#include "data/sampler.h"

#include <math.h>
#include <string.h>

#include "base/command-error.h"
#include "base/random.h"

/* Purposes of random numbers. */
enum { EPOCH = 1, WEIGHTED, REPLACEMENT };

struct _Sampler {
  guint64 seed;
  gboolean once;
  guint n;
  guint *items;  /* [n] numbers in the collection */
  double *below; /* (nullable) [n] sum of the weights of an item and all before it */
};

static gboolean check_weights(const Collection *collection, const SamplerOptions *options,
                              GError **error)
{
  if (options->n_weights && options->once) {
    g_set_error(error, COMMAND_ERROR, COMMAND_ERROR_USAGE,
                "photographs that are drawn once each cannot have weights");
    return FALSE;
  }
  for (guint i = 0; i < options->n_weights; i++) {
    const FolderWeight *weight = &options->weights[i];
    g_autofree char *name = g_filename_display_name(weight->folder);
    if (!collection_has_folder(collection, weight->folder)) {
      g_set_error(error, COMMAND_ERROR, COMMAND_ERROR_DATA,
                  "the photographs have no top folder \"%s\"", name);
      return FALSE;
    }
    if (!(weight->weight >= 0) || !isfinite(weight->weight)) {
      g_set_error(error, COMMAND_ERROR, COMMAND_ERROR_USAGE,
                  "the weight of the folder \"%s\" is %g, expected 0 or more", name,
                  weight->weight);
      return FALSE;
    }
  }
  return TRUE;
}

static double weight_of(const char *folder, const SamplerOptions *options)
{
  for (guint i = 0; i < options->n_weights; i++)
    if (!strcmp(options->weights[i].folder, folder))
      return options->weights[i].weight;
  return 1;
}

Sampler *sampler_new(const Collection *collection, const SamplerOptions *options, GError **error)
{
  if (!check_weights(collection, options, error))
    return NULL;
  const guint n_items = collection->items->len;
  Sampler *sampler = g_new0(Sampler, 1);
  sampler->seed = options->seed;
  sampler->once = options->once;
  sampler->items = g_new(guint, n_items);
  sampler->below = options->n_weights ? g_new(double, n_items) : NULL;
  double sum = 0;
  for (guint i = 0; i < n_items; i++) {
    double weight = weight_of(collection_get_folder(collection, i), options);
    if (collection_get(collection, i)->held_out != (options->part == SAMPLER_HELD_OUT) || !weight)
      continue;
    sum += weight;
    if (sampler->below)
      sampler->below[sampler->n] = sum;
    sampler->items[sampler->n++] = i;
  }
  if (sampler->n == 0 || !isfinite(sum)) {
    sampler_free(&sampler);
    g_set_error(error, COMMAND_ERROR, COMMAND_ERROR_DATA, "no photographs %s",
                options->part == SAMPLER_HELD_OUT ? "held out from training" : "to train on");
  }
  return sampler;
}

void sampler_free(Sampler **sampler)
{
  Sampler *freeing = g_steal_pointer(sampler);
  if (!freeing)
    return;
  g_free(freeing->items);
  g_free(freeing->below);
  g_free(freeing);
}

guint sampler_count(const Sampler *sampler)
{
  return sampler->n;
}

/* Returns: the first item whose cumulative weight is above @sum */
static guint find_weight(const Sampler *sampler, double sum)
{
  guint low = 0, high = sampler->n - 1;
  while (low < high) {
    guint middle = low + (high - low) / 2;
    if (sampler->below[middle] > sum)
      high = middle;
    else
      low = middle + 1;
  }
  return low;
}

guint sampler_get(const Sampler *sampler, guint64 draw, guint attempt)
{
  const guint n = sampler->n;
  guint i;
  if (attempt > 0) {
    i = random_permute(random_key(sampler->seed, REPLACEMENT, draw), n, attempt - 1);
  } else if (sampler->once) {
    i = (guint)draw;
  } else if (sampler->below) {
    Random random = { random_key(sampler->seed, WEIGHTED, draw) };
    i = find_weight(sampler, random_between(&random, 0, sampler->below[n - 1]));
  } else {
    i = random_permute(random_key(sampler->seed, EPOCH, draw / n), n, (guint)(draw % n));
  }
  return sampler->items[i];
}
