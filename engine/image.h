/* From a frame's bytes to the network's input: resize, crop, colours and normalisation. */
#pragma once

#include "description.h"

typedef struct _ImageConverter ImageConverter;

/* @size: pixels of a side of the network's input
 * Returns: (transfer full): a converter that follows @preprocessing, which must outlive it */
ImageConverter *vitgate__image_converter_new(guint size, const Preprocessing *preprocessing);

void vitgate__image_converter_free(ImageConverter **converter);

/* @tensor: (out caller-allocates): [3][size][size]
 * Returns: FALSE with VITGATE_ERROR_IMAGE or _MEMORY */
gboolean vitgate__image_convert(ImageConverter *converter, float *tensor, const VitgateImage *image,
                                GError **error);
