/* The files that a model was read from: whether a path still leads to the same ones is known
 * without reading them again. */
#pragma once

#include "file/stamp.h"

typedef struct _Identity Identity;

/* Returns: (transfer full): an identity without files */
Identity *vitgate__identity_new(void);

/* Nulls *@identity, which may be NULL. */
void vitgate__identity_free(Identity **identity);

/* Returns: the stamp of the file at @path; zeros if there is none. Take it before you read the
 * file: a file that is replaced in between is then read again, instead of being taken for the old
 * one. */
FileStamp vitgate__stamp_of_path(const char *path);

/* Adds a file that was read, or that was looked for and is absent. The first one is the one that
 * was asked for; the others are in its folder. */
void vitgate__identity_add(Identity *identity, const char *path, FileStamp stamp);

/* @stamp: of @path
 * Returns: whether opening @path would read these very files */
gboolean vitgate__identity_matches(const Identity *identity, const char *path, FileStamp stamp);

/* The same of all files but the first one, @path: whether what is beside it was replaced. */
gboolean vitgate__identity_matches_folder(const Identity *identity, const char *path);
