/* Counts how often a model is right. */
#pragma once

#include "vitgate.h"

typedef struct {
  guint64 images;   /* all images */
  guint64 labelled; /* images with a known class, which the members below count */
  guint64 top1, top5;
  guint64 among_present; /* the best of the classes that are present is right */
} Accuracy;

/* Counts one image.
 * @scores: [n_classes], higher is likelier; if scores are equal, the lower index comes first
 * @class: the right class, or -1 if unknown
 * @present: [n_classes] whether a class counts for among_present */
void accuracy_count(Accuracy *accuracy, const float *scores, guint n_classes, int class,
                    const guint8 *present);

/* Returns: what a model says about an image, to compare with what another says: the best class or,
 * if each class has a probability of its own, a hash of the classes whose probability is at least a
 * half */
guint accuracy_answer(const VitgateResult *result, VitgateActivation activation);

/* Returns: the Kullback-Leibler divergence from the classes of @reference to those of @result, in
 * nats; with sigmoids, the sum of the classes' own */
double accuracy_divergence(const VitgateResult *result, const VitgateResult *reference,
                           VitgateActivation activation);

/* Returns: @hits as a percentage of the labelled images, or NaN if there are none */
double accuracy_percent(guint64 hits, const Accuracy *accuracy);
