/* Names and passwords: from a file that nobody else can read, or from the environment, as
 * "USER:PASSWORD". They are read anew each time, so that a changed password needs no reload. */
#pragma once

#include <gio/gio.h>

/* @file, @variable: (nullable): one of them at the most
 * @user, @password: (out) (transfer full): NULL where neither @file nor @variable is given
 * Returns: FALSE with an error of G_IO_ERROR that names the file or the variable, never what is in
 * it */
gboolean credentials_read(const char *file, const char *variable, char **user, char **password,
                          GError **error);
