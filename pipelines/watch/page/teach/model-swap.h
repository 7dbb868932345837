/* The model files of a task. Any thread may call these functions, but only one at a time for a
 * task. */
#pragma once

#include <gio/gio.h>

/* Puts the newest taught model in use. What a camera may load is always a whole file.
 * @keep: whether the model that is in use now can be brought back
 * Returns: FALSE with an error that names the file; what is in use stays then */
gboolean model_swap_use(const char *folder, gboolean keep, GError **error);

/* Puts the model before in use again.
 * Returns: FALSE with an error that names the file */
gboolean model_swap_undo(const char *folder, GError **error);
