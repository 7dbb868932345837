/* Sends server-sent events to all browsers that listen. */
#pragma once

#include "page/http/stream.h"

typedef struct _HttpEvents HttpEvents;

HttpEvents *http_events_new(void);
void http_events_free(HttpEvents **self);

/* Answers the request with a stream, which gets all later events. */
void http_events_add(HttpEvents *self, HttpRequest *request);

/* Returns: whether anyone listens */
gboolean http_events_wanted(const HttpEvents *self);

/* Makes what a listener lacks of a state of which only the newest counts.
 * @seen: version that the listener has; 0: none
 * Returns: (transfer full): complete */
typedef JsonBuilder *(*HttpEventsMake)(guint64 seen, gpointer user_data);

/* Brings the listeners to a version of that state. It makes each text once, and nothing waits for a
 * slow listener: one that still gets earlier data has its turn at a later call, with the newest.
 * @event: its name
 * @version: at least 1
 * Returns: whether all have that version now */
gboolean http_events_update(HttpEvents *self, const char *event, guint64 version,
                            HttpEventsMake make, gpointer user_data);

/* @event: its name
 * @data: (transfer none): complete */
void http_events_send(HttpEvents *self, const char *event, JsonBuilder *data);
