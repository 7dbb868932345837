/* labels.tsv: which class each photograph shows.
 *
 * UTF-8 text, one line per file, columns divided by tabs; the first line names the columns. "file"
 * is a path below the folder that holds labels.tsv; "class_index" a number from 0, or -1 for a file
 * without class; "wnid" the WordNet id of the class (or any other id that the model's classes
 * have), or "-". "file" and one of the others must be there, further columns are ignored. */
#pragma once

#include <glib.h>

typedef struct {
  int class_index; /* -1: none */
  char *class_id;  /* (nullable) */
} FileLabel;

/* Returns: (transfer full) (element-type utf8 FileLabel): by file, or NULL with COMMAND_ERROR_DATA
 * that names the line at fault */
GHashTable *labels_tsv_parse(GBytes *text, GError **error);
