/* From a frame's bytes to the network's input: resize, crop, colours and normalisation. */
#pragma once

#include "base/team.h"
#include "file/description.h"

typedef struct _ImageConverter ImageConverter;

/* @size: pixels of a side of the network's input
 * Returns: (transfer full): a converter that follows @preprocessing, which must outlive it */
ImageConverter *vitgate__image_converter_new(guint size, const Preprocessing *preprocessing);

void vitgate__image_converter_free(ImageConverter **converter);

/* Lets the members of @team, which must outlive @converter, share each image from now on. What is
 * converted is then run on them next: they stay awake for it. */
void vitgate__image_converter_set_team(ImageConverter *converter, Team *team);

/* @tensor: (out caller-allocates): [3][size][size]
 * Returns: FALSE with VITGATE_ERROR_IMAGE or _MEMORY */
gboolean vitgate__image_convert(ImageConverter *converter, float *tensor, const VitgateImage *image,
                                GError **error);

/* What to take of an image in place of the centre crop, and what to change on the way: training
 * shows a photograph differently each time. */
typedef struct {
  double x, y, width, height; /* the part, in pixels of the image and not necessarily whole ones,
                                 that fills the network's input; resampling reads across its edges
                                 where the image goes on */
  gboolean mirrored;          /* left and right change places */
  double matrix[3][3];        /* R'G'B' of 0 to 255 become matrix * R'G'B' + offset, */
  double offset[3];           /* kept within 0 to 255 */
} ImageView;

/* The same for @view of @image.
 * Returns: FALSE with VITGATE_ERROR_IMAGE, also for a part that is not within the image, or
 * _MEMORY */
gboolean vitgate__image_convert_view(ImageConverter *converter, float *tensor,
                                     const VitgateImage *image, const ImageView *view,
                                     GError **error);
