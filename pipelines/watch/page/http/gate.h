/* What every request has to pass: the right host, the right origin for a change, a session if there
 * is a password. */
#pragma once

#include "page/http/sessions.h"

#include <libsoup/soup.h>

typedef struct _Gate Gate;

/* @names: (nullable): names of this machine that a browser may use, apart from addresses
 * @port: of this server; cookies do not tell ports apart
 * @tls: whether browsers use TLS */
Gate *gate_new(char *const *names, guint port, gboolean tls);

/* *@self may be NULL. */
void gate_free(Gate **self);

/* From now on, requests need a session. */
void gate_require_session(Gate *self);
gboolean gate_needs_session(const Gate *self);

/* @open: whether the route needs no session
 * Returns: FALSE if the request may not pass; the message has been answered then */
gboolean gate_check(Gate *self, SoupServerMessage *message, gboolean open);

/* Returns: whether the message has a session, or needs none */
gboolean gate_has_session(Gate *self, SoupServerMessage *message);

/* Sets or removes the cookie in the answer. */
void gate_open_session(Gate *self, SoupServerMessage *message);
void gate_close_session(Gate *self, SoupServerMessage *message);

/* Ends all sessions. */
void gate_close_all(Gate *self);
