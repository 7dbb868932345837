/* Puts the model of a task in use, and takes it out again. Used in the main context only. */
#pragma once

#include "page/teach/lesson.h"

/* @error: (nullable): NULL: done */
typedef void (*UseDone)(Lesson *lesson, const GError *error, gpointer user_data);

/* Copies the taught model. Then the camera's look that loads it loads it again while it plays; if
 * there is none, a look is added to the key file, which is read again. Calls @done once, also if
 * the task is deleted meanwhile. */
void use_model(Lesson *lesson, UseDone done, gpointer user_data);

/* Brings back the model before, or takes the look out of the key file.
 * Returns: FALSE with an error */
gboolean use_undo(Lesson *lesson, GError **error);
