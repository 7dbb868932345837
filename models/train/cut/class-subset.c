#include "train/cut/class-subset.h"

#include <string.h>

#include "base/command-error.h"
#include "base/regular-file.h"

static gboolean is_first_name(const char *line, const char *label)
{
  return g_str_has_prefix(label, line) && label[strlen(line)] == ',';
}

/* A whole label or id takes precedence over the first name of another class. */
static int find_class(const char *line, const Description *d)
{
  for (guint i = 0; i < d->n_classes; i++)
    if ((d->labels && !strcmp(line, d->labels[i])) ||
        (d->label_ids && !strcmp(line, d->label_ids[i])))
      return (int)i;
  for (guint i = 0; d->labels && i < d->n_classes; i++)
    if (is_first_name(line, d->labels[i]))
      return (int)i;
  return -1;
}

static gboolean is_listed(const GArray *classes, guint class)
{
  for (guint i = 0; i < classes->len; i++)
    if (g_array_index(classes, guint, i) == class)
      return TRUE;
  return FALSE;
}

/* Reads a list in another form that vitgate_labels_read() knows.
 * Returns: (transfer full) (nullable): the classes; NULL if it is none, or names a class that the
 * teacher does not have */
static GArray *read_other_form(const char *path, const Description *teacher)
{
  g_auto(GStrv) ids = NULL;
  g_auto(GStrv) labels = vitgate_labels_read(path, 0, &ids, NULL);
  g_autoptr(GArray) classes = g_array_new(FALSE, FALSE, sizeof(guint));
  for (guint i = 0; labels && labels[i]; i++) {
    const int found = find_class(ids ? ids[i] : labels[i], teacher);
    const guint class = (guint)found;
    if (found < 0 || is_listed(classes, class))
      return NULL;
    g_array_append_val(classes, class);
  }
  return labels ? g_steal_pointer(&classes) : NULL;
}

guint *class_subset_read(const char *path, const Description *teacher, guint *n, GError **error)
{
  gsize length;
  g_autoptr(GError) read_error = NULL;
  g_autofree char *text = vitgate__regular_file_read(path, &length, &read_error);
  if (!text) {
    g_set_error_literal(error, COMMAND_ERROR, COMMAND_ERROR_IO, read_error->message);
    return NULL;
  }
  const gsize mark = g_str_has_prefix(text, "\xef\xbb\xbf") ? 3 : 0; /* byte order mark */
  g_auto(GStrv) lines = g_strsplit(text + mark, "\n", -1);
  g_autoptr(GArray) classes = g_array_new(FALSE, FALSE, sizeof(guint));
  for (guint i = 0; lines[i]; i++) {
    char *tab = strchr(lines[i], '\t');
    if (tab)
      *tab = '\0';
    if (!*g_strstrip(lines[i]))
      continue;
    const int found = find_class(lines[i], teacher);
    const guint class = (guint)found;
    const gboolean twice = is_listed(classes, class);
    GArray *others = found < 0 ? read_other_form(path, teacher) : NULL;
    if (others) {
      g_array_unref(classes);
      classes = others;
      break;
    }
    if (found < 0 || twice) {
      g_set_error(error, COMMAND_ERROR, twice ? COMMAND_ERROR_DATA : COMMAND_ERROR_CLASS,
                  "%s: line %u: '%s' %s", path, i + 1, lines[i],
                  twice ? "is listed twice" : "is not a class of the model");
      return NULL;
    }
    g_array_append_val(classes, class);
  }
  if (classes->len < 2) {
    g_set_error(error, COMMAND_ERROR, COMMAND_ERROR_DATA, "%s: %u classes, expected at least 2",
                path, classes->len);
    return NULL;
  }
  *n = classes->len;
  return (guint *)(gpointer)g_array_free(g_steal_pointer(&classes), FALSE);
}

static char **pick_strings(char **strings, const guint *classes, guint n)
{
  if (!strings)
    return NULL;
  char **picked = g_new0(char *, n + 1);
  for (guint i = 0; i < n; i++)
    picked[i] = g_strdup(strings[classes ? classes[i] : i]);
  return picked;
}

static double *pick_numbers(const double *numbers, const guint *classes, guint n)
{
  if (!numbers)
    return NULL;
  double *picked = g_new(double, n);
  for (guint i = 0; i < n; i++)
    picked[i] = numbers[classes ? classes[i] : i];
  return picked;
}

Description *class_subset_describe(const Description *teacher, const guint *classes, guint n)
{
  Description *d = g_memdup2(teacher, sizeof *d);
  d->n_classes = classes ? n : teacher->n_classes;
  d->name = g_strdup(teacher->name);
  d->blocks = g_memdup2(teacher->blocks, teacher->depth * sizeof *d->blocks);
  d->labels = pick_strings(teacher->labels, classes, d->n_classes);
  d->label_ids = pick_strings(teacher->label_ids, classes, d->n_classes);
  d->thresholds = pick_numbers(teacher->thresholds, classes, d->n_classes);
  d->teach = NULL; /* this and the score hold for the teacher's features */
  vitgate__description_clear_taught(d);
  d->layer_scale = FALSE;       /* folded into the layers of a network in training */
  d->no_class_position = FALSE; /* training learns that position */
  d->calibration = NULL;
  d->n_calibration = 0;
  d->provenance = teacher->provenance ? json_object_ref(teacher->provenance) : NULL;
  memset(d->agreement, 0, sizeof d->agreement);
  return d;
}

gboolean class_subset_equal(const Description *a, const Description *b)
{
  return a->n_classes == b->n_classes &&
         (!a->label_ids || !b->label_ids ||
          g_strv_equal((const char *const *)a->label_ids, (const char *const *)b->label_ids));
}
