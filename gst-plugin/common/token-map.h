/* token-map.h: how many modules of the network ran for each patch of a frame, in VitgateMeta. */
#pragma once

#include <gst/video/video.h>
#include <vitgate.h>

G_BEGIN_DECLS

/* Field of a result. */
#define GST_VITGATE_TOKEN_MAPS "token-maps"

/* The patches of a view, and where they lie in a frame as it is stored. */
typedef struct {
  GstVideoRectangle place; /* of all patches; it may reach beyond the frame */
  VitgateOrientation orientation;
  const guint8 *patches; /* as in VitgateResult */
} GstVitgateTokenView;

/* A map as read from a result. */
typedef struct {
  GstVideoRectangle place;
  guint columns;      /* and rows */
  guint n_modules;    /* that could have run for each patch */
  const char *counts; /* [2 * columns * columns] two hexadecimal digits for each patch, in rows from
                         the upper left of the frame as stored */
} GstVitgateTokenMap;

/* Finds the place of the patches of @image or, if it has a part, of that.
 * @fit: of the session
 * Returns: a view without patches */
GstVitgateTokenView gst_vitgate_token_place(const VitgateModelInfo *model, VitgateFit fit,
                                            const VitgateImage *image);

/* Sets the field "token-maps" of @s.
 * @views: [n] with the results of a session that records patches */
void gst_vitgate_token_maps_set(GstStructure *s, const VitgateModelInfo *model,
                                const GstVitgateTokenView *views, guint n);

/* Sets the field "token-maps" of @to to that of @from, for a frame that is scaled.
 * @in, @out: before and after; sizes above 0 */
void gst_vitgate_token_maps_scale(const GstStructure *from, GstStructure *to,
                                  const GstVideoInfo *in, const GstVideoInfo *out);

/* Gets map @i of a result. Everything is checked, since any element may attach such a meta.
 * Returns: FALSE if there is no such map, or if it cannot be used. */
gboolean gst_vitgate_token_map_get(const GstStructure *s, guint i, GstVitgateTokenMap *map);

/* Returns: the modules that ran for the patch in @row and @column */
guint gst_vitgate_token_map_count(const GstVitgateTokenMap *map, guint row, guint column);

G_END_DECLS
