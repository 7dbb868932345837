/* What the ranks of a lesson have to agree on. They share out the pictures; the first rank fits the
 * head, tunes and writes. With one rank, the checks pass at once. */
#pragma once

#include "teach/pictures.h"

/* Checks that all ranks opened the base, and that it is the same file.
 * @fine: whether this rank succeeded; if not, @error is set
 * Returns: FALSE with COMMAND_ERROR_* on all ranks if not */
gboolean lesson_agree_on_base(const char *path, gboolean fine, GError **error);

/* The same for the list of pictures and their classes.
 * @pictures: (nullable): NULL: this rank failed */
gboolean lesson_agree_on_pictures(const Pictures *pictures, GError **error);
