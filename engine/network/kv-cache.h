/* The keys and values of all tokens of a stream's last picture, packed as the attention reads them.
 * A full pass fills the cache. An update computes some tokens anew and replaces theirs; for the
 * attention, the other tokens are there only as their old keys and values. */
#pragma once

#include "network/vit-weights.h"

typedef struct {
  float **heads; /* [depth] the packed keys and values of a block; NULL: it has no attention */
  float
      *tokens; /* [n_tokens][dim] after the last block; NULL unless the mean of all is classified */
  guint8 *ran; /* [2 * depth] modules that ran in the last full pass: gates of modules stay so */
  float *memory;
} KvCache;

/* Returns: (transfer full): an empty cache, or NULL if out of memory */
KvCache *vitgate__kv_cache_new(const Vit *vit);

/* Frees *@cache and sets it to NULL. *@cache may be NULL. */
void vitgate__kv_cache_free(KvCache **cache);

/* Returns: the bytes that a cache for @vit takes */
gsize vitgate__kv_cache_size(const Vit *vit);
