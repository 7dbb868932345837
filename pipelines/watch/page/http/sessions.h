/* Who has given the password: random tokens, which a cookie carries. They end with the program. */
#pragma once

#include <glib.h>

typedef struct _Sessions Sessions;

Sessions *sessions_new(void);

/* *@self may be NULL. */
void sessions_free(Sessions **self);

/* Returns: (transfer full): the token of a new session: 256 random bits as hexadecimal digits */
char *sessions_open(Sessions *self);

/* @token: (nullable)
 * Returns: whether the session is open; it then stays open for longer */
gboolean sessions_check(Sessions *self, const char *token);

/* @token: (nullable) */
void sessions_close(Sessions *self, const char *token);

/* Ends all, such as after a change of the password. */
void sessions_close_all(Sessions *self);
