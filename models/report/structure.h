/* What is left of a network compared with its dense form, and how often its modules run. */
#pragma once

#include "file/description.h"

typedef struct {
  const VitgateModelInfo *model;
  const Description *description;
  guint dense_heads, dense_neurons; /* of each block of the dense teacher */
  guint gates;                      /* GateKinds of its gates */
  double **point_usage;             /* [n_calibration] gate usage at each point, or NULL */
  double *usage;                    /* (nullable) gate usage to show */
  char *usage_source;               /* (nullable) where @usage comes from, for display */
  double *tokens;                   /* (nullable) tokens that modules run for: module-numbers.h */
  char *tokens_source;              /* (nullable) where @tokens come from, for display */
} Structure;

/* Describes the structure of a model. Gate usage comes from @usage_path; otherwise from the model
 * file's calibration, at the default dial; otherwise from its provenance. In the model file, usage
 * that does not fit the model is ignored. Tokens come from @usage_path too, or from the provenance.
 * @model, @description: of @file; they must outlive the structure
 * @usage_path: (nullable): file with the output of `vitgate eval --json`
 * Returns: (transfer full): the structure, or NULL with COMMAND_ERROR_DATA or _IO */
Structure *structure_new(const VitgateModelInfo *model, const Description *description,
                         const Safetensors *file, const char *usage_path, GError **error);

void structure_free(Structure **structure);

/* Describes what a token gets from module @m if it does not run for it: "rank 48" or, for a
 * constant, "mean".
 * Returns: (transfer full) (nullable): NULL without a token gate */
char *structure_substitute_to_text(const Structure *structure, guint m);

static inline void structure_cleanup(Structure *structure)
{
  structure_free(&structure);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Structure, structure_cleanup)
