/* Sub-commands that are programs of their own, since they need GStreamer: "vitgate NAME" runs
 * vitgate-NAME. */
#pragma once

#include <glib.h>

/* Prints their lines of the list in --help. */
void external_print(void);

gboolean external_is_known(const char *name);

/* Runs the program in place of this one. It is looked for beside this one, then in $PATH.
 * @argv: (array length=argc): argv[0] is the sub-command's name
 * Returns: only if it cannot be run: the exit status, after a note */
int external_run(int argc, char **argv);
