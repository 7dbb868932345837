/* Photographs, read and decoded ahead of their use in a thread of its own and handed over in the
 * order asked for. One thread uses a loader. */
#pragma once

#include <gdk-pixbuf/gdk-pixbuf.h>

#include "data/dataset.h"

typedef struct {
  guint index;       /* of the photograph in its dataset */
  GdkPixbuf *pixels; /* NULL: it cannot be used, and @error says why */
  GError *error;
} Sample;

typedef struct _Loader Loader;

/* @dataset: must outlive the loader
 * @order: (array length=n) (nullable): photographs in the order wanted; NULL: all, in their order
 * Returns: (transfer full) */
Loader *loader_new(const Dataset *dataset, const guint *order, guint n);

/* Waits for the next photograph.
 * Returns: (transfer full) (nullable): NULL after the last one */
Sample *loader_next(Loader *loader);

void sample_free(Sample *sample);

/* Ends the thread, whether or not all was read. Nulls *@loader, which may be NULL. */
void loader_free(Loader **loader);

static inline void loader_cleanup(Loader *loader)
{
  loader_free(&loader);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Loader, loader_cleanup)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Sample, sample_free)
