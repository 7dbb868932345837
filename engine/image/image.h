/* Converts a frame to the input of the network: resize, crop, colour conversion, normalisation. */
#pragma once

#include "base/team.h"
#include "file/description.h"

typedef struct _ImageConverter ImageConverter;

/* @size: side of the network's input in pixels
 * @preprocessing: must outlive the converter
 * Returns: (transfer full): the converter */
ImageConverter *vitgate__image_converter_new(guint size, const Preprocessing *preprocessing);

void vitgate__image_converter_free(ImageConverter **converter);

/* Makes the members of @team share each image from now on. @team must outlive @converter. The
 * members stay awake after an image, since they usually run the network on it next. */
void vitgate__image_converter_set_team(ImageConverter *converter, Team *team);

/* Returns: FALSE with VITGATE_ERROR_IMAGE if the image or its part is none that can be converted */
gboolean vitgate__image_check(const VitgateImage *image, GError **error);

/* Converts an image.
 * @tensor: (out caller-allocates): [3][size][size]
 * Returns: FALSE with VITGATE_ERROR_IMAGE or _MEMORY */
gboolean vitgate__image_convert(ImageConverter *converter, float *tensor, const VitgateImage *image,
                                GError **error);

/* Finds the part of an image that vitgate__image_convert() converts.
 * @part: (out): as stored
 * Returns: FALSE with VITGATE_ERROR_IMAGE */
gboolean vitgate__image_get_view(const ImageConverter *converter, const VitgateImage *image,
                                 VitgateRectangle *part, GError **error);

/* A part of an image to use instead of the centre crop, and changes to it, for training: each time,
 * a photograph looks different. */
typedef struct {
  double x, y, width,
      height;          /* the part that fills the network's input, in pixels or fractions of
                          them; resampling reads beyond its edges, up to those of the image */
  gboolean mirrored;   /* left and right are swapped */
  double matrix[3][3]; /* R'G'B' from 0 to 255 become matrix * R'G'B' + offset, */
  double offset[3];    /* clamped to 0 to 255 */
} ImageView;

/* Converts @view of an image.
 * Returns: FALSE with VITGATE_ERROR_IMAGE, also if the part is not within the image, or _MEMORY */
gboolean vitgate__image_convert_view(ImageConverter *converter, float *tensor,
                                     const VitgateImage *image, const ImageView *view,
                                     GError **error);
