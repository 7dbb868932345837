/* meta.h: registers VitgateMeta, which follows its frame when that is scaled. */
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

/* Registers GST_VITGATE_META with GStreamer. Call it before any is attached.
 *
 * Its tags are those of GstVideoRegionOfInterestMeta, since it holds regions too: elements that
 * change a frame's geometry and do not say how drop it. */
void gst_vitgate_meta_register(void);

G_END_DECLS
