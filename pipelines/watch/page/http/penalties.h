/* Delays after wrong passwords, for each client. */
#pragma once

#include <gio/gio.h>

typedef struct _Penalties Penalties;

Penalties *penalties_new(void);

/* *@self may be NULL. */
void penalties_free(Penalties **self);

/* Returns: seconds until the client may try again; 0: now */
guint penalties_get_wait(Penalties *self, GInetAddress *client);

/* Records an attempt. */
void penalties_note(Penalties *self, GInetAddress *client, gboolean right);
