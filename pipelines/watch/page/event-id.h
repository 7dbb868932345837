/* Names events. An event's id is made of its line alone, so that it stays the same after a restart
 * and when the log is rotated: microseconds since 1970, and a part of the line's hash. */
#pragma once

#include <glib.h>

#define EVENT_TIME_LENGTH 27 /* of "2026-11-28T14:03:12.000123Z" */

/* Finds the time of an event without parsing its line.
 * @line: JSON, which need not be an event
 * Returns: (transfer none) (nullable): EVENT_TIME_LENGTH bytes, which compare as times do */
const char *event_find_time(const char *line, gsize length);

/* @length: without the newline
 * Returns: (transfer full) (nullable): NULL: the line has no time */
char *event_id_new(const char *line, gsize length);

/* Returns: microseconds since 1970; -1 if @id is not an id */
gint64 event_id_get_time(const char *id);
