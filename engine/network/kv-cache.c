#include "network/kv-cache.h"

#include <stdlib.h>

#include "base/arena.h"
#include "network/attend.h"

/* Points the arrays into @memory, unless it is NULL.
 * Returns: the number of floats that they take */
static gsize carve(KvCache *cache, float *memory, const Vit *vit)
{
  const Description *d = vit->description;
  const guint tokens = vitgate__description_n_tokens(d);
  gsize used = 0;
  for (guint b = 0; b < d->depth; b++) {
    const guint heads = d->blocks[b].heads;
    if (memory)
      cache->heads[b] = heads ? memory + used : NULL;
    used += vitgate__attend_heads_size(vit->precision, heads, tokens, d->head_dim);
  }
  if (!d->mean_pooling)
    return used;
  if (memory)
    cache->tokens = memory + used;
  return used + vitgate__round_up((gsize)tokens * d->dim);
}

KvCache *vitgate__kv_cache_new(const Vit *vit)
{
  const guint depth = vit->description->depth;
  KvCache *cache = g_new0(KvCache, 1);
  cache->heads = g_new0(float *, depth);
  cache->ran = g_new0(guint8, 2 * depth + 1);
  if (posix_memalign((void **)&cache->memory, 64, MAX(vitgate__kv_cache_size(vit), 64))) {
    cache->memory = NULL;
    vitgate__kv_cache_free(&cache);
    return NULL;
  }
  carve(cache, cache->memory, vit);
  return cache;
}

void vitgate__kv_cache_free(KvCache **cache)
{
  KvCache *c = g_steal_pointer(cache);
  if (!c)
    return;
  free(c->memory);
  g_free(c->heads);
  g_free(c->ran);
  g_free(c);
}

gsize vitgate__kv_cache_size(const Vit *vit)
{
  return carve(NULL, NULL, vit) * sizeof(float);
}
