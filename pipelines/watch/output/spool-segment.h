/* The files of a spool: finds them, counts their messages and reads them line by line. */
#pragma once

#include <gio/gio.h>
#include <stdio.h>

typedef struct {
  char *path;
  guint64 first; /* number of its first message */
  guint64 count; /* number of messages */
  guint64 bytes;
} SpoolSegment;

/* Returns: (transfer full) */
SpoolSegment *spool_segment_new(const char *folder, guint64 first);
void spool_segment_free(SpoolSegment *self);

/* Returns: the number after its last message */
guint64 spool_segment_end(const SpoolSegment *self);

/* Appends all segments of @folder to @segments, in order. An incomplete last line is cut off.
 * Returns: FALSE with an error of G_IO_ERROR that names the file */
gboolean spool_segments_find(const char *folder, GQueue *segments, GError **error);

/* A position in a spool. */
typedef struct {
  const SpoolSegment *segment; /* or NULL */
  guint64 next;                /* number of the next message */
  FILE *stream;
  char *line;
  size_t room;
} SpoolReader;

/* Reads message @number, which must be in @segment.
 * @topic, @payload: (out) (transfer full): NULL if the line is damaged
 * Returns: FALSE if the file cannot be read */
gboolean spool_reader_read(SpoolReader *self, const SpoolSegment *segment, guint64 number,
                           char **topic, char **payload);

void spool_reader_close(SpoolReader *self);
