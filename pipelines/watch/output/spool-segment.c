#include "output/spool-segment.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/line-file.h"

#define SUFFIX ".spool"
#define DIGITS 20

SpoolSegment *spool_segment_new(const char *folder, guint64 first)
{
  g_autofree char *name = g_strdup_printf("%0*" PRIu64 SUFFIX, DIGITS, first);
  SpoolSegment *self = g_new0(SpoolSegment, 1);
  self->path = g_build_filename(folder, name, NULL);
  self->first = first;
  return self;
}

void spool_segment_free(SpoolSegment *self)
{
  g_free(self->path);
  g_free(self);
}

guint64 spool_segment_end(const SpoolSegment *self)
{
  return self->first + self->count;
}

static gboolean parse_name(const char *name, guint64 *first)
{
  g_autofree char *digits = g_strndup(name, DIGITS);
  return strlen(name) == DIGITS + strlen(SUFFIX) && g_str_has_suffix(name, SUFFIX) &&
         g_ascii_string_to_unsigned(digits, 10, 0, G_MAXUINT64 / 2, first, NULL);
}

static int compare_segments(gconstpointer a, gconstpointer b, gpointer user_data)
{
  const SpoolSegment *x = a, *y = b;
  return (x->first > y->first) - (x->first < y->first);
}

static gboolean count_lines(SpoolSegment *self, GError **error)
{
  LineFile file;
  if (!line_file_open(&file, self->path, NULL, error))
    return FALSE;
  self->bytes = file.size;
  line_file_close(&file);

  g_autoptr(GMappedFile) mapped = g_mapped_file_new(self->path, FALSE, NULL);
  if (!mapped) {
    g_set_error(error, G_IO_ERROR, G_IO_ERROR_FAILED, "%s: cannot be read", self->path);
    return FALSE;
  }
  const char *at = g_mapped_file_get_contents(mapped);
  const char *end = at + g_mapped_file_get_length(mapped);
  for (; at < end && (at = memchr(at, '\n', (gsize)(end - at))); at++)
    self->count++;
  return TRUE;
}

gboolean spool_segments_find(const char *folder, GQueue *segments, GError **error)
{
  g_autoptr(GDir) entries = g_dir_open(folder, 0, error);
  if (!entries)
    return FALSE;
  const char *name;
  guint64 first, end = 0;
  while ((name = g_dir_read_name(entries)))
    if (parse_name(name, &first))
      g_queue_insert_sorted(segments, spool_segment_new(folder, first), compare_segments, NULL);

  /* Numbers only increase, even if someone has changed the files. */
  for (GList *link = segments->head; link; link = link->next) {
    SpoolSegment *segment = link->data;
    if (!count_lines(segment, error))
      return FALSE;
    segment->first = MAX(segment->first, end);
    end = spool_segment_end(segment);
  }
  return TRUE;
}

static gboolean next_line(SpoolReader *self)
{
  ssize_t length = getline(&self->line, &self->room, self->stream);
  if (length <= 0 || self->line[length - 1] != '\n')
    return FALSE;
  /* A power cut can leave zeros in place of a line. */
  self->line[length - 1] = '\0';
  if (strlen(self->line) != (gsize)length - 1)
    *self->line = '\0';
  self->next++;
  return TRUE;
}

static gboolean seek_to(SpoolReader *self, const SpoolSegment *segment, guint64 number)
{
  if (self->segment == segment && self->next == number)
    return TRUE;
  spool_reader_close(self);
  self->stream = fopen(segment->path, "re");
  if (!self->stream)
    return FALSE;
  self->segment = segment;
  self->next = segment->first;
  while (self->next < number)
    if (!next_line(self))
      return FALSE;
  return TRUE;
}

gboolean spool_reader_read(SpoolReader *self, const SpoolSegment *segment, guint64 number,
                           char **topic, char **payload)
{
  *topic = *payload = NULL;
  if (!seek_to(self, segment, number))
    return FALSE;
  /* Lines may have been appended since the stream reached the end of the file. */
  clearerr(self->stream);
  if (!next_line(self))
    return FALSE;
  const char *tab = strchr(self->line, '\t');
  if (tab && tab > self->line) {
    *topic = g_strndup(self->line, (gsize)(tab - self->line));
    *payload = g_strdup(tab + 1);
  }
  return TRUE;
}

void spool_reader_close(SpoolReader *self)
{
  if (self->stream)
    fclose(self->stream);
  free(self->line);
  *self = (SpoolReader){ 0 };
}
