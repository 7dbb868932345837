/* A cache of decoded photographs. A photograph is decoded on first use and kept if there is room;
 * otherwise it is decoded each time. Several threads may use a cache at once. */
#pragma once

#include <gdk-pixbuf/gdk-pixbuf.h>

#include "data/dataset.h"

typedef struct _PixelCache PixelCache;

/* @n: number of photographs
 * @budget: maximum size of the pixels kept, in bytes
 * @shorter_side: pixels; larger photographs are shrunk to this before they are kept
 * Returns: (transfer full) */
PixelCache *pixel_cache_new(guint n, guint64 budget, guint shorter_side);

/* Nulls *@cache, which may be NULL. */
void pixel_cache_free(PixelCache **cache);

/* Returns a photograph, decoding it if needed.
 * @number: the photograph's number in the cache; its index in @dataset is @index
 * @whole: do not shrink it, whatever its size
 * Returns: (transfer full) (nullable): NULL if it cannot be used. This adds a note once, and the
 * photograph is not tried again. */
GdkPixbuf *pixel_cache_get(PixelCache *cache, guint number, const Dataset *dataset, guint index,
                           gboolean whole);

/* Returns: the number of photographs found so far that cannot be used */
guint pixel_cache_count_bad(PixelCache *cache);

/* Returns: (transfer full) (element-type utf8): the notes added since the last call */
GPtrArray *pixel_cache_take_notes(PixelCache *cache);
