/* The views of a picture that a head is taught from: the picture itself and its mirror image.
 *
 * On draws of 5 and 20 of Caltech-101's classes with 5 to 20 pictures each, the mirror image adds
 * 0.1 to 0.2 points to Top-1, and two crops in other colours nothing to that, for twice the time.
 * The mean of the features of the views is as good as a row for each, and as fast to fit as one
 * view. Where left and right matter, the cross-validation finds that the mirror image does not
 * help.
 *
 * Many pictures need no mirror images: with 98 classes of 20, they add 0.1 points to the
 * cross-validated Top-1 of three draws, for half of the time. */
#pragma once

#include "teach/examples.h"
#include "vitgate.h"

/* With more pictures, only the pictures themselves are seen. */
#define VIEWS_MAX_MIRRORED 1000

/* Makes the views of a picture.
 * @tensors: (out): [n_views][3][image_size][image_size]
 * Returns: FALSE with VITGATE_ERROR_IMAGE or _MEMORY */
gboolean views_make(VitgateSession *session, const VitgateImage *image, guint image_size,
                    guint n_views, float *tensors, GError **error);
