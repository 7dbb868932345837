/* Augmentation of training photographs: a random crop, mirroring and colour changes. */
#pragma once

#include "base/random.h"
#include "image/image.h"

/* Ranges and probabilities to draw from. */
typedef struct {
  double area[2];    /* minimum and maximum share of the photograph's area in the crop */
  double aspect[2];  /* minimum and maximum width / height of the crop */
  double mirror;     /* probability */
  double brightness; /* x from 0 to 1: factors from 1 - x to 1 + x; 0: unchanged */
  double contrast;   /* like brightness */
  double saturation; /* like brightness */
  double grey;       /* probability that all colour is removed */
  double mixup;      /* probability that an image is blended with its neighbour in the batch */
} Augmentation;

#define AUGMENTATION_DEFAULT                                                                       \
  {                                                                                                \
    .area = { 0.35, 1 }, .aspect = { 3.0 / 4, 4.0 / 3 }, .mirror = 0.5, .brightness = 0.3,         \
    .contrast = 0.3, .saturation = 0.3                                                             \
  }

/* A part of a batch of @batch images. */
typedef struct {
  guint first, n, batch;
} BatchSlice;

/* The values drawn for one photograph. */
typedef struct {
  double x, y, width, height; /* pixels */
  gboolean mirrored;
  double brightness, contrast, saturation; /* factors */
} Variation;

/* Checks the ranges and probabilities.
 * Returns: FALSE with COMMAND_ERROR_USAGE if one is invalid */
gboolean augmentation_check(const Augmentation *augmentation, GError **error);

/* Draws a variation.
 * @width, @height: size of the photograph in pixels */
Variation augmentation_draw(const Augmentation *augmentation, Random *random, guint width,
                            guint height);

/* Makes the view of a photograph that a variation describes. Colours are multiplied by brightness,
 * moved away from the crop's mean grey by contrast, and moved away from their own grey (ITU-R
 * BT.601) by saturation, in that order and without clamping in between.
 * @image: the photograph, RGB or RGBx */
ImageView variation_view(const Variation *variation, const VitgateImage *image);

/* Blends images with the next image of their batch, and the last with the first (Zhang et al. 2018,
 * with uniformly distributed proportions). The teacher's output for such an image is new, however
 * often the photographs were seen. A blended image has the label -1 (none).
 * @tensors: [slice.n][length]; followed by the next image if the slice is not the whole batch
 * @labels: [slice.n]
 * @slice: the part of the batch to blend */
void augmentation_blend(const Augmentation *augmentation, Random *random, float *tensors,
                        int *labels, BatchSlice slice, gsize length);
