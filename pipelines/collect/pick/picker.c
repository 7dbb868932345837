#include "pick/picker.h"

#include "pick/known.h"
#include "pick/picture.h"

#include <gio/gio.h>

struct _Picker {
  char *folder;
  double similar;
  Known *known; /* NULL before the first frame */
  float *features;
};

const GstStructure *picker_find(GstBuffer *buffer, const char *look)
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

gboolean picker_is_doubtful(const GstStructure *result, double threshold)
{
  guint index = 0, n_classes = 0;
  double score = 0;
  return !result || !gst_structure_get_double(result, "score", &score) || score < threshold ||
         (gst_structure_get_uint(result, "index", &index) &&
          gst_structure_get_uint(result, "class-count", &n_classes) && index >= n_classes);
}

char *picker_time_name(GDateTime *time)
{
  g_autofree char *seconds = g_date_time_format(time, "%Y-%m-%dT%H-%M-%S");
  return g_strdup_printf("%s.%03d", seconds, g_date_time_get_microsecond(time) / 1000);
}

/* Opens what is known of the folder when the first result says whose features these are.
 * Returns: FALSE with an error */
static gboolean read_features(Picker *self, const GstStructure *s, GError **error)
{
  const GValue *array = gst_structure_get_value(s, "features");
  const guint n = array ? gst_value_array_get_size(array) : 0;
  if (n == 0) {
    g_set_error(error, G_IO_ERROR, G_IO_ERROR_FAILED, "the model gives no features");
    return FALSE;
  }
  if (!self->known) {
    self->known =
        known_new(self->folder, gst_structure_get_string(s, "model-name"), n, self->similar, error);
    if (!self->known)
      return FALSE;
    self->features = g_new(float, n);
  }
  for (guint i = 0; i < n; i++)
    self->features[i] = (float)g_value_get_double(gst_value_array_get_value(array, i));
  return TRUE;
}

gboolean picker_look(Picker *self, GstSample *sample, gboolean *fresh, gboolean *differs,
                     GError **error)
{
  const GstStructure *s = picker_find(gst_sample_get_buffer(sample), PICKER_FEATURES);
  *fresh = s && g_strcmp0(gst_structure_get_string(s, "state"), "fresh") == 0;
  *differs = FALSE;
  if (!*fresh)
    return TRUE;
  if (!read_features(self, s, error))
    return FALSE;
  *differs = !known_has(self->known, self->features);
  return TRUE;
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

/* The element has looked at the part of which the picture is written. */
static void find_part(const GstStructure *s, PicturePart *part)
{
  *part = (PicturePart){ 0, 0, G_MAXINT, G_MAXINT };
  gst_structure_get(s, "x", G_TYPE_UINT, &part->x, "y", G_TYPE_UINT, &part->y, "width", G_TYPE_UINT,
                    &part->width, "height", G_TYPE_UINT, &part->height, NULL);
}

gboolean picker_keep(Picker *self, GstSample *sample, const char *folder, const char *name,
                     GstVideoOrientationMethod method, GError **error)
{
  g_autofree char *path = free_path(folder, name);
  PicturePart part;
  find_part(picker_find(gst_sample_get_buffer(sample), PICKER_FEATURES), &part);
  return picture_write(path, sample, &part, method, error) &&
         known_add(self->known, self->features, error);
}

guint picker_count(const Picker *self)
{
  return self->known ? known_count(self->known) : 0;
}

Picker *picker_new(const char *folder, double similar)
{
  Picker *self = g_new0(Picker, 1);
  self->folder = g_strdup(folder);
  self->similar = similar;
  return self;
}

void picker_free(Picker **picker)
{
  Picker *self = g_steal_pointer(picker);
  if (!self)
    return;
  known_free(&self->known);
  g_free(self->features);
  g_free(self->folder);
  g_free(self);
}
