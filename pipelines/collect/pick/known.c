#include "pick/known.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

#include <gio/gio.h>

struct _Known {
  char *path;
  guint n_features;
  double similar;
  GArray *features; /* of float: [pictures][n_features], each of length 1 */
  float *one;       /* [n_features] */
  int file;
};

/* ---- Comparing ----------------------------------------------------------------------------- */

/* Sets @self->one to @features with a length of 1. */
static void normalize(const Known *self, const float *features)
{
  double sum = 0;
  for (guint i = 0; i < self->n_features; i++)
    sum += (double)features[i] * features[i];
  const double scale = sum > 0 ? 1 / sqrt(sum) : 0;
  for (guint i = 0; i < self->n_features; i++)
    self->one[i] = (float)(features[i] * scale);
}

guint known_count(const Known *self)
{
  return self->features->len / self->n_features;
}

gboolean known_has(const Known *self, const float *features)
{
  normalize(self, features);
  for (guint i = 0; i < known_count(self); i++) {
    const float *other = &g_array_index(self->features, float, (gsize)i * self->n_features);
    double cosine = 0;
    for (guint j = 0; j < self->n_features; j++)
      cosine += (double)self->one[j] * other[j];
    if (cosine >= self->similar)
      return TRUE;
  }
  return FALSE;
}

/* ---- The file ------------------------------------------------------------------------------ */

static char *first_line(const char *model, guint n_features)
{
  return g_strdup_printf("vitgate-collect 1 %u %s", n_features, model);
}

/* Takes the pictures of the file's lines. One that was cut off by a full disk is skipped. */
static void take_lines(Known *self, char **lines)
{
  for (; *lines; lines++) {
    gsize size = 0;
    g_autofree guchar *bytes = **lines ? g_base64_decode(*lines, &size) : NULL;
    if (size != self->n_features * sizeof(float))
      continue;
    g_array_append_vals(self->features, bytes, self->n_features);
  }
}

static gboolean fail(const Known *self, const char *doing, GError **error)
{
  const int code = errno;
  g_set_error(error, G_IO_ERROR, g_io_error_from_errno(code), "cannot %s %s: %s", doing, self->path,
              g_strerror(code));
  return FALSE;
}

static gboolean write_line(Known *self, const char *text, GError **error)
{
  g_autofree char *line = g_strconcat(text, "\n", NULL);
  const gsize length = strlen(line);
  const gssize written = write(self->file, line, length);
  if (written == (gssize)length)
    return TRUE;
  if (written >= 0)
    errno = ENOSPC;
  return fail(self, "write", error);
}

static gboolean load(Known *self, const char *model, GError **error)
{
  g_autofree char *text = NULL, *header = first_line(model, self->n_features);
  g_autoptr(GError) unread = NULL;
  if (!g_file_get_contents(self->path, &text, NULL, &unread) &&
      !g_error_matches(unread, G_FILE_ERROR, G_FILE_ERROR_NOENT)) {
    g_set_error(error, G_IO_ERROR, G_IO_ERROR_FAILED, "cannot read %s: %s", self->path,
                unread->message);
    return FALSE;
  }
  g_auto(GStrv) lines = g_strsplit(text ? text : "", "\n", -1);
  const gboolean ours = lines[0] && strcmp(lines[0], header) == 0;
  const gboolean complete = text && g_str_has_suffix(text, "\n");
  self->file =
      open(self->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | (ours ? 0 : O_TRUNC), 0666);
  if (self->file < 0)
    return fail(self, "open", error);
  if (!ours)
    return write_line(self, header, error);
  take_lines(self, lines + 1);
  return complete || write_line(self, "", error);
}

gboolean known_add(Known *self, const float *features, GError **error)
{
  normalize(self, features);
  g_autofree char *text =
      g_base64_encode((const guchar *)self->one, self->n_features * sizeof(float));
  g_array_append_vals(self->features, self->one, self->n_features);
  return write_line(self, text, error);
}

Known *known_new(const char *folder, const char *model, guint n_features, double similar,
                 GError **error)
{
  Known *self = g_new0(Known, 1);
  self->path = g_build_filename(folder, KNOWN_FILE, NULL);
  self->n_features = n_features;
  self->similar = similar;
  self->features = g_array_new(FALSE, FALSE, sizeof(float));
  self->one = g_new(float, n_features);
  self->file = -1;
  if (!load(self, model, error))
    known_free(&self);
  return self;
}

void known_free(Known **known)
{
  Known *self = g_steal_pointer(known);
  if (!self)
    return;
  if (self->file >= 0)
    close(self->file);
  g_array_unref(self->features);
  g_free(self->one);
  g_free(self->path);
  g_free(self);
}
