/* What a cross-validation says about the classes and the pictures. */
#pragma once

#include "teach/cross.h"
#include "teach/examples.h"

/* A picture whose own classes are improbable is listed as doubtful below this probability. */
#define OUTCOME_DOUBT 0.5

typedef struct {
  guint pictures, groups;
  guint right;      /* of the pictures; with a sigmoid: those that the threshold gets right */
  double threshold; /* with a sigmoid */
  double f1;        /* with a sigmoid: at that threshold */
} OutcomeClass;

typedef struct {
  guint from, to, n; /* n pictures of class from were taken for class to */
} OutcomeConfusion;

typedef struct {
  guint example;
  double probability; /* of its own class; with a sigmoid: of the least probable correct answer */
  int class;          /* that is meant: its own; with a sigmoid: the wrong one */
  guint guess;        /* the most probable class */
  double guessed;     /* its probability */
} OutcomeDoubt;

typedef struct {
  guint n_classes, n, n_groups;
  OutcomeClass *classes;
  guint right;      /* pictures; with a sigmoid: those of which all classes are right */
  double low, high; /* of 95 % for that share (Wilson 1927), as if each group were one picture */
  double calibration_error;
  double f1;          /* with a sigmoid: mean of the classes' */
  GArray *confusions; /* (element-type OutcomeConfusion): the most frequent first */
  GArray *doubts;     /* (element-type OutcomeDoubt): the least probable first */
} Outcome;

/* Returns: (transfer full) */
Outcome *outcome_new(const Examples *examples, const Cross *cross);

/* Frees *@outcome, which may be NULL, and nulls it. */
void outcome_free(Outcome **outcome);

/* Computes the interval of 95 % for a share that was found in n cases. */
void outcome_interval(double share, guint n, double *low, double *high);

/* Returns: the class for which more pictures would help most: that with the most errors, of the
 * share of its pictures; among equals, that with the fewest groups */
guint outcome_weakest(const Outcome *outcome);

static inline void outcome_cleanup(Outcome *outcome)
{
  outcome_free(&outcome);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Outcome, outcome_cleanup)
