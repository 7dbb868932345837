/* The features that a taught model keeps, so that it can be taught more without the old pictures.
 *
 * The tensor teach.features has a row for each view of each picture, as 8-bit integers. The object
 * "teach" of the description has, besides "views" (the number of rows):
 *   "per_picture": number of views of each picture; the first is the picture itself
 *   "shown": for each picture, its class, or an array of classes if pictures may show several
 *   "groups": for each picture, the number of its group
 *   "hashes": 16 hexadecimal digits for each picture, by which it is recognised: the first 8 bytes
 *     of the SHA-256 of its file, as a little-endian number
 *   "left_out": number of pictures that were left out for their size
 *   "tuned": true if the network was trained with them, by --fine-tune
 *   "base_bytes": size of the tensors and the description of the model that was taught first */
#pragma once

#include "file/source.h"
#include "teach/examples.h"
#include "write/encoded-tensors.h"

/* Maximum size of what is stored, in bytes. */
#define STORED_EXAMPLES_MAX 1000000

/* @description: of @source's file, which has the object
 * Returns: (transfer full): its examples, with the model's labels; or NULL with
 * VITGATE_ERROR_METADATA or _IO */
Examples *stored_examples_read(const Source *source, const Description *description,
                               GError **error);

/* Encodes examples within a budget: all views if they fit, otherwise the first of each, otherwise
 * that of a sample with as many pictures of each class.
 * @budget: bytes in the file
 * @storage: (out) (transfer full): their tensors; NULL if not even two pictures of each class fit
 * @n_stored: (out): number of pictures
 * Returns: (transfer full) (nullable): the object */
JsonObject *stored_examples_write(const Examples *examples, gboolean several, gint64 budget,
                                  EncodedTensors **storage, guint *n_stored);
