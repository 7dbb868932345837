/* The files that a model was read from. They show whether a path still leads to the same content,
 * without reading it again. */
#pragma once

#include "file/stamp.h"

typedef struct _Identity Identity;

/* Returns: (transfer full): an identity without files */
Identity *vitgate__identity_new(void);

/* Frees *@identity and sets it to NULL. *@identity may be NULL. */
void vitgate__identity_free(Identity **identity);

/* Take the stamp before you read the file. If the file is replaced in between, it is then read
 * again and not mistaken for the old one. Returns: the stamp of the file at @path; zeros if there
 * is none */
FileStamp vitgate__stamp_of_path(const char *path);

/* Adds a file that was read, or looked for but absent. The first is the one that was asked for; the
 * others are in its folder. */
void vitgate__identity_add(Identity *identity, const char *path, FileStamp stamp);

/* @stamp: of @path
 * Returns: whether opening @path would read the same files with the same content */
gboolean vitgate__identity_matches(const Identity *identity, const char *path, FileStamp stamp);

/* Returns: the same for all files except the first, @path: FALSE if a file beside it was replaced
 */
gboolean vitgate__identity_matches_folder(const Identity *identity, const char *path);
