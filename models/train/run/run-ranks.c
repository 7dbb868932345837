#include "train/run/run-ranks.h"

#include <string.h>

#include "base/command-error.h"
#include "base/ranks-sum.h"
#include "base/ranks.h"
#include "file/description-json.h"
#include "kernels/cpu.h"
#include "train/run/run-open.h"

/* Returns: (transfer full): the processor features that products and sums depend on */
static char *describe_processor(void)
{
  return g_strdup_printf("avx2 %d avx512 %d bf16 %d", vitgate__cpu_has(CPU_AVX2),
                         vitgate__cpu_has(CPU_AVX512), matmul_prefers_bf16());
}

/* Returns: (transfer full): the list of photographs */
static char *describe_photographs(const Collection *collection)
{
  g_autoptr(GString) text = g_string_new(NULL);
  for (guint i = 0; i < collection->items->len; i++) {
    const CollectionItem *item = collection_get(collection, i);
    g_string_append_printf(text, "%s %d %d\n", collection_get_photograph(collection, i)->name,
                           item->label, item->held_out);
  }
  return g_string_free(g_steal_pointer(&text), FALSE);
}

static gboolean check_batch(const Run *run, GError **error)
{
  return run->options->batch >= ranks_count() ||
         command_fail(error, "--batch-size is %u, expected at least 1 image for each of %u ranks",
                      run->options->batch, ranks_count());
}

/* The gates of a token decide with those of other images, which other ranks have. */
static gboolean check_gates(const Run *run, GError **error)
{
  const RunOptions *o = run->options;
  if (ranks_count() == 1 || !o->token_gates)
    return TRUE;
  if (o->sub_groups != SUB_GROUPS_SAMPLE)
    return command_fail(error, "token gates of several images decide together only in one "
                               "process: expected --sub-groups sample, --gates module or no "
                               "mpirun");
  return o->token_control == TOKENS_LEARNED || o->token_control == TOKENS_RANDOM ||
         command_fail(error, "--gates %s works only in one process, without mpirun",
                      o->given.gates);
}

static gboolean check_same(const Run *run, GError **error)
{
  g_autofree char *photographs = describe_photographs(run->collection);
  const Network *teacher = run->teacher ? teacher_get_network(run->teacher) : NULL;
  return run_check_processors(error) && ranks_check_same("photographs", photographs, error) &&
         (!teacher || ranks_check_same_data("weights of the teacher", teacher->values,
                                            teacher->n_values * sizeof(real), error)) &&
         ranks_check_same("checkpoints to resume", run_can_resume(run) ? "one" : "none", error);
}

gboolean run_check_processors(GError **error)
{
  g_autofree char *processor = describe_processor();
  return ranks_check_same("processor features (VITGATE_CPU_MASK can hide some)", processor, error);
}

gboolean run_agree(const Run *run, gboolean fine, GError **error)
{
  if (ranks_count() == 1)
    return fine;
  return ranks_all_fine(fine, error) && check_batch(run, error) && check_gates(run, error) &&
         check_same(run, error);
}

gboolean run_agree_on_student(const Run *run, GError **error)
{
  if (ranks_count() == 1)
    return TRUE;
  const Network *network = run->student.network;
  g_autofree char *description = vitgate__description_to_json(run->student.description);
  return ranks_check_same("structures of the student", description, error) &&
         ranks_check_same_data("weights of the student", network->values,
                               network->n_values * sizeof(real), error);
}

void run_report_skipped(const Run *run)
{
  g_autoptr(GPtrArray) notes = pixel_cache_take_notes(run->collection->pixels);
  if (ranks_count() == 1) {
    for (guint i = 0; i < notes->len; i++)
      run_log_skipped(run->log, notes->pdata[i]);
    return;
  }
  g_ptr_array_add(notes, NULL);
  g_autofree char *own = g_strjoinv("\n", (char **)notes->pdata);
  g_auto(GStrv) lines = ranks_gather_lines(own);
  for (char **line = lines; *line; line++)
    run_log_skipped(run->log, *line);
}

void run_report_sums(const Run *run, guint64 steps, double seconds)
{
  if (ranks_count() == 1 || !steps || !ranks_sum_count_parts())
    return;
  const double ms = 1e3 / (double)steps;
  const double waiting = ms * ranks_sum_get_waiting();
  double bytes = 0, summing = 0;
  JsonObject *sums = json_object_new();
  JsonArray *parts = json_array_new();
  for (guint i = 0; i < ranks_sum_count_parts(); i++) {
    const RanksSumPart part = ranks_sum_get_part(i);
    JsonObject *object = json_object_new();
    json_object_set_int_member(object, "bytes", (gint64)(part.bytes / MAX(part.calls, 1)));
    json_object_set_double_member(object, "milliseconds", ms * part.seconds);
    json_array_add_object_element(parts, object);
    bytes += (double)part.bytes / (double)steps;
    summing += ms * part.seconds;
  }
  json_object_set_int_member(sums, "ranks", ranks_count());
  json_object_set_boolean_member(sums, "overlap", ranks_sum_overlaps());
  json_object_set_array_member(sums, "parts", parts);
  json_object_set_double_member(sums, "waiting_milliseconds", waiting);
  json_object_set_double_member(sums, "step_milliseconds", ms * seconds);
  run_log_sums(run->log, sums);
  run_log_note(run->log,
               "%u ranks summed up %.1f MB of gradients in %u parts per step. That took %.1f ms, "
               "with waiting for each other; all but %.1f ms of them during the backward pass. A "
               "step took %.1f ms",
               ranks_count(), 1e-6 * bytes, ranks_sum_count_parts(), summing, waiting,
               ms * seconds);
}
