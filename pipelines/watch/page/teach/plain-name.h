/* Names that people give to tasks and classes, and that become names of folders. */
#pragma once

#include <gio/gio.h>

/* Makes the name composed (NFC), as "vitgate teach" does, and checks that it can be a folder's: no
 * slash, no control character, nothing hidden, and none that means something else to vitgate.
 * @kind: "task" or "class", for the error
 * Returns: (transfer full) (nullable): NULL with an error that quotes the name */
char *plain_name_new(const char *kind, const char *name, GError **error);
