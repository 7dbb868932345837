#include "collector.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <gio/gio.h>
#include <glib/gstdio.h>

#include "base/clean-text.h"
#include "base/secrets.h"
#include "pick/picker.h"

/* Folder of pictures whose label is in doubt. */
#define DOUBTFUL "doubtful"

/* File systems have names of up to 255 bytes. */
#define MAX_NAME 200

typedef struct {
  const CollectorOptions *options;
  Input *input;
  Picker *picker;
  guint looked, kept;
  gint64 start, shown; /* when it started, and when progress was printed last */
} Collector;

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

/* Returns: (transfer full): the folder of a picture */
static char *find_folder(const CollectorOptions *options, const GstStructure *s)
{
  if (!options->sorted)
    return g_strdup(options->folder);
  const char *label = gst_structure_get_string(s, "label");
  g_autofree char *name = !label || picker_is_doubtful(s, options->threshold)
                              ? g_strdup(DOUBTFUL)
                              : folder_of_label(label);
  return g_build_filename(options->folder, name, NULL);
}

/* Returns: (transfer full): the time in a clip, or of day. Parts have fixed lengths, so that names
 * sort in time. */
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
  return picker_time_name(now);
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

static gboolean keep(Collector *self, GstSample *sample, GError **error)
{
  const CollectorOptions *options = self->options;
  GstBuffer *buffer = gst_sample_get_buffer(sample);
  const GstStructure *labels = picker_find(buffer, PICKER_LABELS);
  const GstClockTime time = gst_segment_to_stream_time(gst_sample_get_segment(sample),
                                                       GST_FORMAT_TIME, GST_BUFFER_PTS(buffer));
  g_autofree char *folder =
      find_folder(options, labels ? labels : picker_find(buffer, PICKER_FEATURES));
  g_autofree char *name = time_name(self->input, options->input.source, time);
  if (!make_folder(folder, error) ||
      !picker_keep(self->picker, sample, folder, name, input_get_orientation(self->input), error))
    return FALSE;
  self->kept++;
  return TRUE;
}

/* Returns: FALSE with an error */
static gboolean look(Collector *self, GstSample *sample, GError **error)
{
  gboolean fresh, differs;
  if (!picker_look(self->picker, sample, &fresh, &differs, error))
    return FALSE;
  self->looked += fresh;
  return !differs || keep(self, sample, error);
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
  self.picker = picker_new(options->folder, options->similar);
  const gboolean done = loop(&self, stop, error);
  show_progress(&self, TRUE);
  if (done || self.kept > 0)
    g_print("Kept %u of %u pictures in %s (%" G_GUINT64_FORMAT " frames; %u pictures known).\n",
            self.kept, self.looked, options->folder, input_count(self.input),
            picker_count(self.picker));
  input_free(&self.input);
  picker_free(&self.picker);
  return done;
}
