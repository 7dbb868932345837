/* The members of one JSON object of a file, read with their limits; every error names the file and
 * the field, what was found and what was expected. */
#pragma once

#include <json-glib/json-glib.h>

#include "vitgate.h"

typedef struct _JsonFields {
  const char *path;   /* of the file */
  const char *what;   /* kind of field, for errors: "field" or "metadata field" */
  JsonObject *object; /* NULL: the member that should hold it is no object */
  GError **error;
} JsonFields;

/* Returns: FALSE with an error @code that says that @field is not as @expected */
gboolean vitgate__field_refuse(const JsonFields *fields, VitgateError code, const char *field,
                               const char *expected);

/* Returns: FALSE with VITGATE_ERROR_METADATA, otherwise as vitgate__field_refuse() */
gboolean vitgate__field_fail(const JsonFields *fields, const char *field, const char *expected);

/* Returns: whether @field is there and is not null */
gboolean vitgate__fields_has(const JsonFields *fields, const char *field);

/* Checks an optional field: a number that the weights imply, or one of the NULL terminated @words.
 * Returns: TRUE if it is absent; FALSE with VITGATE_ERROR_METADATA or _UNSUPPORTED */
gboolean vitgate__field_check_count(const JsonFields *fields, const char *field, guint value);
gboolean vitgate__field_check_word(const JsonFields *fields, const char *field,
                                   const char *const *words);

/* Reads an optional field, which keeps *@flag if it is absent.
 * Returns: FALSE with VITGATE_ERROR_METADATA */
gboolean vitgate__field_read_flag(const JsonFields *fields, const char *field, gboolean *flag);

/* Returns: the fields of the object @field, whose object is NULL if @field is no object */
JsonFields vitgate__fields_inside(const JsonFields *fields, const char *field);

/* Each reads a field that must be there and have a value of that type within those limits.
 * Returns: FALSE with VITGATE_ERROR_METADATA */
gboolean vitgate__read_uint(const JsonFields *fields, const char *field, guint min, guint max,
                            guint *value);
gboolean vitgate__read_bool(const JsonFields *fields, const char *field, gboolean *value);

/* The number must be above 0 and at most @max. */
gboolean vitgate__read_number(const JsonFields *fields, const char *field, double max,
                              double *value);

/* Reads red, green and blue.
 * @min, @max: limits of each */
gboolean vitgate__read_rgb(const JsonFields *fields, const char *field, double min, double max,
                           float rgb[3]);

/* Reads one of the NULL terminated @words.
 * @index: (out): its place among them
 * Returns: FALSE with VITGATE_ERROR_UNSUPPORTED for another word, which a later version may know,
 * or VITGATE_ERROR_METADATA */
gboolean vitgate__read_word(const JsonFields *fields, const char *field, const char *const *words,
                            guint *index);
