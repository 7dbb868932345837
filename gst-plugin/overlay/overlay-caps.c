/* overlay-caps.c: the caps of an overlay element. */
#include "overlay/overlay-caps.h"

#define FEATURE GST_CAPS_FEATURE_META_GST_VIDEO_OVERLAY_COMPOSITION

static gboolean has_feature(const GstCaps *caps, guint i)
{
  const GstCapsFeatures *features = gst_caps_get_features(caps, i);

  return !gst_caps_features_is_any(features) && gst_caps_features_contains(features, FEATURE);
}

gboolean gst_vitgate_overlay_caps_attach(const GstCaps *caps)
{
  return has_feature(caps, 0);
}

/* Adds structure @i of @from to @to, with or without the feature. */
static void append(GstCaps *to, const GstCaps *from, guint i, gboolean with)
{
  GstCapsFeatures *features = gst_caps_features_copy(gst_caps_get_features(from, i));

  if (with && !gst_caps_features_contains(features, FEATURE))
    gst_caps_features_add(features, FEATURE);
  else if (!with)
    gst_caps_features_remove(features, FEATURE);
  gst_caps_append_structure_full(to, gst_structure_copy(gst_caps_get_structure(from, i)), features);
}

GstCaps *gst_vitgate_overlay_caps_transform(const GstCaps *caps, GstPadDirection direction)
{
  static GstStaticCaps blended =
      GST_STATIC_CAPS(GST_VIDEO_CAPS_MAKE(GST_VIDEO_OVERLAY_COMPOSITION_BLEND_FORMATS));
  GstCaps *result = gst_caps_new_empty(), *all = gst_static_caps_get(&blended);

  for (guint i = 0; i < gst_caps_get_size(caps); i++) {
    if (gst_caps_features_is_any(gst_caps_get_features(caps, i)))
      continue;
    if (direction == GST_PAD_SINK || has_feature(caps, i))
      append(result, caps, i, TRUE);
    if (direction == GST_PAD_SRC && has_feature(caps, i))
      append(result, caps, i, FALSE);
  }
  result = gst_caps_merge(result,
                          gst_caps_intersect_full((GstCaps *)caps, all, GST_CAPS_INTERSECT_FIRST));
  gst_caps_unref(all);
  return result;
}

GstCaps *gst_vitgate_overlay_caps_restrict(GstCaps *caps, const GstCaps *peer)
{
  for (guint i = 0; i < gst_caps_get_size(peer); i++)
    if (has_feature(peer, i))
      return caps;
  caps = gst_caps_make_writable(caps);
  for (guint i = gst_caps_get_size(caps); i-- > 0;)
    if (has_feature(caps, i))
      gst_caps_remove_structure(caps, i);
  return caps;
}
