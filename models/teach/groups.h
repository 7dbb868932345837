/* Groups of pictures that are alike since they were taken one after the other. */
#pragma once

#include "teach/examples.h"
#include "teach/pictures.h"

typedef enum {
  GROUPS_AUTO,   /* time where known, otherwise numbers in names if the pictures look alike */
  GROUPS_TIME,   /* each follows the one before within GROUPS_SECONDS */
  GROUPS_NAME,   /* names that are the same up to their last number */
  GROUPS_FOLDER, /* the folder that contains them */
  GROUPS_NONE,   /* each picture by itself */
} Grouping;

#define GROUPS_SECONDS 60

/* Cosine of the features of neighbours in number from which AUTO takes them for the same scene. One
 * in 300 pairs of neighbours in Caltech-101's folders is so alike. */
#define GROUPS_COSINE 0.95

/* Reads "auto", "time", "name", "folder" or "none".
 * Returns: FALSE with COMMAND_ERROR_USAGE */
gboolean grouping_parse(const char *text, Grouping *grouping, GError **error);

const char *grouping_name(Grouping grouping);

/* Sets the groups of the examples that were made from pictures. Groups are within a class; where a
 * picture may show several, across all of them.
 * @pictures: (element-type Picture): of each example; NULL: it keeps its group
 * Returns: FALSE with COMMAND_ERROR_DATA if no picture has a time, but TIME is asked for */
gboolean groups_find(Examples *examples, const GPtrArray *pictures, Grouping grouping,
                     gboolean several, GError **error);

/* Cuts the only group of a class into consecutive parts, since without another group nothing could
 * be checked.
 * @several: as in groups_find()
 * @pictures: as in groups_find()
 * Returns: (transfer full) (element-type int): those classes; -1 stands for all */
GArray *groups_cut(Examples *examples, const GPtrArray *pictures, gboolean several);
