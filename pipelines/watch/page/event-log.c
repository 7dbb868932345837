#include "page/event-log.h"

#include <stdlib.h>
#include <string.h>

#include "base/members.h"
#include "base/times.h"
#include "page/event-id.h"
#include "page/line-reader.h"

#define MAX_MISSING 2 /* files in a row: a crash while files are renamed leaves a gap of one */
#define PLACE       '@'

/* ---- Filters ------------------------------------------------------------------------------- */

/* What can be said of a line before it is parsed. */
typedef struct {
  const EventFilter *filter;
  GPtrArray *parts; /* text that must be in a line */
  char *since, *until;
} Sieve;

/* Returns: whether the log has this character as it is, without an escape */
static gboolean is_plain(gunichar c)
{
  return g_unichar_isalnum(c) || (c < 0x80 && c && strchr(" -_.,", (int)c));
}

/* Adds the longest part of a value that the log has as it is.
 * @value: (nullable) */
static void add_part(Sieve *self, const char *value)
{
  const char *longest = "", *start = value;
  gsize length = 0;
  for (const char *at = value; at && *at;) {
    const gunichar c = g_utf8_get_char_validated(at, -1);
    const gboolean plain = c < (gunichar)-2 && is_plain(c);
    at = plain ? g_utf8_next_char(at) : at + 1;
    if (!plain)
      start = at;
    if ((gsize)(at - start) > length) {
      longest = start;
      length = (gsize)(at - start);
    }
  }
  if (length)
    g_ptr_array_add(self->parts, g_strndup(longest, length));
}

/* @filter: (nullable) */
static void sieve_init(Sieve *self, const EventFilter *filter)
{
  static const EventFilter none;
  *self =
      (Sieve){ .filter = filter ? filter : &none, .parts = g_ptr_array_new_with_free_func(g_free) };
  add_part(self, self->filter->camera);
  add_part(self, self->filter->look);
  add_part(self, self->filter->event);
  add_part(self, self->filter->label);
  self->since = self->filter->since ? time_to_utc(self->filter->since) : NULL;
  self->until = self->filter->until ? time_to_utc(self->filter->until) : NULL;
}

static void sieve_clear(Sieve *self)
{
  g_ptr_array_unref(self->parts);
  g_free(self->since);
  g_free(self->until);
}

/* The clock may have jumped, so a line that is too old does not mean that all before are. */
static gboolean may_pass(const Sieve *self, const char *line, gsize length)
{
  const char *time = event_find_time(line, length);
  if (!time || (self->since && strncmp(time, self->since, EVENT_TIME_LENGTH) < 0) ||
      (self->until && strncmp(time, self->until, EVENT_TIME_LENGTH) > 0))
    return FALSE;
  for (guint i = 0; i < self->parts->len; i++) {
    const char *part = self->parts->pdata[i];
    if (!memmem(line, length, part, strlen(part)))
      return FALSE;
  }
  return TRUE;
}

/* @wanted: (nullable) */
static gboolean is(JsonObject *event, const char *member, const char *wanted)
{
  return !wanted || g_strcmp0(member_get_string(event, member), wanted) == 0;
}

static gboolean passes(const Sieve *self, JsonObject *event)
{
  const EventFilter *filter = self->filter;
  return member_get_string(event, "event") && is(event, "event", filter->event) &&
         is(event, "stream_id", filter->camera) && is(event, "look", filter->look) &&
         (is(event, "label", filter->label) || is(event, "to", filter->label));
}

/* ---- Records ------------------------------------------------------------------------------- */

static void record_free(gpointer data)
{
  EventRecord *record = data;
  g_free(record->id);
  json_node_unref(record->event);
  g_free(record);
}

void event_page_free(EventPage *self)
{
  if (!self)
    return;
  g_ptr_array_unref(self->events);
  g_free(self->next);
  g_free(self);
}

/* Returns: (transfer full) (nullable): NULL: the line does not pass */
static EventRecord *make_record(const Sieve *sieve, const char *line, gsize length)
{
  g_autoptr(JsonParser) parser = json_parser_new_immutable();
  if (!may_pass(sieve, line, length) ||
      !json_parser_load_from_data(parser, line, (gssize)length, NULL))
    return NULL;
  JsonNode *root = json_parser_get_root(parser);
  if (!root || !JSON_NODE_HOLDS_OBJECT(root) || !passes(sieve, json_node_get_object(root)))
    return NULL;
  EventRecord *record = g_new0(EventRecord, 1);
  record->id = event_id_new(line, length);
  record->event = json_node_ref(root);
  return record;
}

/* ---- Files --------------------------------------------------------------------------------- */

/* Opens all files of a log, which may be rotated meanwhile: then a file is found twice.
 * Returns: (transfer full) (nullable): of LineReader, newest first */
static GPtrArray *open_files(const char *path, GError **error)
{
  g_autoptr(GPtrArray) files = g_ptr_array_new_with_free_func((GDestroyNotify)line_reader_free);
  for (guint number = 0, missing = 0; missing < MAX_MISSING; number++) {
    g_autofree char *name = number ? g_strdup_printf("%s.%u", path, number) : g_strdup(path);
    g_autoptr(GError) reason = NULL;
    LineReader *file = line_reader_open(name, &reason);
    if (!file && !g_error_matches(reason, G_IO_ERROR, G_IO_ERROR_NOT_FOUND)) {
      g_propagate_error(error, g_steal_pointer(&reason));
      return NULL;
    }
    missing = file ? 0 : missing + 1;
    if (file && files->len && line_reader_equal(file, files->pdata[files->len - 1]))
      line_reader_free(file);
    else if (file)
      g_ptr_array_add(files, file);
  }
  return g_steal_pointer(&files);
}

typedef struct {
  GPtrArray *files; /* of LineReader, newest first */
  guint file;       /* index of the current one */
  guint64 scanned;  /* bytes */
} Scan;

/* Returns: FALSE at the end of the log, or with an error */
static gboolean next_line(Scan *self, const char **line, gsize *length, GError **error)
{
  GError *reason = NULL;
  while (self->file < self->files->len) {
    if (line_reader_next(self->files->pdata[self->file], line, length, &reason)) {
      self->scanned += *length + 1;
      return TRUE;
    }
    if (reason) {
      g_propagate_error(error, reason);
      return FALSE;
    }
    self->file++;
  }
  return FALSE;
}

/* ---- Places -------------------------------------------------------------------------------- */

/* Returns: (transfer full) (nullable): text for seek_place(), to continue before the last line;
 * NULL: it is the first one */
static char *make_place(const Scan *self)
{
  if (self->file >= self->files->len)
    return NULL;
  LineReader *file = self->files->pdata[self->file];
  const guint64 offset = line_reader_get_offset(file);
  if (offset == 0 && self->file + 1 == self->files->len)
    return NULL;
  return g_strdup_printf("%c%s-%" G_GUINT64_FORMAT, PLACE, line_reader_get_mark(file), offset);
}

static gboolean refuse(GError **error, const char *before)
{
  g_autofree char *shown = g_strndup(before, 60);
  g_set_error(error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
              "before=%s: expected the id of an event, or \"next\" of a page of events", shown);
  return FALSE;
}

/* A file that is gone was the oldest, so that there is nothing left. */
static gboolean seek_place(Scan *self, const char *place, GError **error)
{
  const char *dash = strchr(place, '-');
  char *end = NULL;
  if (!dash || !g_ascii_isdigit(dash[1]))
    return refuse(error, place);
  g_autofree char *mark = g_strndup(place + 1, (gsize)(dash - place) - 1);
  const guint64 offset = g_ascii_strtoull(dash + 1, &end, 10);
  for (; self->file < self->files->len; self->file++) {
    LineReader *file = self->files->pdata[self->file];
    if (!strcmp(line_reader_get_mark(file), mark))
      return (!*end && line_reader_seek(file, offset)) || refuse(error, place);
  }
  return *end ? refuse(error, place) : TRUE;
}

static gboolean has_id(const char *line, gsize length, const char *time, const char *id)
{
  const char *found = event_find_time(line, length);
  g_autofree char *other =
      found && !strncmp(found, time, EVENT_TIME_LENGTH) ? event_id_new(line, length) : NULL;
  return g_strcmp0(other, id) == 0;
}

/* Reads up to the event, and returns its line. */
static gboolean seek_id(Scan *self, const char *id, const char **line, gsize *length,
                        GError **error)
{
  const gint64 microseconds = event_id_get_time(id);
  GError *reason = NULL;
  if (microseconds < 0)
    return refuse(error, id);
  g_autofree char *time = time_to_utc(microseconds);
  while (next_line(self, line, length, &reason))
    if (has_id(*line, *length, time, id))
      return TRUE;
  if (reason)
    g_propagate_error(error, reason);
  else
    g_set_error(error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND, "no event has the id %s", id);
  return FALSE;
}

/* ---- Reading ------------------------------------------------------------------------------- */

static gboolean read_events(EventPage *self, Scan *scan, guint limit, const Sieve *sieve,
                            GError **error)
{
  const guint64 end = scan->scanned + EVENT_LOG_SCAN;
  const char *line;
  gsize length;
  GError *reason = NULL;
  while (self->events->len < limit && scan->scanned < end &&
         next_line(scan, &line, &length, &reason)) {
    EventRecord *record = make_record(sieve, line, length);
    if (record)
      g_ptr_array_add(self->events, record);
  }
  if (reason) {
    g_propagate_error(error, reason);
    return FALSE;
  }
  self->next = make_place(scan);
  return TRUE;
}

static EventPage *page_new_empty(void)
{
  EventPage *self = g_new0(EventPage, 1);
  self->events = g_ptr_array_new_with_free_func(record_free);
  return self;
}

EventPage *event_log_read(const char *path, const char *before, guint limit,
                          const EventFilter *filter, GError **error)
{
  g_autoptr(GPtrArray) files = open_files(path, error);
  g_autoptr(EventPage) self = page_new_empty();
  Scan scan = { .files = files };
  const char *line;
  gsize length;
  if (!files || (before && !(*before == PLACE ? seek_place(&scan, before, error)
                                              : seek_id(&scan, before, &line, &length, error))))
    return NULL;
  Sieve sieve;
  sieve_init(&sieve, filter);
  gboolean good = read_events(self, &scan, limit, &sieve, error);
  sieve_clear(&sieve);
  return good ? g_steal_pointer(&self) : NULL;
}
