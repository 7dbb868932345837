/* Changes single keys of a key file's text. Everything else stays as it is, byte by byte. */
#pragma once

#include <glib.h>

/* @text: of a valid key file
 * @value: (nullable): NULL removes the key
 * Returns: (transfer full) (nullable): the new text; NULL if there is no such group */
char *key_edit(const char *text, const char *group, const char *key, const char *value);

/* Returns: whether the group has the key */
gboolean key_edit_has(const char *text, const char *group, const char *key);

/* Replaces a key file in one step, with the mode that it has. A symbolic link stays.
 * Returns: FALSE with an error that names the file */
gboolean key_edit_write(const char *path, const char *text, GError **error);
