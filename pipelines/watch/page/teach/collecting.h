/* Looks at a task's camera, and at its snapshots of the last hours, for candidates. */
#pragma once

#include "page/teach/lesson.h"

/* Lists the snapshots of the last hours, to be looked at first. */
void collecting_begin(Lesson *lesson);

/* Looks at a picture if it is time to, and if it does not look at one. Called several times a
 * second while the task collects. */
void collecting_look(Lesson *lesson);

/* Ends it for now; the next collecting_look() starts again. */
void collecting_stop(Lesson *lesson);
