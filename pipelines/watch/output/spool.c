#include "output/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include <glib/gstdio.h>

#include "base/console.h"
#include "base/line-file.h"
#include "output/spool-segment.h"

#define SEGMENTS          8 /* the limit is divided into so many; one is dropped at a time */
#define KEPT_BYTES        (64 << 10) /* a delivered last segment stays in use up to this size */
#define MAX_WAITING_BYTES (1 << 20)
#define ACKED_FORMAT      "%020" PRIu64 "\n"
#define ACKED_LENGTH      21

struct _Spool {
  gatomicrefcount references;
  GMutex lock;
  char *folder;
  int acked_fd; /* also locked, so that no other process uses the folder */
  guint64 limit;

  GQueue segments; /* of SpoolSegment, oldest first */
  guint64 bytes;   /* size of all segments */
  LineFile file;   /* the last segment */
  GQueue waiting;  /* of GBytes: lines that could not be written to disk */
  gsize waiting_bytes;

  guint64 acked; /* number of the first message not yet delivered */
  guint64 read;  /* number of the next message to read */
  guint64 end;   /* number after the last message on disk; that of the first waiting one */
  SpoolReader reader;

  guint64 dropped;
  gboolean failing, overflowing; /* already reported */
};

/* ---- Segments ------------------------------------------------------------------------------ */

static void store_acked(Spool *self)
{
  char text[ACKED_LENGTH + 1];
  g_snprintf(text, sizeof text, ACKED_FORMAT, self->acked);
  /* If this fails, messages are delivered twice after a restart. */
  if (pwrite(self->acked_fd, text, ACKED_LENGTH, 0) < 0)
    g_debug("%s/acked: %s", self->folder, g_strerror(errno));
}

static guint64 undelivered(Spool *self, const SpoolSegment *segment)
{
  guint64 end = spool_segment_end(segment), from = MAX(segment->first, self->acked);
  return end > from ? end - from : 0;
}

static void remove_oldest(Spool *self)
{
  SpoolSegment *segment = g_queue_pop_head(&self->segments);
  if (self->reader.segment == segment)
    spool_reader_close(&self->reader);
  if (self->segments.length == 0)
    line_file_close(&self->file);
  g_unlink(segment->path);
  self->bytes -= segment->bytes;
  spool_segment_free(segment);
}

static void drop_oldest(Spool *self)
{
  const SpoolSegment *segment = g_queue_peek_head(&self->segments);
  self->dropped += undelivered(self, segment);
  self->acked = MAX(self->acked, spool_segment_end(segment));
  self->read = MAX(self->read, self->acked);
  store_acked(self);
  remove_oldest(self);
}

static void make_room(Spool *self, gsize length)
{
  while (self->bytes + length > self->limit && self->segments.length > 0) {
    guint64 before = self->dropped;
    drop_oldest(self);
    if (self->dropped > before && !self->overflowing) {
      self->overflowing = TRUE;
      console_print("%s: the spool has reached its limit; dropping the oldest messages",
                    self->folder);
    }
  }
}

static gboolean start_segment(Spool *self, GError **error)
{
  LineFile file;
  SpoolSegment *segment = spool_segment_new(self->folder, self->end);
  if (!line_file_open(&file, segment->path, NULL, error)) {
    spool_segment_free(segment);
    return FALSE;
  }
  if (self->segments.length > 0) {
    line_file_sync(&self->file);
    line_file_close(&self->file);
  }
  self->file = file;
  g_queue_push_tail(&self->segments, segment);
  return TRUE;
}

static gboolean put_line(Spool *self, const char *line, gsize length, GError **error)
{
  make_room(self, length);
  SpoolSegment *last = g_queue_peek_tail(&self->segments);
  if (!last || spool_segment_end(last) != self->end ||
      (last->count > 0 && last->bytes + length > self->limit / SEGMENTS)) {
    if (!start_segment(self, error))
      return FALSE;
    last = g_queue_peek_tail(&self->segments);
  }
  if (!line_file_append(&self->file, line, length, error))
    return FALSE;
  last->count++;
  last->bytes += length;
  self->bytes += length;
  self->end++;
  return TRUE;
}

/* ---- Waiting in memory --------------------------------------------------------------------- */

static void forget_first_waiting(Spool *self)
{
  g_autoptr(GBytes) line = g_queue_pop_head(&self->waiting);
  self->waiting_bytes -= g_bytes_get_size(line);
}

static void keep_waiting(Spool *self, const char *line, gsize length)
{
  if (self->waiting_bytes + length > MAX_WAITING_BYTES) {
    self->dropped++;
    return;
  }
  g_queue_push_tail(&self->waiting, g_bytes_new(line, length));
  self->waiting_bytes += length;
}

static gboolean put_waiting(Spool *self, GError **error)
{
  while (self->waiting.length > 0) {
    gsize length;
    const char *line = g_bytes_get_data(g_queue_peek_head(&self->waiting), &length);
    if (!put_line(self, line, length, error))
      return FALSE;
    forget_first_waiting(self);
  }
  return TRUE;
}

static void report(Spool *self, const GError *error)
{
  if (error && !self->failing)
    console_print("%s: %s; messages wait in memory", self->folder, error->message);
  else if (!error && self->failing)
    console_print("%s: can be written again", self->folder);
  self->failing = error != NULL;
}

/* ---- Writing and reading ------------------------------------------------------------------- */

void spool_append(Spool *self, const char *topic, const char *payload, gsize length)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(GString) line = g_string_new(topic);
  g_string_append_c(line, '\t');
  g_string_append_len(line, payload, (gssize)length);
  g_string_append_c(line, '\n');

  g_mutex_lock(&self->lock);
  if (line->len > self->limit) {
    self->dropped++;
  } else {
    if (!put_waiting(self, &error) || !put_line(self, line->str, line->len, &error))
      keep_waiting(self, line->str, line->len);
    report(self, error);
  }
  g_mutex_unlock(&self->lock);
}

static SpoolSegment *find_unread(Spool *self)
{
  for (GList *link = self->segments.head; link; link = link->next)
    if (spool_segment_end(link->data) > self->read)
      return link->data;
  return NULL;
}

static void free_delivered(Spool *self)
{
  SpoolSegment *oldest;
  while ((oldest = g_queue_peek_head(&self->segments)) &&
         spool_segment_end(oldest) <= self->acked) {
    gboolean goes_on = self->segments.length == 1 && spool_segment_end(oldest) == self->end;
    if (goes_on && oldest->bytes < MIN(KEPT_BYTES, self->limit / SEGMENTS))
      break;
    remove_oldest(self);
  }
  /* If someone has deleted segments, the numbers have a gap. */
  if (oldest)
    self->acked = MAX(self->acked, oldest->first);
  store_acked(self);
}

static void acknowledge(Spool *self, guint64 number)
{
  if (number < self->acked)
    return;
  self->acked = MIN(number + 1, self->end + self->waiting.length);
  for (; self->end < self->acked; self->end++)
    forget_first_waiting(self);
  free_delivered(self);
  self->read = MAX(self->read, self->acked);
  self->overflowing = self->overflowing && self->acked < self->end;
}

static void split_line(GBytes *line, char **topic, char **payload)
{
  gsize length;
  const char *text = g_bytes_get_data(line, &length);
  const char *tab = memchr(text, '\t', length);
  *topic = g_strndup(text, (gsize)(tab - text));
  *payload = g_strndup(tab + 1, length - (gsize)(tab + 1 - text) - 1);
}

/* Drops a segment that cannot be read because someone has deleted or truncated it. */
static void give_up(Spool *self, SpoolSegment *segment)
{
  console_print("%s: cannot be read; its messages are lost", segment->path);
  while (g_queue_peek_head(&self->segments) != segment)
    drop_oldest(self);
  drop_oldest(self);
}

/* Sets @topic if a message was read.
 * Returns: whether to try again */
static gboolean read_from_disk(Spool *self, SpoolSegment *segment, char **topic, char **payload)
{
  self->read = MAX(self->read, segment->first);
  if (!spool_reader_read(&self->reader, segment, self->read, topic, payload)) {
    if (self->acked < segment->first)
      return FALSE;
    give_up(self, segment);
    return TRUE;
  }
  if (*topic) {
    self->read++;
    return TRUE;
  }
  /* A damaged line is skipped once all before it are delivered. */
  if (self->acked < self->read)
    return FALSE;
  self->dropped++;
  acknowledge(self, self->read);
  return TRUE;
}

gboolean spool_read(Spool *self, guint64 *number, char **topic, char **payload)
{
  SpoolSegment *segment;
  gboolean more = TRUE;
  *topic = *payload = NULL;

  g_mutex_lock(&self->lock);
  while (more && !*topic && (segment = find_unread(self)))
    more = read_from_disk(self, segment, topic, payload);
  if (more && !*topic && self->read >= self->end && self->read - self->end < self->waiting.length) {
    split_line(g_queue_peek_nth(&self->waiting, (guint)(self->read - self->end)), topic, payload);
    self->read++;
  }
  *number = self->read - 1;
  g_mutex_unlock(&self->lock);
  return *topic != NULL;
}

void spool_acknowledge(Spool *self, guint64 number)
{
  g_mutex_lock(&self->lock);
  acknowledge(self, number);
  g_mutex_unlock(&self->lock);
}

void spool_rewind(Spool *self)
{
  g_mutex_lock(&self->lock);
  self->read = self->acked;
  g_mutex_unlock(&self->lock);
}

void spool_sync(Spool *self)
{
  g_autoptr(GError) error = NULL;
  g_mutex_lock(&self->lock);
  put_waiting(self, &error);
  report(self, error);
  int fd = line_file_begin_sync(&self->file);
  g_mutex_unlock(&self->lock);
  line_file_end_sync(fd);
}

void spool_get_status(Spool *self, SpoolStatus *status)
{
  g_mutex_lock(&self->lock);
  *status = (SpoolStatus){ .bytes = self->bytes, .dropped = self->dropped };
  for (GList *link = self->segments.head; link; link = link->next)
    status->queued += undelivered(self, link->data);
  status->queued += self->waiting.length;
  g_mutex_unlock(&self->lock);
}

/* ---- Opening and closing ------------------------------------------------------------------- */

/* Returns: FALSE with an error if another process uses the folder */
static gboolean open_acked(Spool *self, GError **error)
{
  g_autofree char *path = g_build_filename(self->folder, "acked", NULL);
  char text[ACKED_LENGTH + 1] = "";

  self->acked_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (self->acked_fd < 0)
    return line_file_fail(error, path);
  if (flock(self->acked_fd, LOCK_EX | LOCK_NB) < 0) {
    g_set_error(error, G_IO_ERROR, G_IO_ERROR_BUSY, "%s: is in use by another process",
                self->folder);
    return FALSE;
  }
  /* Without a valid number, all messages are delivered again. */
  if (pread(self->acked_fd, text, ACKED_LENGTH, 0) == ACKED_LENGTH) {
    text[ACKED_LENGTH - 1] = '\0';
    g_ascii_string_to_unsigned(text, 10, 0, G_MAXUINT64 / 2, &self->acked, NULL);
  }
  return TRUE;
}

static gboolean open_segments(Spool *self, GError **error)
{
  if (!spool_segments_find(self->folder, &self->segments, error))
    return FALSE;
  self->end = self->acked;
  for (GList *link = self->segments.head; link; link = link->next) {
    const SpoolSegment *segment = link->data;
    self->bytes += segment->bytes;
    self->end = MAX(self->end, spool_segment_end(segment));
  }
  const SpoolSegment *last = g_queue_peek_tail(&self->segments);
  if (last && !line_file_open(&self->file, last->path, NULL, error))
    return FALSE;
  free_delivered(self);
  self->read = self->acked;
  return TRUE;
}

Spool *spool_open(const char *folder, guint64 limit, GError **error)
{
  Spool *self = g_new0(Spool, 1);
  g_atomic_ref_count_init(&self->references);
  g_mutex_init(&self->lock);
  self->folder = g_strdup(folder);
  self->acked_fd = -1;
  self->limit = limit;
  self->file.fd = -1;
  g_queue_init(&self->segments);
  g_queue_init(&self->waiting);

  if (g_mkdir_with_parents(folder, 0755) < 0)
    line_file_fail(error, folder);
  else if (open_acked(self, error) && open_segments(self, error))
    return self;
  spool_unref(&self);
  return NULL;
}

Spool *spool_ref(Spool *self)
{
  g_atomic_ref_count_inc(&self->references);
  return self;
}

void spool_set_limit(Spool *self, guint64 limit)
{
  g_mutex_lock(&self->lock);
  self->limit = limit;
  make_room(self, 0);
  g_mutex_unlock(&self->lock);
}

void spool_unref(Spool **spool)
{
  Spool *self = *spool;
  *spool = NULL;
  if (!self || !g_atomic_ref_count_dec(&self->references))
    return;
  spool_sync(self);
  if (self->waiting.length > 0)
    console_print("%s: %u messages could not be written", self->folder, self->waiting.length);
  spool_reader_close(&self->reader);
  line_file_close(&self->file);
  if (self->acked_fd >= 0)
    close(self->acked_fd);
  g_queue_clear_full(&self->segments, (GDestroyNotify)spool_segment_free);
  g_queue_clear_full(&self->waiting, (GDestroyNotify)g_bytes_unref);
  g_mutex_clear(&self->lock);
  g_free(self->folder);
  g_free(self);
}
