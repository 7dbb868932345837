#include "train/run/dense-training.h"

#include <string.h>

#include "base/command-error.h"
#include "base/ranks.h"
#include "file/architecture.h"
#include "model.h"
#include "train/cut/class-subset.h"
#include "train/network/fresh.h"
#include "train/network/published.h"
#include "train/run/closing.h"
#include "train/run/model-writer.h"
#include "train/run/provenance.h"
#include "train/run/run-open.h"
#include "train/run/run-ranks.h"
#include "train/run/run-training.h"

/* ---- Start ---- */

/* Finds the classes for a fresh head: the teacher's or, without a teacher, those of the file.
 * @labels, @ids: (out) (nullable) (transfer full) */
static gboolean find_classes(const Run *run, guint *n, char ***labels, char ***ids, GError **error)
{
  const RunOptions *o = run->options;
  if (run->teacher) {
    const Description *t = teacher_get_description(run->teacher);
    *n = t->n_classes;
    *labels = g_strdupv(t->labels);
    *ids = g_strdupv(t->label_ids);
    return TRUE;
  }
  if (!o->classes)
    return command_fail(error, "--classes is missing; it names the classes if there is no teacher");
  *labels = vitgate_labels_read(o->classes, 0, ids, error);
  *n = *labels ? g_strv_length(*labels) : 0;
  if (*n == 1)
    g_set_error(error, COMMAND_ERROR, COMMAND_ERROR_DATA, "%s: 1 class, expected at least 2",
                o->classes);
  return *n > 1;
}

static Description *describe_fresh(const Run *run, GError **error)
{
  const RunOptions *o = run->options;
  g_auto(GStrv) labels = NULL, ids = NULL;
  guint n = 0;
  if (!find_classes(run, &n, &labels, &ids, error))
    return NULL;
  Description *d = published_describe(o->variant, o->image_size, n, labels, ids, error);
  if (d && run->teacher)
    d->preprocessing = teacher_get_description(run->teacher)->preprocessing;
  return d;
}

static gboolean start_fresh(Run *run, GError **error)
{
  Description *d = describe_fresh(run, error);
  if (!d)
    return FALSE;
  Network *network = network_new(d, FALSE);
  network_start_fresh(network, "", run->options->seed);
  student_take(&run->student, network, d);
  return TRUE;
}

/* Gives the student a fresh head; the rest is kept. */
static gboolean start_fresh_head(Run *run, GError **error)
{
  char **labels = NULL, **ids = NULL;
  guint n = 0;
  if (!find_classes(run, &n, &labels, &ids, error))
    return FALSE;
  const Description *before = run->student.description;
  Description *d = class_subset_describe(before, NULL, 0);
  g_strfreev(d->labels);
  g_strfreev(d->label_ids);
  g_clear_pointer(&d->thresholds, g_free);
  d->n_classes = n;
  d->labels = labels;
  d->label_ids = ids;
  d->dense_gmacs +=
      vitgate__description_published_gmacs(d) - vitgate__description_published_gmacs(before);
  d->dense_parameters +=
      vitgate__description_parameters(d) - vitgate__description_parameters(before);
  Network *network = network_new(d, FALSE);
  network_copy_values(network, run->student.network);
  network_start_fresh(network, "head", run->options->seed);
  student_take(&run->student, network, d);
  return TRUE;
}

/* Loads a model with its own classes or those of the file. If the model lacks any of the latter, it
 * gets a fresh head. */
static gboolean load_model(Run *run, const Description *d, GError **error)
{
  const RunOptions *o = run->options;
  g_autoptr(GError) wrong = NULL;
  guint n = 0;
  g_autofree guint *classes = o->classes ? class_subset_read(o->classes, d, &n, &wrong) : NULL;
  const gboolean fresh = g_error_matches(wrong, COMMAND_ERROR, COMMAND_ERROR_CLASS);
  if (wrong && !fresh) {
    g_propagate_error(error, g_steal_pointer(&wrong));
    return FALSE;
  }
  if (fresh)
    command_note("the head starts from fresh weights: %s", wrong->message);
  student_note_taught(o->from, d);
  return student_load(&run->student, o->from, d, classes, n, error) &&
         (!fresh || start_fresh_head(run, error));
}

static gboolean start_from_model(Run *run, GError **error)
{
  const RunOptions *o = run->options;
  VitgateModel *model = vitgate_model_open(o->from, error);
  if (!model)
    return FALSE;
  const Description *d = vitgate__model_get_description(model);
  const gboolean gated = description_has_gates(d) || description_has_token_gates(d);
  if (gated)
    g_set_error(error, COMMAND_ERROR, COMMAND_ERROR_DATA,
                "%s: has gates; expected a model without gates (vitgate compress trains gates)",
                o->from);
  const gboolean fine = !gated && load_model(run, d, error);
  if (run->model)
    vitgate_model_unref(&model);
  else
    run->model = model;
  return fine;
}

/* Checks that teacher and student have the same input and the same classes. */
static gboolean check_teacher(const Run *run, GError **error)
{
  const RunOptions *o = run->options;
  if (!run->teacher)
    return TRUE;
  const Description *t = teacher_get_description(run->teacher), *s = run->student.description;
  const Preprocessing *p = &s->preprocessing, *q = &t->preprocessing;
  if (t->image_size != s->image_size)
    g_set_error(error, COMMAND_ERROR, COMMAND_ERROR_DATA,
                "%s: the image size is %u, expected %u as for %s", o->teacher, t->image_size,
                s->image_size, o->variant ? o->variant : o->from);
  else if (memcmp(p->mean, q->mean, sizeof p->mean) || memcmp(p->std, q->std, sizeof p->std))
    g_set_error(error, COMMAND_ERROR, COMMAND_ERROR_DATA,
                "%s: normalises images with another mean or standard deviation than %s", o->teacher,
                o->from);
  else if (!class_subset_equal(s, t))
    g_set_error(error, COMMAND_ERROR, COMMAND_ERROR_DATA,
                "%s: its %u classes differ from the %u classes of %s; select the classes to learn "
                "with --classes",
                o->teacher, t->n_classes, s->n_classes, o->from);
  else
    return TRUE;
  return FALSE;
}

static gboolean start(Run *run, GError **error)
{
  const RunOptions *o = run->options;
  return (!o->teacher || run_open_teacher(run, error)) &&
         (o->variant ? start_fresh(run, error) : start_from_model(run, error)) &&
         check_teacher(run, error) && run_check_memory(run, run->student.network, error) &&
         run_open_data(run, run->student.description, error) && run_open_folder(run, error);
}

/* ---- Steps ---- */

static gboolean train(Run *run, GError **error)
{
  const RunOptions *o = run->options;
  run_note_held_out(run);
  if (run->collection->n_held_out &&
      !(run->held_out = held_out_new(run->collection, run->teacher, HELD_OUT_IMAGES, o->batch,
                                     o->threads, o->classes != NULL, error)))
    return FALSE;
  run->steps = o->steps;
  run->later_images = run->held_out ? 2 * run->held_out->n : 0; /* the report, on one thread */
  const gboolean ready =
      run_can_resume(run) ? run_resume(run, error) : run_make_trainer(run, error);
  if (!ready || !run_train(run, error))
    return FALSE;
  trainer_average(run->trainer);
  provenance_record(run, "train");
  return (!ranks_is_first() || network_write(run->student.network, o->precision, o->out, error)) &&
         closing_report(run, error);
}

gboolean train_dense(const RunOptions *options, GError **error)
{
  Run run = { .options = options, .start = g_get_monotonic_time() };
  const gboolean fine = run_agree(&run, start(&run, error), error) && train(&run, error);
  run_clear(&run);
  return fine;
}
