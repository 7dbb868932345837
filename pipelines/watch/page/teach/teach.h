/* Teaching in the page: the tasks of a folder, with their candidates, and runs of "vitgate teach".
 * Used in the main context only.
 *
 * Errors are of G_IO_ERROR: INVALID_ARGUMENT for what was asked, EXISTS and BUSY for what cannot be
 * done now, and others for what failed. */
#pragma once

#include "page/teach/lesson.h"

typedef struct _Teach Teach;

/* Reads the tasks that are there; one that cannot be read is reported and left out.
 * @page, @snapshots: must outlive it */
Teach *teach_new(Page *page, Snapshots *snapshots);

/* Ends a run. *@self may be NULL. */
void teach_free(Teach **self);

/* Adds the tasks to @builder as an array. */
void teach_add_lessons(Teach *self, JsonBuilder *builder);

/* Returns: (transfer none) (nullable) */
Lesson *teach_find(Teach *self, const char *name);

/* @classes: (element-type utf8): as given
 * Returns: (transfer none) (nullable): NULL with an error */
Lesson *teach_add(Teach *self, const char *name, const char *camera, const TaskRegion *region,
                  const GPtrArray *classes, GError **error);

/* Deletes the task with all its files. */
gboolean teach_remove(Teach *self, Lesson *lesson, GError **error);

/* @classes: (element-type utf8): as given */
gboolean teach_set_classes(Teach *self, Lesson *lesson, const GPtrArray *classes, GError **error);

/* Starts and ends collecting. */
gboolean teach_collect(Teach *self, Lesson *lesson, gboolean collect, GError **error);

/* Starts "vitgate teach". Only one runs at a time, whatever the task. */
gboolean teach_run(Teach *self, Lesson *lesson, GError **error);
void teach_cancel(Teach *self, Lesson *lesson);
