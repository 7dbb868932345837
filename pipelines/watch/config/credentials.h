/* Reads a user and password, as "USER:PASSWORD", from a file that nobody else can read, or from the
 * environment. They are read again each time, so that a changed password needs no reload. */
#pragma once

#include <gio/gio.h>

/* @file, @variable: (nullable): at most one of them
 * @user, @password: (out) (transfer full): NULL if neither @file nor @variable is set
 * Returns: FALSE with an error of G_IO_ERROR that names the file or variable, but never shows its
 * contents */
gboolean credentials_read(const char *file, const char *variable, char **user, char **password,
                          GError **error);

/* Checks that a file, such as a private key, can be read by this user and by nobody else.
 * Returns: FALSE with an error of G_IO_ERROR that names the file */
gboolean credentials_check_file(const char *path, GError **error);
