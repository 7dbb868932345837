/* Reads the log of events backwards, across its rotated files, in blocks: what it takes does not
 * depend on how long the log is. The log may be written meanwhile. May be called from any thread;
 * with a filter that few events pass, it takes as long as the disk needs for up to EVENT_LOG_SCAN
 * bytes. */
#pragma once

#include <json-glib/json-glib.h>

#define EVENT_LOG_SCAN (256u << 20) /* bytes read for a page */

/* What is NULL or 0 lets all events pass. */
typedef struct {
  const char *camera, *look, *event;
  const char *label;   /* of a label that appears or vanishes, or the state that begins */
  gint64 since, until; /* microseconds since 1970; both are included */
} EventFilter;

typedef struct {
  char *id;
  JsonNode *event; /* the object of the line */
} EventRecord;

typedef struct {
  GPtrArray *events; /* of EventRecord, newest first */
  char *next;        /* (nullable): as @before, to continue; NULL: there are no older events. With
                        it, there may be more even if this page is not full */
} EventPage;

/* Reads a page of events. Lines that are no events are skipped; a missing log is empty.
 * @path: of the newest file
 * @before: (nullable): the id of an event, or a page's next; NULL: from the newest event on
 * @filter: (nullable)
 * Returns: (transfer full) (nullable): NULL with an error of G_IO_ERROR: INVALID_ARGUMENT, if
 * @before is neither; NOT_FOUND, if no event has this id; or of the file, which it names */
EventPage *event_log_read(const char *path, const char *before, guint limit,
                          const EventFilter *filter, GError **error);

void event_page_free(EventPage *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(EventPage, event_page_free)
