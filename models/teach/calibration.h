/* How well probabilities say what they claim, and how to make them. */
#pragma once

#include <glib.h>

/* Logits of pictures that the model was not fitted to, with what the pictures show. */
typedef struct {
  guint n, n_classes;
  const float *logits;  /* [n][n_classes] */
  guint8 *const *shown; /* [n][n_classes] */
  gboolean sigmoid;
} Predictions;

/* Finds the factor by which to multiply the logits (1 / temperature: Guo et al. 2017), so that the
 * mean negative log-likelihood is minimal. Targets are 1 - 0.5 / (n + 1) instead of 1.
 * @loss: (out): that minimum
 * Returns: the factor, from 1/20 to 20 */
double calibration_fit(const Predictions *predictions, double *loss);

/* Computes the probabilities of a row, which may be in place.
 * @probabilities: (out): [n_classes] */
void calibration_probabilities(const Predictions *predictions, guint row, double factor,
                               double *probabilities);

/* Returns: the expected calibration error: the mean difference between probability and frequency,
 * in ten bins of probability. It is that of the best class or, of a sigmoid, of all classes. */
double calibration_error(const Predictions *predictions, double factor);

/* Chooses the probability from which a class applies: that with the highest F1, half way between
 * the neighbouring pictures.
 * @f1: (out)
 * Returns: between 0 and 1; 0.5 if no picture shows the class, or all do */
double calibration_threshold(const Predictions *predictions, double factor, guint class,
                             double *f1);
