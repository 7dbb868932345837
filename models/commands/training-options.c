#include "commands/training-options.h"

#include <string.h>

#include "commands/command.h"
#include "write/output-file.h"

GOptionEntry *training_options_entries(TrainingOptions *o, const GOptionEntry *own)
{
  const GOptionEntry common[] = {
    { "data", 'd', 0, G_OPTION_ARG_FILENAME_ARRAY, &o->data,
      "Photographs: an archive or a folder; may be repeated", "TAR|DIR" },
    { "folder", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &o->folders,
      "Only photographs of this top folder; may be repeated", "FOLDER" },
    { "folder-weight", 0, 0, G_OPTION_ARG_STRING_ARRAY, &o->weights,
      "Draw photographs of a top folder more or less often; may be repeated", "FOLDER=W" },
    { "mixup", 0, 0, G_OPTION_ARG_DOUBLE, &o->mixup,
      "Share of images that are blended with another (default 0)", "S" },
    { "steps", 0, 0, G_OPTION_ARG_INT64, &o->steps, "Steps of training", "N" },
    { "time-limit", 0, 0, G_OPTION_ARG_STRING, &o->time_limit,
      "As many steps as fit: 90m, 2h, 600s", "T" },
    { "batch-size", 'b', 0, G_OPTION_ARG_INT, &o->batch, "Images of a step (default 64)", "N" },
    { "threads", 't', 0, G_OPTION_ARG_INT, &o->threads, "Threads (default 2)", "T" },
    { "seed", 0, 0, G_OPTION_ARG_INT64, &o->seed, "Of all that is random (default 0)", "S" },
    { "output", 'o', 0, G_OPTION_ARG_FILENAME, &o->out, "The model file to write", "OUT" },
    { "name", 0, 0, G_OPTION_ARG_STRING, &o->name,
      "Name of the model (default: OUT's, without folder and suffix)", "NAME" },
    { "resume", 0, 0, G_OPTION_ARG_FILENAME, &o->resume,
      "Folder of checkpoint and log (default OUT.training); a run found there goes on", "DIR" },
    G_OPTION_ENTRY_NULL,
  };
  g_autoptr(GArray) entries = g_array_new(FALSE, FALSE, sizeof(GOptionEntry));
  for (; own->long_name; own++)
    g_array_append_val(entries, *own);
  g_array_append_vals(entries, common, G_N_ELEMENTS(common));
  return (GOptionEntry *)(gpointer)g_array_free(g_steal_pointer(&entries), FALSE);
}

gboolean training_options_check(const TrainingOptions *o, GError **error)
{
  return command_check_given("--output", o->out != NULL, error) &&
         command_check_given("--data", o->data && *o->data, error) &&
         command_check_value("--steps", (double)o->steps, o->steps >= 0, "1 or more", error) &&
         command_check_value("--learning-rate", o->rate, o->rate > 0, "more than 0", error) &&
         command_check_value("--labels", o->labels, o->labels >= 0, "0 or more", error) &&
         command_check_value("--mixup", o->mixup, o->mixup >= 0 && o->mixup <= 1, "0 to 1",
                             error) &&
         command_check_range("--batch-size", o->batch, 2, 1024, error) &&
         command_check_range("--threads", o->threads, 1, 64, error);
}

/* "90m", "2h", "30s" or seconds */
static gboolean parse_duration(const char *text, double *seconds, GError **error)
{
  char *end;
  *seconds = g_ascii_strtod(text, &end);
  const double unit = !strcmp(end, "h") ? 3600 : !strcmp(end, "m") ? 60 : 1;
  if (end == text || (*end && strcmp(end, "h") && strcmp(end, "m") && strcmp(end, "s")) ||
      !(*seconds > 0 && *seconds < 1e6))
    return command_fail(error, "--time-limit is \"%s\", expected such as 90m, 2h or 600s", text);
  *seconds *= unit;
  return TRUE;
}

/* FOLDER=NUMBER of each --folder-weight; the names stay the options'. */
static gboolean parse_weights(TrainingOptions *o, GArray *weights, GError **error)
{
  for (guint i = 0; o->weights && o->weights[i]; i++) {
    char *equal = strrchr(o->weights[i], '='), *end = NULL;
    FolderWeight weight = { o->weights[i], equal ? g_ascii_strtod(equal + 1, &end) : -1 };
    if (!equal || end == equal + 1 || *end || !(weight.weight >= 0 && weight.weight <= 1e6))
      return command_fail(error, "--folder-weight is \"%s\", expected such as imagenet20=3",
                          o->weights[i]);
    *equal = '\0';
    g_array_append_val(weights, weight);
  }
  return TRUE;
}

/* The file's name without its suffix. */
static char *name_of_file(const char *path)
{
  g_autofree char *base = g_path_get_basename(path);
  if (g_str_has_suffix(base, ".safetensors"))
    base[strlen(base) - strlen(".safetensors")] = '\0';
  return g_utf8_make_valid(base, -1);
}

gboolean training_options_apply(TrainingOptions *o, CompressOptions *run, GArray *weights,
                                GError **error)
{
  if ((o->time_limit && !parse_duration(o->time_limit, &run->time_limit, error)) ||
      !parse_weights(o, weights, error) || !output_file_check(o->out, error))
    return FALSE;
  run->teacher = o->teacher;
  run->from = o->from;
  run->classes = o->classes;
  run->data = (const char *const *)o->data;
  run->folders = (const char *const *)o->folders;
  run->folder_weights = (const FolderWeight *)(gpointer)weights->data;
  run->n_folder_weights = weights->len;
  run->out = o->out;
  if (!o->name)
    o->name = name_of_file(o->out);
  run->name = o->name;
  run->resume = o->resume;
  run->rate = o->rate;
  run->labels = o->labels;
  run->mixup = o->mixup;
  run->steps = (guint64)o->steps;
  run->seed = (guint64)o->seed;
  run->batch = (guint)o->batch;
  run->threads = (guint)o->threads;
  return TRUE;
}

void training_options_clear(TrainingOptions *o)
{
  char *strings[] = { o->teacher, o->from, o->classes, o->out, o->name, o->resume, o->time_limit };
  for (guint i = 0; i < G_N_ELEMENTS(strings); i++)
    g_free(strings[i]);
  g_strfreev(o->data);
  g_strfreev(o->folders);
  g_strfreev(o->weights);
}
