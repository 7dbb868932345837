#include "train/run/run-open.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>

#include "base/command-error.h"
#include "base/ranks.h"
#include "data/split.h"
#include "model.h"
#include "train/cut/class-subset.h"

/* Below this, one photograph is more than a point. */
#define FEW_HELD_OUT 100

gboolean run_open_teacher(Run *run, GError **error)
{
  const RunOptions *o = run->options;
  run->model = vitgate_model_open(o->teacher, error);
  if (!run->model)
    return FALSE;
  const Description *d = vitgate__model_get_description(run->model);
  if (o->classes && !(run->classes = class_subset_read(o->classes, d, &run->n_classes, error)))
    return FALSE;
  if (o->classes && o->others > 0 && !(run->wide = wide_head_load(o->teacher, d, error)))
    return FALSE;
  Student dense = { 0 };
  if (!student_load(&dense, o->teacher, d, run->classes, run->n_classes, error))
    return FALSE;
  student_note_taught(o->teacher, d);
  run->teacher =
      teacher_new(dense.network, dense.description, o->batch, o->threads, o->features > 0, error);
  return run->teacher != NULL;
}

/* Linux grants more memory than it has, and kills a process that uses it. */
gboolean run_check_memory(const Run *run, const Network *network, GError **error)
{
  const RunOptions *o = run->options;
  const guint images = (o->batch + ranks_count() - 1) / ranks_count();
  const double wanted = (double)training_pass_measure(network, images, o->threads, TRUE);
  g_autofree char *text = NULL;
  const char *line = NULL;
  if (g_file_get_contents("/proc/meminfo", &text, NULL, NULL))
    line = strstr(text, "MemAvailable:");
  const double there = line ? 1024.0 * g_ascii_strtod(line + strlen("MemAvailable:"), NULL) : 0;
  if (there <= 0 || wanted < there)
    return TRUE;
  g_set_error(error, COMMAND_ERROR, COMMAND_ERROR_USAGE,
              "--batch-size %u needs %.1f GB of memory, but only %.1f GB is free", o->batch,
              1e-9 * wanted, 1e-9 * there);
  return FALSE;
}

gboolean run_open_data(Run *run, const Description *student, GError **error)
{
  const RunOptions *o = run->options;
  const CollectionOptions options = { .paths = (const char *const *)o->data,
                                      .folders = (const char *const *)o->folders,
                                      .held_out = SPLIT_HELD_OUT,
                                      .labelled_only = !run->teacher,
                                      .memory = COLLECTION_MEMORY,
                                      .orientation =
                                          o->orientation ? DECODE_UPRIGHT : DECODE_AS_STORED };
  VitgateModelInfo info = { 0 };
  if (run->model) /* provides numbers as labels if the student has no labels */
    info = *vitgate_model_get_info(run->model);
  if (student->labels)
    info.labels = (const char *const *)student->labels;
  info.label_ids = (const char *const *)student->label_ids;
  info.n_classes = student->n_classes;
  info.image_size = student->image_size;
  info.resize = student->preprocessing.resize;
  info.bicubic = student->preprocessing.bicubic;
  info.fit = student->preprocessing.fit;
  memcpy(info.mean, student->preprocessing.mean, sizeof info.mean);
  memcpy(info.std, student->preprocessing.std, sizeof info.std);
  run->collection = collection_open(&options, &info, error);
  return run->collection != NULL;
}

void run_note_held_out(const Run *run)
{
  const guint n = MIN(run->collection->n_held_out, HELD_OUT_IMAGES);
  if (!n || n >= FEW_HELD_OUT)
    return;
  run_log_note(
      run->log,
      "only %u photograph%s held out (%.0f %% of %u): each is %.1f points, so the dial and all "
      "figures measured on them are rough; of %u photographs, %u would be held out",
      n, n == 1 ? " is" : "s are", 100 * SPLIT_HELD_OUT, run->collection->items->len, 100.0 / n,
      (guint)(FEW_HELD_OUT / SPLIT_HELD_OUT), FEW_HELD_OUT);
}

gboolean run_open_folder(Run *run, GError **error)
{
  const RunOptions *o = run->options;
  run->folder = o->resume ? g_strdup(o->resume) : g_strconcat(o->out, ".training", NULL);
  run->checkpoint = g_build_filename(run->folder, "checkpoint.safetensors", NULL);
  if (ranks_is_first() && g_mkdir_with_parents(run->folder, 0777)) {
    g_set_error(error, COMMAND_ERROR, COMMAND_ERROR_IO, "%s: cannot create the folder: %s",
                run->folder, g_strerror(errno));
    return FALSE;
  }
  g_autofree char *path = g_build_filename(run->folder, "log.jsonl", NULL);
  run->log = run_log_new(path, o->batch, error);
  if (run->log)
    run_log_options(run->log, run_options_describe(o));
  return run->log != NULL;
}

gboolean run_can_resume(const Run *run)
{
  return run->options->resume && g_file_test(run->checkpoint, G_FILE_TEST_EXISTS);
}
