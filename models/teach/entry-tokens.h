/* The tokens of pictures that enter the last blocks of a network, computed once for each view. */
#pragma once

#include "teach/picture-features.h"
#include "train/network/activations.h"

typedef struct {
  EntryTokens **entries; /* [examples][n_views] */
  guint n;
  Network *network; /* the whole one, at the default setting of its dial */
  double gate_bias;
} EntrySet;

/* Returns: bytes that a view may take */
gsize entry_tokens_measure(const Description *description);

/* Runs the blocks before @first in float.
 * @source: of the network
 * @examples: pictures to see; sorted
 * Returns: (transfer full): or NULL with VITGATE_ERROR_* */
EntrySet *entry_tokens_run(const Examples *examples, guint n_views, const Pictures *pictures,
                           const FeaturesOptions *options, const Safetensors *file,
                           const Description *description, guint first, GError **error);

/* Frees *@set, which may be NULL, and nulls it. */
void entry_tokens_free(EntrySet **set);
