/* Accepts connections for libsoup, and drops those that are too many, too slow or silent, which
 * libsoup would keep for ever. */
#pragma once

#include <libsoup/soup.h>

/* Maximum number of connections, of all clients and of one; this machine may have all. */
#define MAX_CONNECTIONS            160
#define MAX_CONNECTIONS_OF_ADDRESS 48

/* Maximum size of a request's body, bytes. */
#define HTTP_MAX_BODY 65536

typedef struct _Connections Connections;

/* Starts to listen.
 * @certificate: (nullable): for TLS
 * Returns: (transfer full) (nullable): NULL with an error that names the address */
Connections *connections_new(SoupServer *soup, const char *address, guint port,
                             GTlsCertificate *certificate, GError **error);

/* Returns: the port it listens at */
guint connections_get_port(Connections *self);

/* Closes all connections that are not streams. */
void connections_free(Connections **self);

/* Returns: whether the body of the message was larger than HTTP_MAX_BODY; it was not kept then */
gboolean connections_is_too_big(SoupServerMessage *message);

/* From now on, the connection of the message is not watched.
 * Returns: (transfer full) (nullable) */
GSocket *connections_leave(SoupServerMessage *message);

/* Tests cannot wait for as long as a client may take.
 * Returns: @seconds, or fewer */
guint connections_get_patience(guint seconds);
