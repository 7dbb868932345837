/* The names in the labels of classes. "beach wagon, station wagon" has two names and is itself a
 * name. Upper and lower case are the same. */
#pragma once

#include <glib.h>

/* Returns: (transfer full): @text without surrounding spaces, in a form for label_is_called() */
char *label_fold(const char *text);

/* @class: label of a class
 * @folded: as label_fold() returns it
 * Returns: whether @folded is the whole label, or one of the names in it */
gboolean label_is_called(const char *class, const char *folded);

/* Finds names that a user may have meant: those that contain the word, or that differ from it by a
 * few letters.
 * @classes: (element-type utf8): labels of classes
 * @max: maximum number of names
 * Returns: (transfer full): the best names first; empty if none is similar */
GStrv label_find_similar(const GPtrArray *classes, const char *wanted, guint max);
