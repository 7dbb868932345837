/* Answers "vitgate-watch --status" over a Unix socket: sends the status to everyone who connects,
 * and closes the connection. Only the user of this process, and root, may connect. */
#pragma once

#include <gio/gio.h>

/* Returns: (transfer full): the answer */
typedef char *(*StatusServerFunc)(gpointer user_data);

typedef struct _StatusServer StatusServer;

/* Starts to listen, and creates the folder of the socket if necessary. A socket that a killed
 * process has left is replaced.
 * @func: called by the default main context
 * Returns: (transfer full) (nullable): NULL with an error that names the path */
StatusServer *status_server_new(const char *path, StatusServerFunc func, gpointer user_data,
                                GError **error);

/* Stops, and removes the socket. */
void status_server_free(StatusServer **self);

/* Asks the process that listens at @path.
 * Returns: (transfer full) (nullable): its answer; NULL with an error that says why there is none
 */
char *status_server_ask(const char *path, GError **error);
