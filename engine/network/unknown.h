/* How sure it is that an image is of none of the classes: its distance from the nearest class among
 * the distances of the classes' own pictures. */
#pragma once

#include "file/description.h"
#include "network/linear.h"

/* Zero if the model has none. */
typedef struct {
  Linear whitening; /* [n_features] to [n_features], float32 at every precision */
  float *means;     /* [n_classes][n_features] of whitened features */
} UnknownLayers;

/* Returns: the score of whitened features, from 0 to 1: 0.5 at the median of the scale, 0.95 at its
 * limit, 1 for features that are not numbers
 * @whitened: [n] features; @means: [n_classes][n] */
float vitgate__unknown_score(const UnknownScale *scale, const float *whitened, const float *means,
                             guint n_classes, guint n);
