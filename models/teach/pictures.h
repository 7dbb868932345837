/* The pictures to teach from: their files, and the classes that they show. */
#pragma once

#include "data/dataset.h"

/* Minimum number of pictures of a class: one to learn from, one to check with. */
#define PICTURES_MIN 2

typedef struct {
  const Dataset *dataset;
  guint index;     /* in the dataset */
  char *path;      /* for people: the data's path and the picture's name in it */
  char *folder;    /* the path without the file's name */
  GArray *classes; /* (element-type guint): in Pictures.labels; none: it shows none of them */
  guint64 hash;    /* of the file's content; 0: it cannot be read */
  gint64 time;     /* SHOT_TIME_UNKNOWN, or seconds */
} Picture;

typedef struct {
  GPtrArray *datasets; /* (element-type Dataset) */
  GPtrArray *pictures; /* (element-type Picture) */
  GPtrArray *labels;   /* (element-type utf8): of the classes, in the order of strcmp() */
  guint n_repeated;    /* pictures left out, since another file of the same class is the same */
  gboolean listed;     /* labels.tsv names classes */
  guint n_unlabelled;  /* pictures left out, since nothing says what they show */
} Pictures;

/* Opens datasets. With labels.tsv, its ids are the labels (or its class indices, without ids), and
 * commas separate those of a picture that shows several. Otherwise each top folder is a class; one
 * folder that contains everything does not count.
 * @several: a picture may show several classes, or none
 * Returns: (transfer full): or NULL with COMMAND_ERROR_IO or _DATA */
Pictures *pictures_open(const char *const *paths, gboolean several, DecodeOrientation orientation,
                        GError **error);

/* Opens datasets of pictures whose classes do not matter. */
Pictures *pictures_open_unlabelled(const char *const *paths, DecodeOrientation orientation,
                                   GError **error);

/* Reads the files once, for their hashes and times, and joins those with the same content.
 * Returns: FALSE with COMMAND_ERROR_DATA if the same picture is in two classes, unless a picture
 * may show several */
gboolean pictures_identify(Pictures *pictures, gboolean several, GError **error);

/* Frees *@pictures, which may be NULL, and nulls it. */
void pictures_free(Pictures **pictures);

static inline const Picture *pictures_get(const Pictures *pictures, guint index)
{
  return g_ptr_array_index(pictures->pictures, index);
}

static inline void pictures_cleanup(Pictures *pictures)
{
  pictures_free(&pictures);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Pictures, pictures_cleanup)
