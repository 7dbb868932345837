/* Reads the lines of a file backwards. */
#pragma once

#include <gio/gio.h>

typedef struct _LineReader LineReader;

/* Opens a file at its end. A last line without a newline is not read, since it is being written.
 * Returns: (transfer full) (nullable): NULL with an error of G_IO_ERROR that names the file */
LineReader *line_reader_open(const char *path, GError **error);

/* Returns: (transfer none): a name that stays the same while the file grows and is renamed; "" for
 * an empty file */
const char *line_reader_get_mark(const LineReader *self);

/* Returns: whether both have opened the same file */
gboolean line_reader_equal(const LineReader *a, const LineReader *b);

/* Continues before the line that starts at @offset.
 * Returns: FALSE if no line starts there */
gboolean line_reader_seek(LineReader *self, guint64 offset);

/* Reads the line before the last one.
 * @line: (out) (transfer none): valid until the next call, without a newline, not terminated
 * Returns: FALSE at the start of the file, or with an error of G_IO_ERROR that names the file */
gboolean line_reader_next(LineReader *self, const char **line, gsize *length, GError **error);

/* Returns: where the last line starts; before the first line_reader_next(), where reading starts */
guint64 line_reader_get_offset(const LineReader *self);

void line_reader_free(LineReader *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(LineReader, line_reader_free)
