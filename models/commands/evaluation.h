/* What vitgate eval measures, and how it prints that. */
#pragma once

#include "base/progress.h"
#include "commands/eval-sigmoid.h"
#include "data/classes.h"
#include "network/logit-control.h"
#include "report/accuracy.h"

/* How many photographs are taken for none of the classes, of some. */
typedef struct {
  guint64 images, unknown;
} UnknownCount;

/* Photographs by what they show, for UnknownCount. */
enum { SHOWS_CLASSES, SHOWS_OTHERS, SHOWS_ANYTHING, N_SHOWN };

typedef struct {
  guint64 images, skipped;
  UnknownCount unknown[N_SHOWN]; /* of a model that has a score for that */
  Accuracy overall;
  Accuracy *folders;  /* [dataset folders] */
  ScoreTable *scores; /* instead of these two if each class has a probability of its own */
  double gmacs_sum, gmacs_min, gmacs_max;
  guint64 agreed;        /* images to which the reference gives the same label */
  double divergence;     /* from the reference's classes, summed over all images */
  guint64 tokens;        /* tokens left after the last block, summed over all images */
  double *ran;           /* [2 * depth] shares as in gate-usage.h, summed over all images */
  double *module_tokens; /* [2 * depth] tokens for which each module ran, over all images */
  gint64 engine_us;      /* time in the engine: pre-processing and network */
} Counts;

typedef struct {
  const char *path; /* of the model */
  VitgatePrecision precision;
  VitgateSessionOptions options;
  LogitControlKind control;
  double unknown_threshold;
  double compute;         /* ratio requested; 0: the model's default */
  gboolean among_present; /* show the column in the table */
  const VitgateModelInfo *info;
  const char *stored; /* precision of the weights in the model file */
  VitgateSession *session;
  VitgateSession *reference; /* (nullable): its labels are compared with the model's */
  const Dataset *dataset;
  guint *order; /* [n] photographs of the dataset to evaluate */
  guint n;
  const Classes *classes;
  guint8 **present; /* [folders][n_classes] classes that occur in each folder; rows may be shared */
  Counts counts;
  struct _EvalRecords *records; /* (nullable): of several ranks, see eval-ranks.h */
  Progress progress;
} Evaluation;

gboolean evaluation_has_dial(const VitgateModelInfo *info);

/* Returns: the dial's setting: the ratio requested, or the nearest one in the model's range */
double evaluation_dial(const Evaluation *eval);

void evaluation_print_json(const Evaluation *eval);

/* Prints tables for people. */
void evaluation_print_table(const Evaluation *eval);
