/* The pictures of a task: sorted ones in the folder of their class, and unsorted ones. They are
 * read from the folders each time, so that a person may change them. */
#pragma once

#include "page/teach/task.h"

typedef struct {
  char *id; /* stays when the file is moved within the task; no other file ever has it */
  char *path;
  char *class;     /* (nullable): NULL: unsorted */
  gint64 time;     /* of the picture, as of g_get_real_time() */
  double doubtful; /* probability of its class, or of the guess; negative: not doubtful */
  char *guess;     /* (nullable): what the model takes it for */
} TaskPicture;

/* Returns: (transfer full) (element-type TaskPicture): the newest first */
GPtrArray *task_pictures_list(Task *task);

/* Returns: (transfer none) (nullable) */
const TaskPicture *task_pictures_find(const GPtrArray *pictures, const char *id);

/* Returns: (transfer full) (element-type utf8): the classes of task.ini, and those of other folders
 * that a person has made */
GPtrArray *task_pictures_classes(Task *task);

/* Moves a picture into a class.
 * @class: (nullable): one of task_pictures_classes(); NULL: unsorted */
gboolean task_pictures_sort(Task *task, const TaskPicture *picture, const char *class,
                            GError **error);

gboolean task_pictures_delete(const TaskPicture *picture, GError **error);

/* Replaces the classes of the task, and saves it. Pictures of classes that are gone become
 * unsorted. Fails if the folder of such a class holds something else. */
gboolean task_pictures_set_classes(Task *task, const GPtrArray *classes, GError **error);

/* Stores that a new unsorted picture is doubtful. It is written by the next task_save().
 * @name: of the file
 * @guess: (nullable) */
void task_pictures_doubt(Task *task, const char *name, double probability, const char *guess);
