#include "train/run/run-log.h"

#include <json-glib/json-glib.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clean-text.h"
#include "base/command-error.h"
#include "base/error.h"
#include "base/json-write.h"
#include "base/progress.h"
#include "base/ranks.h"
#include "train/gates/gate-sums.h"

#define STEPS_PER_LINE 20
#define SHOWN_SKIPPED  3 /* photographs named on the terminal */

struct _RunLog {
  FILE *file;
  FILE *screen; /* stderr; of ranks other than the first: the file, which nobody reads */
  gboolean terminal;
  char *path;
  guint batch;
  guint n_skipped;
  GHashTable *skipped; /* (element-type utf8): what several ranks may report */
  gint64 begun;        /* start of the step after @first */
  guint64 first;
  gint64 since;   /* start of the first step since the last line */
  guint n;        /* steps since the last line */
  StepReport sum; /* over these steps */
  GateSum *gates; /* (nullable) [2 * depth] */
};

RunLog *run_log_new(const char *path, guint batch, GError **error)
{
  const gboolean speaks = ranks_is_first();
  FILE *file = fopen(speaks ? path : "/dev/null", "a");
  if (!file) {
    vitgate__set_error(error, VITGATE_ERROR_IO, "%s: cannot be written", path);
    return NULL;
  }
  RunLog *log = g_new0(RunLog, 1);
  log->file = file;
  log->path = g_strdup(path);
  log->batch = batch;
  log->terminal = speaks && isatty(STDERR_FILENO);
  log->screen = speaks ? stderr : file;
  log->skipped = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
  return log;
}

void run_log_free(RunLog **log)
{
  RunLog *l = g_steal_pointer(log);
  if (!l)
    return;
  if (l->terminal && l->n)
    fputc('\n', l->screen);
  fclose(l->file);
  g_hash_table_unref(l->skipped);
  g_free(l->path);
  g_free(l->gates);
  g_free(l);
}

static void write_line(RunLog *log, JsonObject *object)
{
  g_autoptr(JsonNode) node = json_node_init_object(json_node_alloc(), object);
  g_autofree char *text = vitgate__json_write(node, FALSE);
  fprintf(log->file, "%s\n", text);
  fflush(log->file);
}

void run_log_options(RunLog *log, JsonObject *options)
{
  g_autoptr(JsonObject) object = json_object_new();
  json_object_set_object_member(object, "options", options);
  write_line(log, object);
}

static void write_note(RunLog *log, const char *text)
{
  g_autoptr(JsonObject) object = json_object_new();
  json_object_set_string_member(object, "note", text);
  write_line(log, object);
}

static void print_line(const RunLog *log, const char *text)
{
  g_autofree char *clean = vitgate__clean_text(text);
  fprintf(log->screen, "%s%s\n", log->terminal ? "\r\033[K" : "", clean);
}

void run_log_note(RunLog *log, const char *format, ...)
{
  va_list args;
  va_start(args, format);
  g_autofree char *text = g_strdup_vprintf(format, args);
  va_end(args);
  write_note(log, text);
  print_line(log, text);
}

static const char *ending_of(const char *note)
{
  const char *comma = strrchr(note, ',');
  return comma ? comma : note;
}

void run_log_notes(RunLog *log, const GPtrArray *notes)
{
  g_autoptr(GHashTable) counts = g_hash_table_new(g_str_hash, g_str_equal);
  for (guint i = 0; i < notes->len; i++) {
    gpointer ending = (gpointer)ending_of(notes->pdata[i]);
    const guint n = GPOINTER_TO_UINT(g_hash_table_lookup(counts, ending));
    g_hash_table_insert(counts, ending, GUINT_TO_POINTER(n + 1));
    write_note(log, notes->pdata[i]);
  }
  for (guint i = 0; i < notes->len; i++) {
    const char *ending = ending_of(notes->pdata[i]);
    const guint n = GPOINTER_TO_UINT(g_hash_table_lookup(counts, ending));
    g_autofree char *text =
        n > 1 ? g_strdup_printf("%s (and %u more like this)", (const char *)notes->pdata[i], n - 1)
              : g_strdup(notes->pdata[i]);
    if (g_hash_table_remove(counts, ending))
      print_line(log, text);
  }
}

void run_log_skipped(RunLog *log, const char *text)
{
  if (ranks_count() > 1 && !g_hash_table_add(log->skipped, g_strdup(text)))
    return;
  write_note(log, text);
  if (log->n_skipped++ < SHOWN_SKIPPED)
    print_line(log, text);
}

void run_log_skipped_end(RunLog *log)
{
  if (log->n_skipped > SHOWN_SKIPPED)
    run_log_note(log, "skipped %u photographs in all; %s names them", log->n_skipped, log->path);
  log->n_skipped = 0;
}

void run_log_result(RunLog *log, JsonObject *result)
{
  g_autoptr(JsonObject) object = json_object_new();
  json_object_set_object_member(object, "result", result);
  write_line(log, object);
}

void run_log_sums(RunLog *log, JsonObject *sums)
{
  g_autoptr(JsonObject) object = json_object_new();
  json_object_set_object_member(object, "sums", sums);
  write_line(log, object);
}

static void add_report(StepReport *sum, const StepReport *report)
{
  sum->loss += report->loss;
  sum->distillation += report->distillation;
  sum->others += report->others;
  sum->tokens += report->tokens;
  sum->features += report->features;
  sum->labels += report->labels;
  sum->agreement += report->agreement;
  sum->ratio += report->ratio;
  sum->norm += report->norm;
  sum->target = report->target;
  sum->rate = report->rate;
}

typedef struct {
  const char *name;
  double value;
} Field;

/* Describes the last step.
 * Returns: (transfer full): a line of the log */
static JsonObject *describe_step(const Trainer *trainer, const Field *fields, guint n)
{
  JsonObject *object = json_object_new();
  json_object_set_int_member(object, "step", (gint64)trainer_get_step(trainer));
  json_object_set_int_member(object, "steps", (gint64)trainer_get_steps(trainer));
  for (guint i = 0; i < n; i++)
    json_object_set_double_member(object, fields[i].name, fields[i].value);
  return object;
}

static void log_means(RunLog *log, const Trainer *trainer, const Description *d, double speed)
{
  const StepReport *s = &log->sum;
  const double n = log->n;
  const Field fields[] = {
    { "images_per_second", speed },
    { "loss", s->loss / n },
    { "distillation", s->distillation / n },
    { "others", s->others / n },
    { "tokens", s->tokens / n },
    { "features", s->features / n },
    { "labels", s->labels / n },
    { "agreement", s->agreement / n },
    { "compute", s->ratio / n },
    { "target", s->target },
    { "gates_open", gate_sums_open(log->gates, d) },
    { "gradient_norm", s->norm / n },
    { "rate", s->rate },
  };
  g_autoptr(JsonObject) object = describe_step(trainer, fields, G_N_ELEMENTS(fields));
  json_object_set_array_member(object, "module_usage", gate_sums_usage(log->gates, d));
  json_object_set_array_member(object, "gate_spread", gate_sums_spreads(log->gates, d));
  write_line(log, object);
}

/* Returns: whether the compute of a step depends on its images or on choices */
static gboolean is_dynamic(const Network *network)
{
  const Description *d = network->description;
  return network->searches || description_has_gates(d) || d->n_calibration;
}

void run_log_begin(RunLog *log, const Trainer *trainer)
{
  log->begun = log->since = g_get_monotonic_time();
  log->first = trainer_get_step(trainer);
}

/* Adds a field if the line then still has room for @reserved more characters. */
static void add_field(const RunLog *log, GString *line, guint reserved, const char *format, ...)
    G_GNUC_PRINTF(4, 5);
static void add_field(const RunLog *log, GString *line, guint reserved, const char *format, ...)
{
  va_list args;
  va_start(args, format);
  g_autofree char *text = g_strdup_vprintf(format, args);
  va_end(args);
  if (!log->terminal || line->len + strlen(text) + reserved < progress_columns())
    g_string_append(line, text);
}

/* Prints the means since the last line. A terminal that is too narrow lacks the last ones. */
static void print_step(const RunLog *log, const Trainer *trainer, const Network *network,
                       double speed, double seconds_left)
{
  const guint64 step = trainer_get_step(trainer), steps = trainer_get_steps(trainer);
  const double n = log->n;
  g_autofree char *clock = progress_clock(seconds_left);
  g_autofree char *left = g_strdup_printf(", %s left", clock);
  const guint room = (guint)strlen(left);
  g_autoptr(GString) line = g_string_new(NULL);
  g_string_printf(line, "step %" G_GUINT64_FORMAT "/%" G_GUINT64_FORMAT, step, steps);
  add_field(log, line, room, ", loss %.4f", log->sum.loss / n);
  add_field(log, line, room, ", agreement %.1f %%", 100 * log->sum.agreement / n);
  if (is_dynamic(network)) {
    add_field(log, line, room, ", compute %.3f", log->sum.ratio / n);
    add_field(log, line, room, ", target %.3f", log->sum.target);
    add_field(log, line, room, ", gates open %.0f %%",
              100 * gate_sums_open(log->gates, network->description));
  }
  add_field(log, line, room, ", %.1f images/s", speed);
  fprintf(log->screen, log->terminal ? "\r%s%s\033[K" : "%s%s\n", line->str, left);
}

void run_log_step(RunLog *log, Trainer *trainer, const StepReport *report)
{
  const guint64 step = trainer_get_step(trainer), steps = trainer_get_steps(trainer);
  const TrainingPass *pass = trainer_get_pass(trainer);
  const Description *d = pass->network->description;
  if (!log->gates)
    log->gates = g_new0(GateSum, 2 * d->depth + 1);
  add_report(&log->sum, report);
  gate_sums_add(log->gates, pass);
  log->n++;
  const gboolean complete = log->n == STEPS_PER_LINE || step == steps;
  const gint64 now = g_get_monotonic_time();
  const double speed = (double)log->n * log->batch * G_USEC_PER_SEC / (double)(now - log->since);
  const double each = (double)(now - log->begun) / G_USEC_PER_SEC / (double)(step - log->first);
  if (complete)
    log_means(log, trainer, d, speed);
  if (complete || log->terminal)
    print_step(log, trainer, pass->network, speed, (double)(steps - step) * each);
  if (!complete)
    return;
  log->sum = (StepReport){ 0 };
  log->n = 0;
  log->since = now;
  g_clear_pointer(&log->gates, g_free);
}

void run_log_held_out(RunLog *log, Trainer *trainer, const HeldOutOutcome *outcome)
{
  const double top1 = outcome->labelled ? 100.0 * outcome->right / outcome->labelled : 0;
  const Field fields[] = {
    { "held_out_divergence", outcome->divergence },
    { "held_out_agreement", outcome->agreement },
    { "held_out_compute", outcome->ratio },
    { "held_out_top1", top1 },
  };
  const guint first = outcome->taught ? 0 : 2, end = outcome->labelled ? 4 : 3;
  g_autoptr(JsonObject) object = describe_step(trainer, fields + first, end - first);
  write_line(log, object);
  fprintf(log->screen, "%sheld out:", log->terminal ? "\r\033[K" : "");
  if (outcome->taught)
    fprintf(log->screen, " divergence %.4f, agreement %.1f %%", outcome->divergence,
            100 * outcome->agreement);
  if (outcome->labelled)
    fprintf(log->screen, "%s Top-1 %.1f %%", outcome->taught ? "," : "", top1);
  if (is_dynamic(trainer_get_pass(trainer)->network))
    fprintf(log->screen, ", compute %.3f", outcome->ratio);
  fputc('\n', log->screen);
}
