/* Reads labels.tsv, which lists the class of each photograph.
 *
 * It is UTF-8 text with one line per file and columns separated by tabs. The first line names the
 * columns. "file" is a path relative to the folder of labels.tsv. "class_index" is a number from 0,
 * or -1 for a file without a class. "wnid" is the WordNet id of the class (or another id that the
 * model's classes have), or "-". "label" is the same, and counts only without these two. "file" and
 * one of the others are required; other columns are ignored. If a file shows several classes, both
 * columns list them, separated by commas. */
#pragma once

#include <glib.h>

typedef struct {
  int class_index;       /* the first; -1: none */
  GArray *class_indices; /* (element-type int): all */
  char *class_id;        /* (nullable): the whole text, which may be a list */
} FileLabel;

/* Returns: (transfer full) (element-type utf8 FileLabel): labels by file, or NULL with
 * COMMAND_ERROR_DATA and a message that names the line */
GHashTable *labels_tsv_parse(GBytes *text, GError **error);
