#include "collector.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <gio/gio.h>
#include <glib/gstdio.h>

#include "base/clean-text.h"
#include "base/secrets.h"
#include "known.h"
#include "picture.h"

/* Folder of pictures whose label is in doubt. */
#define DOUBTFUL "doubtful"

/* File systems have names of up to 255 bytes. */
#define MAX_NAME 200

typedef struct {
  const CollectorOptions *options;
  Input *input;
  Known *known; /* NULL before the first frame */
  float *features;
  guint looked, kept;
  gint64 start, shown; /* when it started, and when progress was printed last */
} Collector;

/* ---- Results ------------------------------------------------------------------------------- */

/* Finds the result of a look.
 * Returns: (transfer none) (nullable) */
static const GstStructure *find_result(GstBuffer *buffer, const char *look)
{
  const GstMetaInfo *info = gst_meta_get_info("VitgateMeta");
  gpointer state = NULL;
  GstMeta *meta;
  while (info && (meta = gst_buffer_iterate_meta_filtered(buffer, &state, info->api))) {
    const GstStructure *s = gst_custom_meta_get_structure((GstCustomMeta *)meta);
    if (g_strcmp0(gst_structure_get_string(s, "look"), look) == 0)
      return s;
  }
  return NULL;
}

/* Opens what is known of the folder when the first result says whose features these are.
 * Returns: FALSE with an error */
static gboolean read_features(Collector *self, const GstStructure *s, GError **error)
{
  const GValue *array = gst_structure_get_value(s, "features");
  const guint n = array ? gst_value_array_get_size(array) : 0;
  if (n == 0) {
    g_set_error(error, G_IO_ERROR, G_IO_ERROR_FAILED, "the model gives no features");
    return FALSE;
  }
  if (!self->known) {
    self->known = known_new(self->options->folder, gst_structure_get_string(s, "model-name"), n,
                            self->options->similar, error);
    if (!self->known)
      return FALSE;
    self->features = g_new(float, n);
  }
  for (guint i = 0; i < n; i++)
    self->features[i] = (float)g_value_get_double(gst_value_array_get_value(array, i));
  return TRUE;
}

/* ---- Names --------------------------------------------------------------------------------- */

/* Returns: (transfer full): the name of a folder for @label, which is any text */
static char *folder_of_label(const char *label)
{
  g_autofree char *clean = vitgate__clean_text(label);
  g_strstrip(clean);
  for (char *c = clean; *c; c++)
    if (*c == '/' || *c == '\\' || (*c == '.' && c == clean))
      *c = '_';
  if (strlen(clean) > MAX_NAME)
    *g_utf8_find_prev_char(clean, clean + MAX_NAME + 1) = '\0';
  return g_strdup(*clean ? clean : "_");
}

static gboolean is_doubtful(const CollectorOptions *options, const GstStructure *s)
{
  guint index = 0, n_classes = 0;
  double score = 0;
  return !gst_structure_get_double(s, "score", &score) || score < options->threshold ||
         (gst_structure_get_uint(s, "index", &index) &&
          gst_structure_get_uint(s, "class-count", &n_classes) && index >= n_classes);
}

/* Returns: (transfer full): the folder of a picture */
static char *find_folder(const CollectorOptions *options, const GstStructure *s)
{
  if (!options->sorted)
    return g_strdup(options->folder);
  const char *label = gst_structure_get_string(s, "label");
  g_autofree char *name =
      !label || is_doubtful(options, s) ? g_strdup(DOUBTFUL) : folder_of_label(label);
  return g_build_filename(options->folder, name, NULL);
}

/* Returns: (transfer full): the time in a clip, or of day, such as 2026-11-28T21-45-03.250. Parts
 * have fixed lengths, so that names sort in time. */
static char *time_name(Input *input, const char *source, GstClockTime time)
{
  if (input_is_clip(input) && GST_CLOCK_TIME_IS_VALID(time)) {
    const guint64 ms = time / GST_MSECOND;
    g_autofree char *shown = secrets_hide_url(source), *base = g_path_get_basename(shown);
    char *end = strrchr(base, '.');
    if (end && end > base)
      *end = '\0';
    g_autofree char *clean = folder_of_label(base);
    return g_strdup_printf("%s_%02u-%02u-%02u.%03u", clean, (guint)(ms / 3600000),
                           (guint)(ms / 60000 % 60), (guint)(ms / 1000 % 60), (guint)(ms % 1000));
  }
  g_autoptr(GDateTime) now = g_date_time_new_now_local();
  g_autofree char *seconds = g_date_time_format(now, "%Y-%m-%dT%H-%M-%S");
  return g_strdup_printf("%s.%03d", seconds, g_date_time_get_microsecond(now) / 1000);
}

/* Returns: (transfer full): a path that is not taken */
static char *free_path(const char *folder, const char *name)
{
  char *path = g_strdup_printf("%s/%s.jpg", folder, name);
  for (guint i = 2; g_file_test(path, G_FILE_TEST_EXISTS); i++) {
    g_free(path);
    path = g_strdup_printf("%s/%s-%u.jpg", folder, name, i);
  }
  return path;
}

/* ---- Pictures ------------------------------------------------------------------------------ */

static gboolean make_folder(const char *folder, GError **error)
{
  if (g_mkdir_with_parents(folder, 0777) == 0 && access(folder, W_OK | X_OK) == 0)
    return TRUE;
  const int code = errno;
  g_set_error(error, G_IO_ERROR, g_io_error_from_errno(code), "cannot write to %s: %s", folder,
              g_strerror(code));
  return FALSE;
}

/* The element has looked at the part of which the picture is written. */
static gboolean find_part(const GstStructure *s, PicturePart *part)
{
  return gst_structure_get(s, "x", G_TYPE_UINT, &part->x, "y", G_TYPE_UINT, &part->y, "width",
                           G_TYPE_UINT, &part->width, "height", G_TYPE_UINT, &part->height, NULL);
}

static gboolean keep(Collector *self, GstSample *sample, const GstStructure *features,
                     GError **error)
{
  const CollectorOptions *options = self->options;
  GstBuffer *buffer = gst_sample_get_buffer(sample);
  const GstStructure *labels = find_result(buffer, "labels");
  const GstClockTime time = gst_segment_to_stream_time(gst_sample_get_segment(sample),
                                                       GST_FORMAT_TIME, GST_BUFFER_PTS(buffer));
  g_autofree char *folder = find_folder(options, labels ? labels : features),
                  *name = time_name(self->input, options->input.source, time), *path = NULL;
  PicturePart part = { 0, 0, G_MAXINT, G_MAXINT };
  if (!make_folder(folder, error))
    return FALSE;
  find_part(features, &part);
  path = free_path(folder, name);
  if (!picture_write(path, sample, &part, input_get_orientation(self->input), error))
    return FALSE;
  self->kept++;
  return known_add(self->known, self->features, error);
}

/* Returns: FALSE with an error */
static gboolean look(Collector *self, GstSample *sample, GError **error)
{
  const GstStructure *s = find_result(gst_sample_get_buffer(sample), "features");
  if (!s || g_strcmp0(gst_structure_get_string(s, "state"), "fresh") != 0)
    return TRUE;
  self->looked++;
  if (!read_features(self, s, error))
    return FALSE;
  return known_has(self->known, self->features) || keep(self, sample, s, error);
}

/* ---- The run ------------------------------------------------------------------------------- */

static void show_progress(Collector *self, gboolean last)
{
  const gint64 now = g_get_monotonic_time();
  if (!isatty(STDERR_FILENO) || (!last && now - self->shown < G_USEC_PER_SEC / 4))
    return;
  self->shown = now;
  if (last)
    g_printerr("\r\033[K");
  else
    g_printerr("\r\033[K%" G_GUINT64_FORMAT " frames, %u looked at, %u kept",
               input_count(self->input), self->looked, self->kept);
}

static gboolean is_over(const Collector *self, const volatile gint *stop)
{
  const CollectorOptions *options = self->options;
  const double played = (double)(g_get_monotonic_time() - self->start) / G_USEC_PER_SEC;
  return g_atomic_int_get(stop) || (options->max > 0 && self->kept >= options->max) ||
         (options->duration > 0 && played >= options->duration);
}

static gboolean loop(Collector *self, const volatile gint *stop, GError **error)
{
  gboolean ended = FALSE;
  while (!ended && !is_over(self, stop)) {
    g_autoptr(GError) reason = NULL;
    g_autoptr(GstSample) sample = input_pull(self->input, &ended, &reason);
    if (!reason && sample)
      look(self, sample, &reason);
    show_progress(self, FALSE);
    if (reason) {
      g_propagate_error(error, g_steal_pointer(&reason));
      return FALSE;
    }
  }
  return TRUE;
}

gboolean collector_run(const CollectorOptions *options, const volatile gint *stop, GError **error)
{
  Collector self = { .options = options, .start = g_get_monotonic_time() };
  if (!make_folder(options->folder, error))
    return FALSE;
  self.input = input_new(&options->input, error);
  if (!self.input)
    return FALSE;
  const gboolean done = loop(&self, stop, error);
  show_progress(&self, TRUE);
  if (done || self.kept > 0)
    g_print("Kept %u of %u pictures in %s (%" G_GUINT64_FORMAT " frames; %u pictures known).\n",
            self.kept, self.looked, options->folder, input_count(self.input),
            self.known ? known_count(self.known) : 0);
  input_free(&self.input);
  known_free(&self.known);
  g_free(self.features);
  return done;
}
