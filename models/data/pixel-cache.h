/* Decoded photographs, made on first use and kept as long as the memory allowed for them lasts; the
 * others are decoded again each time. Several threads may use one at once. */
#pragma once

#include <gdk-pixbuf/gdk-pixbuf.h>

#include "data/dataset.h"

typedef struct _PixelCache PixelCache;

/* @n: photographs
 * @budget: bytes of pixels that may be kept
 * @shorter_side: pixels; what is larger is kept shrunk to this
 * Returns: (transfer full) */
PixelCache *pixel_cache_new(guint n, guint64 budget, guint shorter_side);

/* Nulls *@cache, which may be NULL. */
void pixel_cache_free(PixelCache **cache);

/* @number: of the photograph, here; it is number @index of @dataset
 * @whole: not shrunk, whatever its size
 * Returns: (transfer full) (nullable): NULL: it cannot be used, which becomes a note once and is
 * not tried again */
GdkPixbuf *pixel_cache_get(PixelCache *cache, guint number, const Dataset *dataset, guint index,
                           gboolean whole);

/* Returns: photographs found so far that cannot be used */
guint pixel_cache_count_bad(PixelCache *cache);

/* Returns: (transfer full) (element-type utf8): the notes since the last call */
GPtrArray *pixel_cache_take_notes(PixelCache *cache);
