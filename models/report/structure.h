/* What is left of a network beside its dense form, and how often it runs. */
#pragma once

#include "file/description.h"

typedef struct {
  const VitgateModelInfo *model;
  const Description *description;
  guint dense_heads, dense_neurons; /* of every block of the dense teacher */
  gboolean gated;                   /* some module has a gate */
  double **point_usage;             /* [n_calibration] gate usage at each point, or NULL */
  double *usage;                    /* (nullable) gate usage to show */
  char *usage_source;               /* (nullable) where it comes from, for people */
} Structure;

/* Gate usage is taken from @usage_path, else at the default dial from the model file's calibration,
 * else from its provenance; what does not fit the model there counts as not told.
 * @model, @description: of @file; they must outlive the structure
 * @usage_path: (nullable): what `vitgate eval --json` printed
 * Returns: (transfer full): or NULL with COMMAND_ERROR_DATA or _IO */
Structure *structure_new(const VitgateModelInfo *model, const Description *description,
                         const Safetensors *file, const char *usage_path, GError **error);

void structure_free(Structure **structure);

static inline void structure_cleanup(Structure *structure)
{
  structure_free(&structure);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Structure, structure_cleanup)
