/* Until when a node may publish what its cameras see. */
#pragma once

#include <glib.h>

/* Returns: microseconds of a clock that nobody can set, and that goes on while the machine sleeps
 */
gint64 fence_now(void);

/* A lease that was asked for at @sent ends at etcd not before @sent + @lease. Lines that are being
 * written, and clocks that run at different speeds, need a part of it.
 * @sent: of fence_now()
 * @lease: seconds
 * Returns: the end, as fence_now() has it */
gint64 fence_end(gint64 sent, guint lease);
