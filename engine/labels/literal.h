/* Reads class labels from JSON and from Python literals. */
#pragma once

#include <glib.h>

/* Returns: whether the text begins like a JSON or Python dictionary or list of strings. The braces
 * or brackets may be missing if the first line is `0: 'label',` or `'label',`. */
gboolean vitgate__label_literal_matches(const char *text);

/* Reads one of these, in JSON or in Python's spelling:
 *   { "0": "tench", … }               by class, such as Hugging Face's id2label
 *   { "0": ["n01440764", "tench"], …} by class, such as Keras's class index
 *   { "tench": 0, … }                 such as Keras's class_indices and Hugging Face's label2id
 *   [ "tench", … ]                    in class order; also lists of an id and a label
 *   an object with such an object as its member "id2label" or "label2id"
 * Returns: (transfer full) (element-type LabelRow): rows, or NULL with VITGATE_ERROR_LABELS */
GArray *vitgate__label_literal_read(const char *text, const char *path, GError **error);
