/* The features of the pictures that were collected into a folder, also by earlier runs. They are
 * kept in a file of that folder, so that a picture that a person has moved or deleted is not
 * collected again. */
#pragma once

#include <glib.h>

/* Name of the file. */
#define KNOWN_FILE ".vitgate-collect"

typedef struct _Known Known;

/* Opens the file in @folder. A file by another model is of no use and is replaced.
 * @model: name of the model
 * @n_features: of each picture
 * @similar: cosine from which two pictures count as the same
 * Returns: (transfer full) (nullable): NULL with an error that names the file */
Known *known_new(const char *folder, const char *model, guint n_features, double similar,
                 GError **error);

/* Returns: number of pictures known */
guint known_count(const Known *known);

/* @features: [n_features]
 * Returns: whether a known picture is the same */
gboolean known_has(const Known *known, const float *features);

/* Adds a picture.
 * Returns: FALSE with an error that names the file */
gboolean known_add(Known *known, const float *features, GError **error);

/* Frees *@known and sets it to NULL; it may be NULL. */
void known_free(Known **known);
