/* vitgate eval under mpirun: each rank runs its slice of the photographs. All ranks then count the
 * results of all photographs in their order, so the figures are those of one process. */
#pragma once

#include "commands/evaluation.h"

/* What is compared with the reference, for one image. */
typedef struct {
  guint64 agreed; /* 0 or 1 */
  double divergence;
} EvalCompared;

typedef struct _EvalRecords EvalRecords;

/* Called for each image that was classified, in the order of the photographs.
 * @result: only with what eval counts */
typedef void (*EvalVisit)(Evaluation *eval, guint index, const VitgateResult *result,
                          const EvalCompared *compared);

/* Checks that the ranks have the same files, and that the options allow several ranks.
 * @reference: (nullable): path of a model
 * Returns: FALSE with COMMAND_ERROR_* on all ranks if not */
gboolean eval_ranks_check(const Evaluation *eval, const char *reference, GError **error);

/* @n: photographs of all ranks
 * Returns: (transfer full): or NULL with VITGATE_ERROR_MEMORY */
EvalRecords *eval_records_new(const VitgateModelInfo *info, guint n, GError **error);
void eval_records_free(EvalRecords **records);

/* Adds a result of this rank. */
void eval_records_add(EvalRecords *records, guint index, const VitgateResult *result,
                      const EvalCompared *compared);

/* Adds a photograph of this rank that cannot be used.
 * @note: what to print */
void eval_records_skip(EvalRecords *records, const char *note);

/* Gathers the results of all ranks, visits them, and prints the notes. */
void eval_records_visit(EvalRecords *records, Evaluation *eval, EvalVisit visit);
