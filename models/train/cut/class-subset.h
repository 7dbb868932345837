/* The classes that a student keeps from its teacher, or from the model that it starts from. */
#pragma once

#include "file/description.h"

/* Reads a file with one class per line, given by its id or its label (the whole label or its first
 * name), or in another form that vitgate_labels_read() knows.
 * @n: (out): number of classes
 * Returns: (transfer full): their indices among the teacher's classes; or NULL with
 * COMMAND_ERROR_CLASS, _DATA or _IO */
guint *class_subset_read(const char *path, const Description *teacher, guint *n, GError **error);

/* Describes @teacher with only some of its classes, in the form that networks in training have.
 * @classes: (nullable) [n]; NULL: all classes
 * Returns: (transfer full): the description */
Description *class_subset_describe(const Description *teacher, const guint *classes, guint n);

/* Returns: whether both have the same classes in the same order, judged by their number and, if
 * both have them, their ids */
gboolean class_subset_equal(const Description *a, const Description *b);
