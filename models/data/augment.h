/* How training varies photographs: a random part, mirrored or not, its colours shifted. */
#pragma once

#include "base/random.h"
#include "image/image.h"

/* Ranges and probabilities to draw from. */
typedef struct {
  double area[2];    /* share of the photograph's area that is taken: least, most */
  double aspect[2];  /* width over height of what is taken: least, most */
  double mirror;     /* probability */
  double brightness; /* 0 to 1: factors from 1 - x to 1 + x; 0: as it is */
  double contrast;   /* the same */
  double saturation; /* the same */
  double grey;       /* probability that no colour is left */
  double mixup;      /* probability that an image is blended with its neighbour in the batch */
} Augmentation;

#define AUGMENTATION_DEFAULT                                                                       \
  {                                                                                                \
    .area = { 0.35, 1 }, .aspect = { 3.0 / 4, 4.0 / 3 }, .mirror = 0.5, .brightness = 0.3,         \
    .contrast = 0.3, .saturation = 0.3                                                             \
  }

/* What was drawn for one photograph. */
typedef struct {
  double x, y, width, height; /* pixels */
  gboolean mirrored;
  double brightness, contrast, saturation; /* factors */
} Variation;

/* Returns: FALSE with COMMAND_ERROR_USAGE where a range cannot be drawn from */
gboolean augmentation_check(const Augmentation *augmentation, GError **error);

/* @width, @height: pixels of the photograph */
Variation augmentation_draw(const Augmentation *augmentation, Random *random, guint width,
                            guint height);

/* Colours are multiplied by brightness, moved away from the part's mean grey by contrast and from
 * their own grey (ITU-R BT.601) by saturation, in that order and without limits between.
 * @image: the photograph, RGB or RGBx */
ImageView variation_view(const Variation *variation, const VitgateImage *image);

/* Blends images with the next of their batch, the last with the first, in any proportion (Zhang et
 * al. 2018, the proportions drawn evenly): what a teacher says of them is new, however often the
 * photographs were seen. A blended image has no label: -1.
 * @tensors: [n][length]
 * @labels: [n] */
void augmentation_blend(const Augmentation *augmentation, Random *random, float *tensors,
                        int *labels, guint n, gsize length);
