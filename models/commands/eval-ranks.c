#include "commands/eval-ranks.h"

#include <string.h>

#include "base/command-error.h"
#include "base/ranks.h"

/* Followed by the logits, and by the tokens and substitutes of the modules. */
typedef struct {
  guint index, n_tokens;
  gboolean skipped;
  float unknown;
  double gmacs;
  EvalCompared compared;
} Record;

struct _EvalRecords {
  guint n, n_classes, n_modules;
  guint next, end; /* of this rank's slice */
  gsize bytes;     /* of a record */
  guint8 *all;     /* [n][bytes] */
  GString *notes;  /* lines */
};

static gboolean check_file(const char *what, const char *path, GError **error)
{
  g_autoptr(GMappedFile) file = path ? g_mapped_file_new(path, FALSE, NULL) : NULL;
  return !path || ranks_check_same_data(what, file ? g_mapped_file_get_contents(file) : NULL,
                                        file ? g_mapped_file_get_length(file) : 0, error);
}

gboolean eval_ranks_check(const Evaluation *eval, const char *reference, GError **error)
{
  if (ranks_count() == 1)
    return TRUE;
  if (eval->options.granularity != VITGATE_GRANULARITY_SAMPLE ||
      eval->control != LOGIT_CONTROL_NONE)
    return command_fail(error, "%s works only in one process, without mpirun",
                        eval->control != LOGIT_CONTROL_NONE ? "--gate-control" : "--granularity");
  g_autoptr(GString) names = g_string_new(NULL);
  for (guint i = 0; i < eval->n; i++)
    g_string_append_printf(names, "%s %d\n", dataset_get(eval->dataset, eval->order[i])->name,
                           eval->classes->of[eval->order[i]]);
  return ranks_check_same("photographs", names->str, error) &&
         check_file("contents of the model file", eval->path, error) &&
         check_file("contents of the reference model", reference, error);
}

EvalRecords *eval_records_new(const VitgateModelInfo *info, guint n, GError **error)
{
  EvalRecords *r = g_new0(EvalRecords, 1);
  *r = (EvalRecords){ .n = n,
                      .n_classes = info->n_classes,
                      .n_modules = 2 * info->depth,
                      .next = ranks_slice(n, ranks_own()),
                      .end = ranks_slice(n, ranks_own() + 1) };
  const gsize bytes =
      sizeof(Record) + r->n_classes * sizeof(float) + 2 * r->n_modules * sizeof(guint);
  r->bytes = (bytes + 7) / 8 * 8;
  r->notes = g_string_new(NULL);
  if (n <= G_MAXINT / r->bytes)
    r->all = g_try_malloc0_n(n, r->bytes);
  if (r->all)
    return r;
  g_set_error(error, VITGATE_ERROR, VITGATE_ERROR_MEMORY,
              "not enough memory for the results of %u photographs", n);
  eval_records_free(&r);
  return NULL;
}

void eval_records_free(EvalRecords **records)
{
  EvalRecords *r = g_steal_pointer(records);
  if (!r)
    return;
  g_string_free(r->notes, TRUE);
  g_free(r->all);
  g_free(r);
}

void eval_records_add(EvalRecords *r, guint index, const VitgateResult *result,
                      const EvalCompared *compared)
{
  const Record record = {
    index, result->n_tokens, FALSE, result->unknown, result->gmacs, *compared
  };
  guint8 *to = r->all + r->next++ * r->bytes;
  memcpy(to, &record, sizeof record);
  to += sizeof record;
  memcpy(to, result->logits, r->n_classes * sizeof(float));
  to += r->n_classes * sizeof(float);
  memcpy(to, result->module_tokens, r->n_modules * sizeof(guint));
  memcpy(to + r->n_modules * sizeof(guint), result->module_substitutes,
         r->n_modules * sizeof(guint));
}

void eval_records_skip(EvalRecords *r, const char *note)
{
  const Record record = { .skipped = TRUE };
  memcpy(r->all + r->next++ * r->bytes, &record, sizeof record);
  g_string_append_printf(r->notes, "%s\n", note);
}

static void print_notes(const EvalRecords *r)
{
  g_auto(GStrv) lines = ranks_gather_lines(r->notes->str);
  for (char **line = lines; *line; line++)
    command_note("%s", *line);
}

void eval_records_visit(EvalRecords *r, Evaluation *eval, EvalVisit visit)
{
  g_autofree gint64 *times = g_new(gint64, ranks_count());
  ranks_gather(r->all, r->n, r->bytes);
  ranks_gather_items(times, &eval->counts.engine_us, sizeof *times);
  for (guint rank = 0; rank < ranks_count(); rank++) /* they work at the same time */
    eval->counts.engine_us = MAX(eval->counts.engine_us, times[rank]);
  print_notes(r);
  for (guint i = 0; i < r->n; i++) {
    const Record *record = (const Record *)(gconstpointer)(r->all + i * r->bytes);
    const float *logits = (const float *)(gconstpointer)(record + 1);
    const guint *tokens = (const guint *)(gconstpointer)(logits + r->n_classes);
    const VitgateResult result = { .n_classes = r->n_classes,
                                   .logits = logits,
                                   .gmacs = record->gmacs,
                                   .n_tokens = record->n_tokens,
                                   .module_tokens = tokens,
                                   .module_substitutes = tokens + r->n_modules,
                                   .unknown = record->unknown };
    if (record->skipped)
      eval->counts.skipped++;
    else
      visit(eval, record->index, &result, &record->compared);
  }
}
