/* Keys of a key file, read by tables: each key has a kind, a range and a place in a structure. */
#pragma once

#include <gio/gio.h>

typedef enum {
  KEY_TEXT,    /* char *, not empty */
  KEY_PATH,    /* char *, made absolute from the key file's folder */
  KEY_LIST,    /* char **, separated by semicolons */
  KEY_SWITCH,  /* gboolean */
  KEY_CHOICE,  /* an enum or guint: index of @choices */
  KEY_COUNT,   /* guint */
  KEY_SIZE,    /* guint64, bytes: 4096, 64K, 10M, 2G */
  KEY_SECONDS, /* double */
  KEY_RATIO,   /* double */
} KeyKind;

typedef struct {
  const char *name;
  KeyKind kind;
  gsize offset;
  double least, most; /* of numbers */
  const char *const *choices;
} Key;

/* Where keys are read from. */
typedef struct {
  const char *path; /* of the file, for messages */
  char *folder;     /* that relative paths start from */
  GKeyFile *file;
} KeySource;

/* Sets "FILE: [group] key: reason"; @key may be NULL. Returns: FALSE */
gboolean key_fail(const KeySource *source, const char *group, const char *key, GError **error,
                  const char *format, ...) G_GNUC_PRINTF(5, 6);

/* Reads those keys of @keys that @group has into @structure, where text is replaced. Any other key
 * is an error. @keys ends with a key without name. */
gboolean keys_read(const KeySource *source, const char *group, const Key *keys, void *structure,
                   GError **error);

/* Frees what keys_read() has put into @structure. */
void keys_clear(const Key *keys, void *structure);

/* Returns: (transfer full): all values of @structure as text, equal where all are */
char *keys_fingerprint(const Key *keys, const void *structure);

/* GKeyFile joins groups of one name and takes the last of keys of one name: here each is an error.
 * @text: what is in the file, which GKeyFile has taken */
gboolean keys_check_unique(const KeySource *source, const char *text, GError **error);
