/* fixed-region.h: the part of the frame that a user chose, in pixels or in shares of the frame. */
#pragma once

#include <vitgate.h>

G_BEGIN_DECLS

/* What is said before an error of one. */
#define GST_VITGATE_BAD_REGION "Cannot look at the region"

/* A length along one side of the frame. */
typedef struct {
  double value;   /* pixels, or a share from 0 to 1 */
  gboolean share; /* of the frame's width or height */
} GstVitgateLength;

/* A region that is all zero is the whole frame. */
typedef struct {
  gboolean set;
  GstVitgateLength x, y, width, height;
} GstVitgateFixedRegion;

/* Reads "x,y,width,height". Each is a whole number of pixels or, with a %-sign, a share of the
 * frame that may have decimals.
 * @text: (nullable): NULL, or empty, is the whole frame
 * Returns: FALSE with @error set to GST_RESOURCE_ERROR_SETTINGS if @text is no region of any frame;
 * @region is unchanged then. */
gboolean gst_vitgate_fixed_region_parse(const char *text, GstVitgateFixedRegion *region,
                                        GError **error);

/* Returns: FALSE with @error set to GST_RESOURCE_ERROR_SETTINGS if @region reaches beyond a frame
 * of
 * @width x @height. */
gboolean gst_vitgate_fixed_region_check(const GstVitgateFixedRegion *region, guint width,
                                        guint height, GError **error);

gboolean gst_vitgate_fixed_region_equal(const GstVitgateFixedRegion *a,
                                        const GstVitgateFixedRegion *b);

/* Finds the region in a frame. Its edges are rounded to whole pixels, so that regions that share an
 * edge share no pixels; a share of the frame has at least one.
 * @width, @height: of the frame; at least 1
 * @place: (out)
 * Returns: FALSE if the region reaches beyond the frame. */
gboolean gst_vitgate_fixed_region_place(const GstVitgateFixedRegion *region, guint width,
                                        guint height, VitgateRectangle *place);

G_END_DECLS
