#include "data/pixel-cache.h"

#include "base/command-error.h"

typedef struct {
  GdkPixbuf *pixels; /* NULL: not decoded, or no room */
  gboolean shrunk, bad;
} Entry;

struct _PixelCache {
  guint n, shorter_side;
  GMutex lock; /* protects all members below */
  Entry *entries;
  guint64 room; /* bytes */
  guint n_bad;
  GPtrArray *notes;
};

PixelCache *pixel_cache_new(guint n, guint64 budget, guint shorter_side)
{
  PixelCache *cache = g_new0(PixelCache, 1);
  cache->n = n;
  cache->shorter_side = shorter_side;
  cache->room = budget;
  cache->entries = g_new0(Entry, n);
  cache->notes = g_ptr_array_new_with_free_func(g_free);
  g_mutex_init(&cache->lock);
  return cache;
}

void pixel_cache_free(PixelCache **cache)
{
  PixelCache *freeing = g_steal_pointer(cache);
  if (!freeing)
    return;
  for (guint i = 0; i < freeing->n; i++)
    g_clear_object(&freeing->entries[i].pixels);
  g_free(freeing->entries);
  g_ptr_array_unref(freeing->notes);
  g_mutex_clear(&freeing->lock);
  g_free(freeing);
}

static gboolean is_large(const PixelCache *cache, const GdkPixbuf *pixels)
{
  return (guint)MIN(gdk_pixbuf_get_width(pixels), gdk_pixbuf_get_height(pixels)) >
         cache->shorter_side;
}

/* In gdk-pixbuf, bilinear shrinking is antialiased: every source pixel counts by the area that it
 * covers.
 * Returns: (transfer full) (nullable): NULL if out of memory */
static GdkPixbuf *shrink(const PixelCache *cache, const GdkPixbuf *pixels)
{
  const gint64 width = gdk_pixbuf_get_width(pixels), height = gdk_pixbuf_get_height(pixels);
  const gint64 shorter = MIN(width, height), wanted = cache->shorter_side;
  return gdk_pixbuf_scale_simple(pixels, (int)((width * wanted + shorter / 2) / shorter),
                                 (int)((height * wanted + shorter / 2) / shorter),
                                 GDK_INTERP_BILINEAR);
}

static GdkPixbuf *decode(const PixelCache *cache, const Dataset *dataset, guint index,
                         gboolean whole, gboolean *shrunk, GError **error)
{
  g_autoptr(GdkPixbuf) pixels = dataset_decode(dataset, index, error);
  *shrunk = pixels && !whole && is_large(cache, pixels);
  if (!*shrunk)
    return g_steal_pointer(&pixels);
  GdkPixbuf *smaller = shrink(cache, pixels);
  if (!smaller)
    g_set_error(error, COMMAND_ERROR, COMMAND_ERROR_DATA, "is too large to shrink");
  return smaller;
}

/* Keeps decoded pixels if there is room and no other thread was faster. */
static void keep(PixelCache *cache, guint number, GdkPixbuf *pixels, gboolean shrunk)
{
  const gsize n_bytes = gdk_pixbuf_get_byte_length(pixels);
  g_mutex_lock(&cache->lock);
  Entry *entry = &cache->entries[number];
  if (!entry->pixels && n_bytes <= cache->room) {
    entry->pixels = g_object_ref(pixels);
    entry->shrunk = shrunk;
    cache->room -= n_bytes;
  }
  g_mutex_unlock(&cache->lock);
}

static void note_bad(PixelCache *cache, guint number, const Dataset *dataset, guint index,
                     const GError *wrong)
{
  g_autofree char *name = g_filename_display_name(dataset_get(dataset, index)->name);
  g_mutex_lock(&cache->lock);
  if (!cache->entries[number].bad) {
    cache->entries[number].bad = TRUE;
    cache->n_bad++;
    g_ptr_array_add(cache->notes, g_strdup_printf("skipped %s: %s", name, wrong->message));
  }
  g_mutex_unlock(&cache->lock);
}

GdkPixbuf *pixel_cache_get(PixelCache *cache, guint number, const Dataset *dataset, guint index,
                           gboolean whole)
{
  g_mutex_lock(&cache->lock);
  const Entry *entry = &cache->entries[number];
  const gboolean usable = entry->pixels && !(whole && entry->shrunk), bad = entry->bad;
  GdkPixbuf *kept = usable ? g_object_ref(entry->pixels) : NULL;
  g_mutex_unlock(&cache->lock);
  if (kept || bad)
    return kept;

  g_autoptr(GError) wrong = NULL;
  gboolean shrunk;
  GdkPixbuf *pixels = decode(cache, dataset, index, whole, &shrunk, &wrong);
  if (!pixels)
    note_bad(cache, number, dataset, index, wrong);
  else if (shrunk || !is_large(cache, pixels))
    keep(cache, number, pixels, shrunk);
  return pixels;
}

guint pixel_cache_count_bad(PixelCache *cache)
{
  g_mutex_lock(&cache->lock);
  guint n = cache->n_bad;
  g_mutex_unlock(&cache->lock);
  return n;
}

GPtrArray *pixel_cache_take_notes(PixelCache *cache)
{
  GPtrArray *fresh = g_ptr_array_new_with_free_func(g_free);
  g_mutex_lock(&cache->lock);
  GPtrArray *notes = cache->notes;
  cache->notes = fresh;
  g_mutex_unlock(&cache->lock);
  return notes;
}
