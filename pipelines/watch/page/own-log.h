/* Keeps events for the page where the key file has no log. It is rotated as logs are, and written
 * by a thread of its own. */
#pragma once

#include <glib.h>

typedef struct _OwnLog OwnLog;

/* @path: the file and its folder are made with the first event; what fails is reported once
 * Returns: (transfer full) */
OwnLog *own_log_new(const char *path);

/* Writes a line, later. May be called from any thread.
 * @line: ends with a newline */
void own_log_write(OwnLog *self, const char *line, gsize length);

/* Waits until all lines are written. */
void own_log_free(OwnLog **self);
