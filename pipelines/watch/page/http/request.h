/* Requests, and their answers. */
#pragma once

#include <json-glib/json-glib.h>
#include <libsoup/soup.h>

/* A request whose session, Origin, size and rate have been checked. Valid until it is answered. */
typedef struct {
  SoupServerMessage *message;
  char **parts; /* what the asterisks of the route stand for, decoded: UTF-8, not empty, without
                   slashes and control characters */
  GHashTable *query; /* (nullable): of char * to char *, decoded */
  JsonObject *body;  /* (nullable): of POST, PUT and PATCH; NULL if it is empty */
} HttpRequest;

/* Makes the request of a message. It takes @parts, @query and @body. */
HttpRequest *http_request_new(SoupServerMessage *message, char **parts, GHashTable *query,
                              JsonObject *body);

/* Ends the call of a handler: a request that it has neither paused nor answered gets an error. */
void http_request_handled(HttpRequest *request);

/* Returns: (transfer none) (nullable): a parameter of the query */
const char *http_query(const HttpRequest *request, const char *name);

/* Reads a number of the query.
 * @value: (inout): stays as it is if the query does not have it
 * Returns: FALSE if it is not a whole number from @min to @max; the request has been answered */
gboolean http_query_number(HttpRequest *request, const char *name, guint64 min, guint64 max,
                           guint64 *value);

/* A handler answers at once, or calls http_pause() and answers later, by one of these. Each of them
 * ends the request: it must not be used any more. The client may have gone by then. */

/* @builder: (transfer none): complete */
void http_answer_json(HttpRequest *request, guint status, JsonBuilder *builder);
void http_answer_bytes(HttpRequest *request, const char *type, GBytes *bytes);
void http_answer_bytes_with(HttpRequest *request, guint status, const char *type, GBytes *bytes);

/* Answers {"error": "..."}. The message is shown to the user. */
void http_answer_error(HttpRequest *request, guint status, const char *format, ...)
    G_GNUC_PRINTF(3, 4);

/* Answers 204. */
void http_answer_nothing(HttpRequest *request);

/* Ends a request whose answer is in its message, or whose connection was taken. */
void http_request_answered(HttpRequest *request);

/* Returns: (transfer full): to be answered later, once; that frees it */
HttpRequest *http_pause(HttpRequest *request);

/* Returns: whether the client has gone, so that nobody will get the answer */
gboolean http_is_gone(const HttpRequest *request);

/* Sets a message to {"error": "..."}, before there is a request. */
void http_set_error(SoupServerMessage *message, guint status, const char *reason);

/* Sets a header of the answer, before one of the functions above. */
void http_set_header(SoupServerMessage *message, const char *name, const char *value);
