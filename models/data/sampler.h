/* The order in which photographs are drawn: a function of the seed and the number of the draw. */
#pragma once

#include "data/collection.h"

typedef enum {
  SAMPLER_TRAINING,
  SAMPLER_HELD_OUT,
} SamplerPart;

/* How often a photograph of this top folder is drawn, relative to one of a folder that is not
 * named. */
typedef struct {
  const char *folder;
  double weight; /* 0: never */
} FolderWeight;

typedef struct {
  SamplerPart part;
  gboolean once;               /* each photograph once, by its number; else on and on, at random */
  const FolderWeight *weights; /* (nullable) [n_weights]: not with once */
  guint n_weights;
  guint64 seed;
} SamplerOptions;

typedef struct _Sampler Sampler;

/* Without weights, each run through the photographs (an epoch) has each of them once.
 * Returns: (transfer full): or NULL with COMMAND_ERROR_DATA or _USAGE */
Sampler *sampler_new(const Collection *collection, const SamplerOptions *options, GError **error);

/* Nulls *@sampler, which may be NULL. */
void sampler_free(Sampler **sampler);

/* Returns: photographs to draw from */
guint sampler_count(const Sampler *sampler);

/* @draw: from 0; below sampler_count() if each is drawn once
 * @attempt: from 0; 1 to sampler_count() are each photograph once, to replace one that cannot be
 * used
 * Returns: the number of a photograph in the collection */
guint sampler_get(const Sampler *sampler, guint64 draw, guint attempt);
