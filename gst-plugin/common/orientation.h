/* orientation.h: how frames are to be turned upright: by a property, or by the stream's
 * image-orientation tag, which phones and some cameras set. */
#pragma once

#include <gst/video/video.h>
#include <vitgate.h>

G_BEGIN_DECLS

/* Values of a property of this type are those of VitgateOrientation, or
 * GST_VITGATE_ORIENTATION_AUTO: as the tag says. */
#define GST_TYPE_VITGATE_ORIENTATION (gst_vitgate_orientation_get_type())
#define GST_VITGATE_ORIENTATION_AUTO GST_VIDEO_ORIENTATION_AUTO
GType gst_vitgate_orientation_get_type(void);

/* What the tags of a stream said last. The stream's own tag wins over that of its container. */
typedef struct {
  gboolean has_stream, has_global;
  VitgateOrientation of_stream, of_container;
  guint group; /* of streams that belong together; 0: unknown */
} GstVitgateOrientationTags;

/* Reads @event if it concerns the tags: TAG, or STREAM_START, which ends the validity of earlier
 * ones. */
void gst_vitgate_orientation_tags_read(GstVitgateOrientationTags *tags, GstEvent *event);

/* @property: a value of GST_TYPE_VITGATE_ORIENTATION */
VitgateOrientation gst_vitgate_orientation_choose(const GstVitgateOrientationTags *tags,
                                                  gint property);

/* Returns: whether width and height are exchanged. */
gboolean gst_vitgate_orientation_is_lying(VitgateOrientation orientation);

/* Finds where a rectangle of the upright picture lies in the stored frame.
 * @width, @height: of the stored frame
 * @x, @y, @w, @h: (inout): the rectangle */
void gst_vitgate_orientation_to_stored(VitgateOrientation orientation, gint width, gint height,
                                       gint *x, gint *y, gint *w, gint *h);

/* Finds where a rectangle of the stored frame lies in the upright picture.
 * @width, @height: of the stored frame
 * @x, @y, @w, @h: (inout): the rectangle */
void gst_vitgate_orientation_to_upright(VitgateOrientation orientation, gint width, gint height,
                                        gint *x, gint *y, gint *w, gint *h);

G_END_DECLS
