/* A model family: how a network turns an image into the tokens that enter its blocks.
 *
 * The blocks are the same in all families. The stem differs: a ViT embeds square patches of pixels;
 * a T2T-ViT first runs attention on small, overlapping windows. Everything that the engine needs to
 * know about a family is one Family struct. network/families/ has one file for each family and the
 * table vitgate__families. Other code calls the functions of a description's family and never asks
 * which family it is.
 *
 * Types of upper layers appear here as incomplete types only. */
#pragma once

#include <json-glib/json-glib.h>

#include "base/team.h"
#include "file/safetensors.h"
#include "vitgate.h"

typedef struct _Description Description;
typedef struct _JsonFields JsonFields;
typedef struct _WeightLoader WeightLoader;

/* The packed weights of a stem, and one session's memory for it. Each family defines its own. */
typedef struct _Stem Stem;
typedef struct _StemWork StemWork;

/* The threads that work on one image together. */
typedef struct {
  Team *team;      /* to wait for each other; NULL if n is 1 */
  guint member, n; /* this thread's number among the n */
  guint base;      /* number, in the session, of the first of them: the image is in its memory */
} StemShare;

typedef struct {
  const char *name;  /* "family" in a model file */
  const char *kind;  /* (nullable): "kind" of the object "stem" in a model file */
  const char *title; /* for people */

  /* ---- As published ---- */

  const char *embedding; /* name of the linear layer that makes a token of each patch */
  double layer_norm_eps;
  double crop_share;            /* side of the centre crop over the shorter side of the image */
  gboolean sinusoidal_position; /* position embeddings are sines and cosines and do not learn */
  gboolean qkv_unbiased;

  /* ---- Description ---- */

  /* Returns: whether @file has this family's tensors; the first match in vitgate__families counts
   */
  gboolean (*matches)(const Safetensors *file);

  /* Derives the sizes of image, patches, tokens and stem from the shapes of tensors.
   * Returns: FALSE with VITGATE_ERROR_TENSOR or _UNSUPPORTED */
  gboolean (*infer)(Description *description, const Safetensors *file, GError **error);

  /* (nullable) Reads and writes the members of the object "stem" except "kind".
   * @fields: the object around it, for checks of other fields
   * Returns: FALSE with VITGATE_ERROR_METADATA */
  gboolean (*read_stem)(const JsonFields *fields, const JsonFields *stem, Description *description);
  void (*write_stem)(const Description *description, JsonObject *stem);

  /* Returns: the number of values of one patch, which the embedding reads */
  guint (*patch_values)(const Description *description);

  /* Appends the tensors of stem and embedding.
   * @specs: (element-type TensorSpec) */
  void (*add_tensors)(GArray *specs, const Description *description);

  /* Returns: multiply-adds of the stem for one image, in 1e9, without the embedding */
  double (*gmacs)(const Description *description);

  /* ---- Computing. Only gather is there without a stem ---- */

  /* Returns: floats that the packed weights take; @largest: (out): floats of the largest layer
   * before it is packed */
  gsize (*measure)(const Description *description, VitgatePrecision precision, gsize *largest);

  /* Loads the stem. Its weights are in the loader's memory.
   * Returns: (transfer full): the stem, for g_free() */
  Stem *(*load)(WeightLoader *loader, const Description *description);

  /* Returns: floats of memory that one thread needs */
  gsize (*work_size)(const Description *description, VitgatePrecision precision);

  /* Divides @memory, of @n_members * work_size() floats, among the threads.
   * Returns: (transfer full): the work, for g_free() */
  StemWork *(*work_new)(const Description *description, VitgatePrecision precision, float *memory,
                        guint n_members);

  /* Runs the stem on one image. Every thread of @share calls it.
   * @tensor: [3][image_size][image_size] */
  void (*run)(const Stem *stem, const StemWork *work, const StemShare *share, const float *tensor);

  /* Copies the values of @rows patches, from @first on, into @patches[rows][patch_values]. A stem
   * must have run on the image; @work: (nullable): its work.
   * @base: as in StemShare */
  void (*gather)(const Description *description, const StemWork *work, guint base, float *patches,
                 const float *tensor, guint first, guint rows);

  /* (nullable) Brings @n rows of patch_values from the order in which a file has them into
   * gather()'s order, or, with @back, from gather()'s into the file's. */
  void (*reorder)(const Description *description, float *rows, guint n, gboolean back);
} Family;

/* All families, NULL terminated. */
extern const Family *const vitgate__families[];

/* Returns: (nullable): the family of that name whose kind is @kind, which may be NULL */
const Family *vitgate__family_find(const char *name, const char *kind);
