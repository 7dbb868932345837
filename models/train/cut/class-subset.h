/* The classes that a student keeps of its teacher's, or of the model that it begins with. */
#pragma once

#include "file/description.h"

/* Reads a file with one class a line, by id or by label (whole, or its first name).
 * @n: (out)
 * Returns: (transfer full): their numbers among the teacher's, or NULL with COMMAND_ERROR_CLASS,
 * _DATA or _IO */
guint *class_subset_read(const char *path, const Description *teacher, guint *n, GError **error);

/* Returns: (transfer full): @teacher with those classes alone, as a network in training has it;
 * NULL takes all of them */
Description *class_subset_describe(const Description *teacher, const guint *classes, guint n);

/* Returns: whether both know the same classes, in the same order, as far as their ids tell */
gboolean class_subset_equal(const Description *a, const Description *b);
