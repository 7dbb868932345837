/* The order in which photographs are drawn. It depends only on the seed and the number of the
 * draw. */
#pragma once

#include "data/collection.h"

typedef enum {
  SAMPLER_TRAINING,
  SAMPLER_HELD_OUT,
} SamplerPart;

/* How often a photograph of this top folder is drawn, relative to one of a folder without a
 * weight. */
typedef struct {
  const char *folder;
  double weight; /* 0: never */
} FolderWeight;

typedef struct {
  SamplerPart part;
  gboolean once; /* draw each photograph once, by number; otherwise draw at random without end */
  const FolderWeight *weights; /* (nullable) [n_weights]; not allowed with once */
  guint n_weights;
  guint64 seed;
} SamplerOptions;

typedef struct _Sampler Sampler;

/* Makes a sampler. Without weights, each epoch draws each photograph once.
 * Returns: (transfer full): or NULL with COMMAND_ERROR_DATA or _USAGE */
Sampler *sampler_new(const Collection *collection, const SamplerOptions *options, GError **error);

/* Nulls *@sampler, which may be NULL. */
void sampler_free(Sampler **sampler);

/* Returns: the number of photographs to draw from */
guint sampler_count(const Sampler *sampler);

/* @draw: from 0; below sampler_count() if each photograph is drawn once
 * @attempt: 0, or 1 to sampler_count() for a replacement if the photograph cannot be used; these
 * return each photograph once
 * Returns: the number of a photograph in the collection */
guint sampler_get(const Sampler *sampler, guint64 draw, guint attempt);
