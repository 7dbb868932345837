/* Regions of the key file as shares of the frame. */
#pragma once

#include <glib.h>

/* @region: (nullable): "x,y,width,height", each in pixels or, with a %-sign, as a share; NULL: all
 * @width, @height: of the frame, pixels; 0: unknown
 * @shares: (out): x, y, width and height, from 0 to 1
 * Returns: FALSE if it cannot be computed */
gboolean region_shares(const char *region, guint width, guint height, double shares[4]);
