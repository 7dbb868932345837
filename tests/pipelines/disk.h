/* Stands between the tests and the disk: tells what was synced, and makes truncation fail. Linking
 * it replaces fdatasync() and ftruncate() in the whole program. */
#pragma once

#include <glib.h>

/* Returns: the size that the file had when it was last synced; 0 if it never was */
guint64 disk_synced(const char *path);

/* Makes truncation fail until it is called with FALSE. */
void disk_fail_truncation(gboolean fail);
