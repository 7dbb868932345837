/* The distance of a picture from the classes, by which the engine finds pictures of none of them
 * (FORMAT.md, "Pictures of none of the classes"). */
#pragma once

#include "teach/cross.h"
#include "teach/examples.h"

/* How far the classes' points are from 0, relative to their means. */
#define OWN_DISTANCE_REACH 5.0

/* A picture's features, whitened, are compared with one point for each class. The whitening makes
 * the covariance within classes the identity; it is shrunk towards a multiple of the identity by
 * the oracle approximating estimator (OAS: Chen, Wiesel, Eldar, Hero 2010, equation 23).
 *
 * The points are the classes' whitened means, all made equally long and OWN_DISTANCE_REACH times as
 * far away. So the direction of the features counts most, and their length a little: features of
 * unknown things are short, and therefore near to all means: with the means themselves, the AUROC
 * of tests/bench/teach-draws is lower. */
typedef struct {
  guint n_features, n_classes;
  double *whitening;    /* [n_features][n_features] */
  double *points;       /* [n_classes][n_features] */
  double median, limit; /* of the distances of the classes' own pictures: half of them, and with a
                           confidence of 90 % at least 95 %, are nearer */
} OwnDistance;

/* @none: class whose pictures do not count for median and limit; -1: none
 * Returns: (transfer full): with median and limit by cross-validation */
OwnDistance *own_distance_new(const Examples *examples, const Cross *cross, int none,
                              double *distances);

/* Frees *@distance, which may be NULL, and nulls it. */
void own_distance_free(OwnDistance **distance);

/* Returns: the distance of features[n_features] from the nearest class */
double own_distance_find(const OwnDistance *distance, const float *features);

/* Returns: the probability that an other picture is farther than an own one (AUROC); equal ones
 * count half */
double own_distance_auroc(const double *own, guint n_own, const double *others, guint n_others);
