/* Times of the wall clock, in microseconds since 1970 (g_get_real_time()), as text; and lengths of
 * time. */
#pragma once

#include <glib.h>

/* For programs: "2026-11-28T14:03:12.000123Z".
 * Returns: (transfer full) */
char *time_to_utc(gint64 time);

/* For people: "2026-11-28 15:03:12", in the time zone of this machine.
 * Returns: (transfer full) */
char *time_to_local(gint64 time);

/* Returns: a length of time in nanoseconds */
guint64 time_to_nanoseconds(double seconds);
