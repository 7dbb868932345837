#include "report/score-table.h"

#include <math.h>
#include <stdlib.h>

#include "vitgate.h"

typedef struct {
  float score;
  gboolean shown;
} Ranked;

struct _ScoreTable {
  guint max, n, n_classes;
  guint *folders; /* [max] */
  float *scores;  /* [max][n_classes] */
  guint8 *shown;  /* [max][n_classes] */
  Ranked *ranked; /* [max] work memory */
};

ScoreTable *score_table_new(guint max, guint n_classes, GError **error)
{
  ScoreTable *table = g_new0(ScoreTable, 1);
  *table = (ScoreTable){ .max = max, .n_classes = n_classes };
  /* The largest comes first, so that nothing else is allocated in vain. */
  if ((table->scores = g_try_malloc_n(max, n_classes * sizeof(float))) &&
      (table->shown = g_try_malloc0_n(max, n_classes)) &&
      (table->ranked = g_try_new(Ranked, max)) && (table->folders = g_try_new(guint, max)))
    return table;
  g_set_error(error, VITGATE_ERROR, VITGATE_ERROR_MEMORY,
              "not enough memory for the scores of %u photographs and %u classes", max, n_classes);
  score_table_free(&table);
  return NULL;
}

void score_table_free(ScoreTable **table)
{
  ScoreTable *freeing = g_steal_pointer(table);
  if (!freeing)
    return;
  g_free(freeing->folders);
  g_free(freeing->scores);
  g_free(freeing->shown);
  g_free(freeing->ranked);
  g_free(freeing);
}

void score_table_add(ScoreTable *table, guint folder, const float *scores, const GArray *shown)
{
  const gsize at = (gsize)table->n * table->n_classes;
  for (guint c = 0; c < table->n_classes; c++)
    table->scores[at + c] = scores[c];
  for (guint i = 0; i < shown->len; i++)
    table->shown[at + g_array_index(shown, guint, i)] = TRUE;
  table->folders[table->n++] = folder;
}

static gboolean is_selected(const ScoreTable *table, guint i, int folder)
{
  return folder == SCORE_TABLE_ALL || table->folders[i] == (guint)folder;
}

guint score_table_count(const ScoreTable *table, int folder)
{
  guint n = 0;
  for (guint i = 0; i < table->n; i++)
    n += is_selected(table, i, folder);
  return n;
}

/* The highest score comes first. A score that is not a number comes last. */
static int compare_scores(const void *a, const void *b)
{
  const float x = ((const Ranked *)a)->score, y = ((const Ranked *)b)->score;
  if (isnan(x) || isnan(y))
    return !!isnan(x) - !!isnan(y);
  return (x < y) - (x > y);
}

double score_table_precision(const ScoreTable *table, int folder, guint class, guint *n_shown)
{
  Ranked *ranked = table->ranked;
  guint n = 0, hits = 0;
  double sum = 0;
  for (guint i = 0; i < table->n; i++) {
    const gsize at = (gsize)i * table->n_classes + class;
    if (is_selected(table, i, folder))
      ranked[n++] = (Ranked){ table->scores[at], table->shown[at] };
  }
  qsort(ranked, n, sizeof *ranked, compare_scores);
  for (guint i = 0, end; i < n; i = end) {
    guint alike = 0;
    for (end = i; end < n && !compare_scores(&ranked[i], &ranked[end]); end++)
      alike += ranked[end].shown;
    hits += alike;
    sum += (double)alike * hits / end;
  }
  *n_shown = hits;
  return hits ? sum / hits : NAN;
}

double score_table_mean_precision(const ScoreTable *table, int folder, guint *n_classes)
{
  double sum = 0;
  *n_classes = 0;
  for (guint c = 0; c < table->n_classes; c++) {
    guint n_shown;
    const double precision = score_table_precision(table, folder, c, &n_shown);
    if (!n_shown)
      continue;
    sum += precision;
    ++*n_classes;
  }
  return *n_classes ? sum / *n_classes : NAN;
}
