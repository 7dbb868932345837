#include "train/run/closing.h"

#include <glib/gstdio.h>
#include <string.h>

#include "base/clean-text.h"
#include "base/progress.h"
#include "base/ranks.h"
#include "report/accuracy.h"
#include "report/report.h"
#include "train/run/run-ranks.h"
#include "train/run/run-training.h"

/* Runs on an empty image, if there is no photograph, to measure the speed. */
#define EMPTY_RUNS 20

typedef struct {
  gint64 bytes;
  const VitgateModelInfo *info;
  guint n, n_same, n_labelled, n_right;
  double gmacs; /* mean */
  double ms;    /* median */
} Closing;

/* ---- Measuring ---- */

/* Runs one image.
 * Returns: (transfer none): the result, or NULL with VITGATE_ERROR_* */
static const VitgateResult *run_image(VitgateSession *session, const float *tensor, GArray *ms,
                                      GError **error)
{
  const VitgateResult *result = vitgate_session_forward(session, tensor, 1, error);
  if (result) {
    const double took = (double)result->forward_ns / 1e6;
    g_array_append_val(ms, took);
  }
  return result;
}

static void count(Closing *closing, const HeldOut *h, guint i, const VitgateResult *result)
{
  const guint best = accuracy_answer(result, closing->info->activation);
  closing->n++;
  closing->gmacs += result->gmacs / h->n;
  if (h->logits)
    closing->n_same += best == loss_best(h->logits + (gsize)i * h->n_classes, h->n_classes);
  closing->n_labelled += h->labels[i] >= 0;
  closing->n_right += h->labels[i] >= 0 && best == (guint)h->labels[i];
}

static gboolean measure(Closing *closing, const Run *run, VitgateSession *session, GError **error)
{
  const HeldOut *h = run->held_out;
  const gsize side = closing->info->image_size;
  g_autofree float *empty = h ? NULL : g_new0(float, 3 * side * side);
  g_autoptr(GArray) ms = g_array_new(FALSE, FALSE, sizeof(double));
  const guint n = h ? h->n : EMPTY_RUNS;
  gboolean fine = TRUE;
  Progress progress = progress_start_phase("measuring the model", n, "images");
  for (guint i = 0; fine && i < n; i++) {
    const VitgateResult *result =
        run_image(session, h ? h->tensors + i * h->pixels : empty, ms, error);
    fine = result != NULL;
    if (fine && h)
      count(closing, h, i, result);
    else if (fine)
      closing->gmacs = result->gmacs;
    progress_update(&progress, i + 1);
  }
  progress_clear(&progress);
  if (fine)
    closing->ms = report_quantile(ms, 0.5);
  return fine;
}

/* ---- Reporting ---- */

static void add_argument(GString *command, const char *option, const char *value)
{
  static const char plain[] = G_CSET_a_2_z G_CSET_A_2_Z G_CSET_DIGITS "-_./:=+,@%";
  g_autofree char *quoted = strspn(value, plain) == strlen(value) ? NULL : g_shell_quote(value);
  g_string_append_printf(command, " %s %s", option, quoted ? quoted : value);
}

/* Returns: (transfer full): a command to go on with */
static char *suggest(const RunOptions *o)
{
  GString *command = g_string_new(NULL);
  if (o->command == RUN_COMPRESS) {
    g_string_append(command, "vitgate classify");
    add_argument(command, "--model", o->out);
    g_string_append(command, " PHOTOGRAPH");
    return g_string_free(command, FALSE);
  }
  g_string_append(command, "vitgate compress");
  add_argument(command, "--teacher", o->out);
  for (char **data = o->data; data && *data; data++)
    add_argument(command, "--data", *data);
  for (char **folder = o->folders; folder && *folder; folder++)
    add_argument(command, "--folder", *folder);
  g_string_append(command, o->orientation ? "" : " --no-orientation");
  g_autofree char *stem = g_str_has_suffix(o->out, ".safetensors")
                              ? g_strndup(o->out, strlen(o->out) - strlen(".safetensors"))
                              : g_strdup(o->out);
  g_autofree char *small = g_strconcat(stem, "-small.safetensors", NULL);
  g_string_append(command, " --target 0.5 --time-limit 1h");
  add_argument(command, "-o", small);
  return g_string_free(command, FALSE);
}

static void print_share(const char *name, const char *with, guint n_hits, guint n, const char *of,
                        const char *none)
{
  if (n)
    g_print("  %-11s %.1f %% %s(%u of %u %s)\n", name, 100.0 * n_hits / n, with, n_hits, n, of);
  else
    g_print("  %-11s not measured: %s\n", name, none);
}

static void print_text(const Closing *c, const Run *run)
{
  const VitgateModelInfo *info = c->info;
  const Description *d = run->student.description;
  const char *none =
      run->held_out ? "no held-out photograph has a label" : "no photographs are held out";
  g_autofree char *name = vitgate__clean_text(run->options->out);
  g_autofree char *clock = progress_clock(run_elapsed(run));
  g_autofree char *command = suggest(run->options);
  g_autofree char *next = vitgate__clean_text(command);
  g_print("%s\n", name);
  g_print("  %-11s %.2f MB, weights in %s\n", "size", 1e-6 * (double)c->bytes,
          vitgate_precision_name(run->options->precision));
  g_print("  %-11s %" G_GUINT64_FORMAT " (%.1f %% of %" G_GUINT64_FORMAT ")\n", "parameters",
          (guint64)info->n_parameters,
          100.0 * (double)info->n_parameters / (double)d->dense_parameters,
          (guint64)d->dense_parameters);
  g_print("  %-11s %.3f (%.1f %% of %.3f), mean per image\n", "GMACs", c->gmacs,
          100 * c->gmacs / info->dense_gmacs, info->dense_gmacs);
  if (run->teacher)
    print_share("agreement", "with the teacher ", c->n_same, c->n, "held-out photographs",
                "no photographs are held out");
  print_share("Top-1", "", c->n_right, c->n_labelled, "held-out photographs with a label", none);
  g_print("  %-11s %.2f ms per image on this machine (%s, 1 thread)\n", "network", c->ms,
          vitgate_precision_name(info->precision));
  g_print("  %-11s %s\n", "run time", clock);
  g_print("next: %s\n", next);
}

static JsonObject *describe(const Closing *c, const Run *run)
{
  JsonObject *object = json_object_new();
  json_object_set_string_member(object, "file", run->options->out);
  json_object_set_int_member(object, "bytes", c->bytes);
  json_object_set_int_member(object, "parameters", (gint64)c->info->n_parameters);
  json_object_set_double_member(object, "gmacs", c->gmacs);
  json_object_set_int_member(object, "held_out", c->n);
  if (c->n && run->teacher)
    json_object_set_double_member(object, "agreement", (double)c->n_same / c->n);
  json_object_set_int_member(object, "labelled", c->n_labelled);
  if (c->n_labelled)
    json_object_set_double_member(object, "top1", 100.0 * c->n_right / c->n_labelled);
  json_object_set_double_member(object, "ms_per_image", c->ms);
  json_object_set_string_member(object, "precision", vitgate_precision_name(c->info->precision));
  json_object_set_int_member(object, "threads", 1);
  json_object_set_double_member(object, "seconds", run_elapsed(run));
  return object;
}

/* A run without a dial does not need the held-out photographs earlier. */
static gboolean read_held_out(Run *run, GError **error)
{
  const RunOptions *o = run->options;
  if (run->held_out || !run->collection->n_held_out)
    return TRUE;
  run->held_out = held_out_new(run->collection, run->teacher, HELD_OUT_IMAGES, o->batch, o->threads,
                               o->classes != NULL, error);
  return run->held_out != NULL;
}

gboolean closing_report(Run *run, GError **error)
{
  Closing closing = { 0 };
  GStatBuf status;
  run_report_skipped(run);
  run_log_skipped_end(run->log);
  if (!ranks_is_first())
    return TRUE;
  g_autoptr(VitgateModel) model = vitgate_model_open(run->options->out, error);
  g_autoptr(VitgateSession) session = model ? vitgate_session_new(model, NULL, error) : NULL;
  if (!session || !read_held_out(run, error))
    return FALSE;
  closing.info = vitgate_model_get_info(model);
  closing.bytes = g_stat(run->options->out, &status) ? 0 : status.st_size;
  if (!measure(&closing, run, session, error))
    return FALSE;
  print_text(&closing, run);
  run_log_result(run->log, describe(&closing, run));
  return TRUE;
}
