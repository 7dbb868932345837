/* Reads the keys of a key file by tables. Each key has a kind, a range and a place in a structure.
 */
#pragma once

#include <gio/gio.h>

typedef enum {
  KEY_TEXT,    /* char *, not empty */
  KEY_PATH,    /* char *, made absolute from the key file's folder */
  KEY_SOURCE,  /* char *, a name that starts with sha256:, http:// or https://, or as KEY_PATH */
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
  double min, max; /* range of numbers */
  const char *const *choices;
} Key;

#define DAY 86400.0 /* seconds */

/* Group of the keys that apply to all cameras and looks. */
#define DEFAULTS "defaults"

/* The file that keys are read from. */
typedef struct {
  const char *path; /* of the file, for messages */
  char *folder;     /* relative paths start here */
  GKeyFile *file;
  const char *text;   /* (nullable): of the file; errors say the line if it is set */
  gboolean elsewhere; /* for other machines: the files that it names need not exist here */
} KeySource;

/* Skips the byte order mark that editors on Windows write at the start of a UTF-8 file.
 * Returns: (transfer none): the rest of @text */
const char *text_after_mark(const char *text);

/* Sets the error "FILE: [group] key: reason", without the secrets in URLs. @key may be NULL.
 * Returns: FALSE */
gboolean key_fail(const KeySource *source, const char *group, const char *key, GError **error,
                  const char *format, ...) G_GNUC_PRINTF(5, 6);

/* Returns: (transfer full): a table of the keys of @own, then those of @part, which is the table of
 * a structure at @offset in that of @own */
Key *keys_join(const Key *own, const Key *part, gsize offset);

/* Reads the keys of @group into @structure; text that is already there is freed. A key that is not
 * in @keys is an error. @keys ends with a key without a name. */
gboolean keys_read(const KeySource *source, const char *group, const Key *keys, void *structure,
                   GError **error);

/* Does the same, but skips keys that are not in @keys, and a group that does not exist. */
gboolean keys_read_some(const KeySource *source, const char *group, const Key *keys,
                        void *structure, GError **error);

/* Copies a structure of @size bytes with its values, for keys_clear(). */
void keys_copy(const Key *keys, void *copy, const void *structure, gsize size);

/* Frees the values that keys_read() stored in @structure. */
void keys_clear(const Key *keys, void *structure);

/* Returns: (transfer full): all values of @structure as text, which can be compared */
char *keys_fingerprint(const Key *keys, const void *structure);

/* Checks that each line is a key, a group or a comment. GKeyFile's error would show a line that may
 * be a password.
 * @text: the contents of the file */
gboolean keys_check_lines(const KeySource *source, const char *text, GError **error);

/* Checks for duplicate groups and keys. GKeyFile would merge groups of the same name and use the
 * last key of the same name.
 * @text: the contents of the file, which GKeyFile has accepted */
gboolean keys_check_unique(const KeySource *source, const char *text, GError **error);
