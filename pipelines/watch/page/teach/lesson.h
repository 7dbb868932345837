/* A task, and what goes on with it. Used in the main context only. */
#pragma once

#include "page/page.h"
#include "page/pictures/snapshots.h"
#include "page/teach/candidates.h"
#include "page/teach/task.h"

typedef enum {
  LESSON_NONE,
  LESSON_RUNNING,
  LESSON_DONE,
  LESSON_FAILED,
} LessonState;

typedef struct {
  gatomicrefcount references;
  Page *page;           /* NULL: the task was deleted, or the page is closed */
  Snapshots *snapshots; /* (nullable) */
  Task *task;

  /* Collecting: */
  Candidates *candidates; /* NULL: not yet, or not */
  GQueue stills;          /* of Snapshot: to be looked at */
  gint64 next_look;       /* at the camera, monotonic time */
  guint64 last_frame;     /* its number; it is not looked at again */
  gboolean loading;       /* a snapshot is being read */
  char *message;          /* (nullable): why no more pictures come in */

  /* The run: */
  LessonState state;
  double progress; /* 0 to 1 */
  char *failure;   /* (nullable): what "vitgate teach" said */

  gboolean swapping; /* a model is being put in use */
} Lesson;

/* @page, @snapshots: must outlive it
 * @task: (transfer full)
 * Returns: (transfer full) */
Lesson *lesson_new(Page *page, Snapshots *snapshots, Task *task);
Lesson *lesson_ref(Lesson *self);
void lesson_unref(Lesson *self);

/* Returns: (transfer none) (nullable): the task's camera */
const CameraConfig *lesson_find_camera(Lesson *self);

/* Finds the look that loads the task's model.
 * @camera: (out) (optional): that it belongs to
 * Returns: (transfer none) (nullable) */
const LookConfig *lesson_find_look(Lesson *self, const CameraConfig **camera);

/* Returns: whether there is a model before, or a look that can be taken out again */
gboolean lesson_can_undo(Lesson *self);

/* Adds the task to @builder as an object. */
void lesson_add(Lesson *self, JsonBuilder *builder);

/* Tells all browsers that the task has changed. */
void lesson_publish(Lesson *self);
