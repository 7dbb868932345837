/* The score for pictures of none of the classes in double precision, as FORMAT.md defines it. */
#pragma once

#include "model-file.h"

/* Maximum error of a score for the same features: some roundings in float32. */
#define UNKNOWN_TOLERANCE 1e-6

/* Maximum error of features and scores against a network in double precision, where the logits have
 * that of LOGIT_TOLERANCE. */
#define FEATURE_TOLERANCE 5e-5

/* Adds a score to the description of a model with random weights, so that its images get all sorts
 * of scores. */
void reference_add_unknown(Description *description);

/* Returns: the score of features[head_inputs]; 0 if the model has none
 * @macs: (inout): grows by the multiply-adds of matrices */
double reference_unknown(ModelFile *file, const Description *description, const double *features,
                         double *macs);

/* Checks the features and the score of a result. */
void reference_check_features(const VitgateResult *found, const double *features, double unknown,
                              const Description *description, const char *what);
