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

/* Returns: whether someone has begun to listen since the last call */
gboolean http_events_take_new(HttpEvents *self);

/* @event: its name
 * @data: (transfer none): complete */
void http_events_send(HttpEvents *self, const char *event, JsonBuilder *data);
