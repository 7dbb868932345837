/* Formats times of the wall clock, in microseconds since 1970 (g_get_real_time()). */
#pragma once

#include <glib.h>

/* For programs: "2026-11-28T14:03:12.000123Z".
 * Returns: (transfer full) */
char *time_to_utc(gint64 time);

/* For people: "2026-11-28 15:03:12", in the time zone of this machine.
 * Returns: (transfer full) */
char *time_to_local(gint64 time);
