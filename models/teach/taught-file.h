/* Writes a taught model: its base with another head. */
#pragma once

#include "file/source.h"
#include "teach/examples.h"
#include "teach/own-distance.h"
#include "train/network/network.h"

typedef struct {
  const Examples *examples;
  const float *weights, *bias; /* [n_classes][n_features], [n_classes]: of one head */
  const OwnDistance *distance; /* (nullable) */
  const double *thresholds;    /* (nullable) [n_classes] */
  gboolean sigmoid;
  gboolean ids;    /* the labels are ids too, by which eval finds them in labels.tsv */
  gboolean forget; /* store no features */
  gboolean tuned;  /* the network was trained with the examples, so they look too good to it */
  const char *name;
  JsonObject *provenance;
  guint n_stored; /* (out): pictures whose features are stored */
} Taught;

/* Writes the base with other weights in its last blocks and its last norm.
 * @network: as tail_get_network()
 * @first: number of its first block
 * Returns: FALSE with VITGATE_ERROR_IO or _MEMORY, and @path unchanged */
gboolean taught_file_write_tail(const char *path, const Source *source,
                                const Description *description, const Network *network, guint first,
                                GError **error);

/* Everything but the head, the distance, thresholds, stored features, labels, name and provenance
 * stays as in the base, byte for byte; so does what the base records of the agreement of
 * precisions, since features lose the same whatever head reads them.
 * @description: of @source; is changed
 * Returns: FALSE with VITGATE_ERROR_IO or _MEMORY, and @path unchanged */
gboolean taught_file_write(const char *path, const Source *source, Description *description,
                           Taught *taught, GError **error);
