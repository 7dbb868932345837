#include "reference-cache.h"

#include "file/architecture.h"

ReferenceCache *reference_cache_new(const Description *d)
{
  const gsize tokens = vitgate__description_n_tokens(d);
  ReferenceCache *cache = g_new0(ReferenceCache, 1);
  for (guint b = 0; b < d->depth; b++) {
    cache->keys[b] = g_new0(double, tokens * d->blocks[b].heads * d->head_dim);
    cache->values[b] = g_new0(double, tokens * d->blocks[b].heads * d->head_dim);
  }
  cache->tokens = g_new0(double, tokens * d->dim);
  return cache;
}

void reference_cache_free(ReferenceCache *cache)
{
  for (guint b = 0; b < REFERENCE_MAX_DEPTH; b++) {
    g_free(cache->keys[b]);
    g_free(cache->values[b]);
  }
  g_free(cache->tokens);
  g_free(cache);
}
