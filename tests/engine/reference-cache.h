/* What the reference keeps of a stream. */
#pragma once

#include "model-file.h"

#define REFERENCE_MAX_DEPTH 8

/* The keys and values of a stream's last picture, in double precision. */
typedef struct {
  double *keys[REFERENCE_MAX_DEPTH],
      *values[REFERENCE_MAX_DEPTH];    /* [n_tokens][heads * head_dim] */
  double *tokens;                      /* [n_tokens][dim] at the end */
  guint8 ran[2 * REFERENCE_MAX_DEPTH]; /* modules that ran in the last full pass */
} ReferenceCache;

/* Returns: (transfer full): an empty cache */
ReferenceCache *reference_cache_new(const Description *description);

void reference_cache_free(ReferenceCache *cache);
