/* Reads and decodes photographs ahead of their use, in a thread of its own, and delivers them in
 * the order requested. Only one thread may use a reader. */
#pragma once

#include <gdk-pixbuf/gdk-pixbuf.h>

#include "data/dataset.h"

typedef struct {
  guint index;       /* of the photograph in its dataset */
  GdkPixbuf *pixels; /* NULL: cannot be used; @error says why */
  GError *error;
} DecodedPhotograph;

typedef struct _PhotoReader PhotoReader;

/* @dataset: must outlive the reader
 * @order: (array length=n) (nullable): photographs in the order wanted; NULL: all, in the dataset's
 * order
 * Returns: (transfer full) */
PhotoReader *photo_reader_new(const Dataset *dataset, const guint *order, guint n);

/* Waits for the next photograph.
 * Returns: (transfer full) (nullable): NULL after the last one */
DecodedPhotograph *photo_reader_next(PhotoReader *reader);

void decoded_photograph_free(DecodedPhotograph *photograph);

/* Stops the thread, even if not everything was read, and frees *@reader, which may be NULL. Nulls
 * it. */
void photo_reader_free(PhotoReader **reader);

static inline void photo_reader_cleanup(PhotoReader *reader)
{
  photo_reader_free(&reader);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PhotoReader, photo_reader_cleanup)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(DecodedPhotograph, decoded_photograph_free)
