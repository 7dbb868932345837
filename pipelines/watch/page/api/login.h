/* Checks the passwords that clients give: one at a time, with delays after wrong ones. */
#pragma once

#include "page/page.h"

typedef struct _Login Login;

/* If there is a password, requests need a session from now on. */
Login *login_new(Page *page);

/* Checks that run are finished later, and their requests answered with an error.
 * *@self may be NULL. */
void login_free(Login **self);

/* Returns: whether there is a password */
gboolean login_is_needed(const Login *self);

/* Checks a password in a thread, then calls @func if it is right; otherwise, or if the client has
 * to wait, @request is answered. Only if there is a password. */
void login_check(Login *self, HttpRequest *request, const char *password, HttpFunc func,
                 gpointer user_data);

/* Calls @func if @request has a session or needs none, or if it has the password by HTTP Basic
 * authentication, with any user name; otherwise it is answered. The last right password is
 * remembered, as a keyed hash, so that a client that sends it each time costs little. */
void login_require(Login *self, HttpRequest *request, HttpFunc func, gpointer user_data);
