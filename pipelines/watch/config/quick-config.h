/* The key file of "vitgate-watch --page URL...": written for those who have none. */
#pragma once

#include <gio/gio.h>

/* Writes a key file with a page and these cameras, unless the one that is there has the same ones:
 * its settings stay. One with other cameras is renamed. A user and password in a URL go to a file
 * of their own.
 * @sources: URLs, or paths of files and devices
 * Returns: (transfer full) (nullable): the path of the key file; NULL with an error */
char *quick_config_write(char *const *sources, GError **error);
