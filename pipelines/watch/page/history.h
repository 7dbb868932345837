/* Remembers the last hour of each camera and look, in steps of two seconds. The memory for it is
 * fixed, and nothing is written to disk. May be called from any thread. */
#pragma once

#include <json-glib/json-glib.h>

#define HISTORY_STEP    2    /* seconds */
#define HISTORY_SAMPLES 1800 /* an hour */

typedef struct _History History;

/* Returns: (transfer full) */
History *history_new(void);

/* Adds a frame. Most of them cost nothing: a few of each step are parsed.
 * @line: as of vitgatejson
 * @now: monotonic time, microseconds */
void history_frame(History *self, const char *camera, const char *line, gsize length, gint64 now);

/* Adds an event, of which the state of a scene counts.
 * @line: a JSON object */
void history_event(History *self, const char *camera, const char *line, gsize length);

/* Forgets cameras that are not in the list.
 * @cameras: names; ends with NULL */
void history_keep(History *self, const char *const *cameras);

/* Adds an object with "step_seconds", "end" and "samples", oldest first, to @builder. Where there
 * were no frames for longer than a step, one sample without values stands.
 * @look: (nullable): NULL: the whole frame or, if that is not classified, the first look
 * @seconds: length of the part to write
 * @now: monotonic time, microseconds
 * @wall: the same time on the wall clock: the times of samples are counted back from it, so that a
 * clock that has jumped does not matter */
void history_write(History *self, const char *camera, const char *look, double seconds, gint64 now,
                   gint64 wall, JsonBuilder *builder);

void history_free(History **self);
