/* Answers that stay open: events, or multipart pictures. They take the connection from libsoup, and
 * end with it. */
#pragma once

#include "page/http/request.h"

/* Bytes that may wait for a slow client. */
#define HTTP_STREAM_BUFFER (256 * 1024)

/* Maximum number of open streams of this program. */
#define HTTP_MAX_STREAMS 64

typedef struct _HttpStream HttpStream;

/* Answers the request, which must not be used any more, with a stream.
 * @on_close: called once, from the main loop: after the client has gone, was too slow, or
 * http_stream_close(). The stream must not be used after it
 * Returns: (transfer none) (nullable): NULL if there are too many streams or the client has gone;
 * the request has been answered, and @on_close will not be called */
HttpStream *http_stream_new(HttpRequest *request, const char *type, GDestroyNotify on_close,
                            gpointer user_data);

/* Returns: whether the client has got everything before, apart from what the kernel holds */
gboolean http_stream_is_ready(const HttpStream *self);

/* Sends the bytes, if the client has got everything before.
 * Returns: FALSE if it still sends earlier bytes; skip these */
gboolean http_stream_write(HttpStream *self, GBytes *bytes);

/* Sends the bytes after those before. A client for which more than HTTP_STREAM_BUFFER bytes wait is
 * dropped. */
void http_stream_queue(HttpStream *self, GBytes *bytes);

void http_stream_close(HttpStream *self);

/* Returns: number of open streams */
guint http_stream_count(void);
