#include "page/line-reader.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/line-file.h"

#define BLOCK    ((gsize)64 << 10)
#define MAX_LINE ((gsize)4 << 20) /* a longer one is damaged, and skipped */
#define MARK     12               /* hexadecimal digits */

struct _LineReader {
  char *path;
  int fd;
  dev_t device;
  ino_t inode;
  guint64 size;
  char mark[MARK + 1];
  char *bytes; /* of the file, from @start to the end of the next line */
  gsize length;
  guint64 start;
};

static gboolean fail(LineReader *self, GError **error)
{
  return line_file_fail(error, self->path);
}

/* Returns: the number of bytes read, which is less than @length only at the end of the file; -1
 * with errno set */
static gssize read_at(int fd, void *bytes, gsize length, guint64 offset)
{
  gsize done = 0;
  while (done < length) {
    const ssize_t n = pread(fd, (char *)bytes + done, length - done, (off_t)(offset + done));
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0)
      return -1;
    if (n == 0)
      break;
    done += (gsize)n;
  }
  return (gssize)done;
}

/* The first line of a log never changes and holds a time, so that no other file has it. */
static gboolean make_mark(LineReader *self)
{
  g_autofree guint8 *block = g_malloc(BLOCK);
  const gssize n = read_at(self->fd, block, BLOCK, 0);
  const guint8 *newline = n > 0 ? memchr(block, '\n', (gsize)n) : NULL;
  if (n < 0)
    return FALSE;
  if (!newline && n < (gssize)BLOCK)
    return TRUE;
  const gsize length = newline ? (gsize)(newline - block) : BLOCK;
  g_autofree char *hash = g_compute_checksum_for_data(G_CHECKSUM_SHA1, block, length);
  memcpy(self->mark, hash, MARK);
  return TRUE;
}

LineReader *line_reader_open(const char *path, GError **error)
{
  LineReader *self = g_new0(LineReader, 1);
  struct stat status;
  self->path = g_strdup(path);
  self->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (self->fd < 0 || fstat(self->fd, &status) < 0 || !make_mark(self)) {
    fail(self, error);
    line_reader_free(self);
    return NULL;
  }
  self->device = status.st_dev;
  self->inode = status.st_ino;
  self->size = S_ISREG(status.st_mode) && *self->mark ? (guint64)status.st_size : 0;
  self->start = self->size;
  return self;
}

const char *line_reader_get_mark(const LineReader *self)
{
  return self->mark;
}

gboolean line_reader_equal(const LineReader *a, const LineReader *b)
{
  return a->device == b->device && a->inode == b->inode;
}

gboolean line_reader_seek(LineReader *self, guint64 offset)
{
  char before = '\n';
  if (offset > self->size || (offset && read_at(self->fd, &before, 1, offset - 1) != 1) ||
      before != '\n')
    return FALSE;
  self->length = 0;
  self->start = offset;
  return TRUE;
}

/* Puts the block before @start in front of the bytes. */
static gboolean read_block(LineReader *self)
{
  const gsize length = (gsize)MIN(BLOCK, self->start);
  const gsize kept = self->length > MAX_LINE ? 0 : self->length;
  char *bytes = g_malloc(length + kept);
  const gssize n = read_at(self->fd, bytes, length, self->start - length);
  if (n != (gssize)length) {
    errno = n < 0 ? errno : EIO; /* the file has become shorter */
    g_free(bytes);
    return FALSE;
  }
  if (kept)
    memcpy(bytes + length, self->bytes, kept);
  g_free(self->bytes);
  self->bytes = bytes;
  self->length = length + kept;
  self->start -= length;
  return TRUE;
}

/* Returns: (transfer none) (nullable): the last line in the bytes, if its start is there */
static const char *find_line(LineReader *self, gsize *length)
{
  const char *bytes = self->bytes;
  const gsize n = self->length;
  const char *newline = n > 1 ? memrchr(bytes, '\n', n - 1) : NULL;
  if (!newline && (self->start > 0 || n == 0))
    return NULL;
  const char *line = newline ? newline + 1 : bytes;
  *length = n - (gsize)(line - bytes);
  return line;
}

gboolean line_reader_next(LineReader *self, const char **line, gsize *length, GError **error)
{
  for (;;) {
    const char *found;
    while (!(found = find_line(self, length)) && self->start > 0)
      if (!read_block(self))
        return fail(self, error);
    if (!found)
      return FALSE;
    self->length -= *length;
    *line = found;
    if (found[*length - 1] == '\n') {
      --*length;
      return TRUE;
    }
  }
}

guint64 line_reader_get_offset(const LineReader *self)
{
  return self->start + self->length;
}

void line_reader_free(LineReader *self)
{
  if (!self)
    return;
  if (self->fd >= 0)
    close(self->fd);
  g_free(self->bytes);
  g_free(self->path);
  g_free(self);
}
