/* The scores of a model on photographs, and the average precision of each class.
 *
 * A photograph shows any number of classes. The precision at a rank is the share of photographs
 * that show the class, among those ranked so high by its score. The average precision is the mean
 * of it at the photographs that show the class; photographs with the same score have the same rank,
 * the lowest of them (as in scikit-learn). */
#pragma once

#include <glib.h>

typedef struct _ScoreTable ScoreTable;

/* @max: maximum number of photographs
 * Returns: (transfer full): an empty table, or NULL with VITGATE_ERROR_MEMORY */
ScoreTable *score_table_new(guint max, guint n_classes, GError **error);

/* Frees *@table, which may be NULL, and nulls it. */
void score_table_free(ScoreTable **table);

/* Adds a photograph.
 * @folder: any number, to select photographs by
 * @scores: [n_classes], higher is likelier
 * @shown: (element-type guint): the classes that it shows; may repeat one */
void score_table_add(ScoreTable *table, guint folder, const float *scores, const GArray *shown);

#define SCORE_TABLE_ALL (-1)

/* @folder: of the photographs to consider, or SCORE_TABLE_ALL
 * Returns: their number */
guint score_table_count(const ScoreTable *table, int folder);

/* @n_shown: (out): the number of photographs that show the class
 * Returns: the average precision of a class, or NaN if no photograph shows it */
double score_table_precision(const ScoreTable *table, int folder, guint class, guint *n_shown);

/* @n_classes: (out): the number of classes that a photograph shows
 * Returns: the mean of the average precision over these classes, or NaN if there are none */
double score_table_mean_precision(const ScoreTable *table, int folder, guint *n_classes);
