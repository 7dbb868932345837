/* A task that the page teaches: which of its classes a part of a camera's picture shows. All of it
 * is files, which a person may change as well:
 *
 *   task.ini              camera, region, classes
 *   pictures/CLASS/…      sorted pictures, as "vitgate teach --data pictures" reads them
 *   unsorted/…            candidates
 *   model.safetensors     the newest taught model; result.json: what "vitgate teach" found
 *   in-use.safetensors    the model that the camera's look loads
 *   before.safetensors    the one that it loaded before
 *
 * Used in the main context only. */
#pragma once

#include <json-glib/json-glib.h>

#include <gio/gio.h>

#define TASK_MAX_CLASSES  20
#define TASK_MAX_PICTURES 500

#define TASK_PICTURES "pictures"
#define TASK_UNSORTED "unsorted"

#define TASK_MODEL  "model.safetensors"
#define TASK_IN_USE "in-use.safetensors"
#define TASK_BEFORE "before.safetensors"
#define TASK_RESULT "result.json"

typedef struct {
  double x, y, width, height; /* shares of the frame, 0 to 1 */
} TaskRegion;

typedef struct {
  char *name;   /* that of the folder */
  char *folder; /* path */
  char *camera; /* name; may not exist */
  TaskRegion region;
  GPtrArray *classes;  /* of char *: as task.ini lists them */
  gboolean collecting; /* different pictures come in */
  char *look;          /* (nullable): the look that was added to the key file for this task */
  gboolean kept_whole; /* the camera's key whole-frame was added with it */
  GKeyFile *file;      /* task.ini */
  JsonNode *result;    /* (nullable): an object: what the last "vitgate teach" found */
} Task;

/* Makes a task with its folders.
 * @parent: folder of all tasks
 * @name, @classes: as plain_name_new() returned them
 * Returns: (transfer full) (nullable): NULL with an error; G_IO_ERROR_EXISTS if there is one */
Task *task_new(const char *parent, const char *name, const char *camera, const TaskRegion *region,
               const GPtrArray *classes, GError **error);

/* Reads a task.
 * Returns: (transfer full) (nullable): NULL with an error that names the file and the key */
Task *task_load(const char *parent, const char *name, GError **error);

/* Writes task.ini: at once, or not at all. */
gboolean task_save(Task *self, GError **error);

/* Sets the list of classes, without any change on disk. */
void task_copy_classes(Task *self, const GPtrArray *classes);

/* Stores what "vitgate teach" has found.
 * @text: a JSON object */
gboolean task_set_result(Task *self, const char *text, GError **error);

/* Makes the folders of all classes, so that "vitgate teach" misses none. */
gboolean task_make_folders(Task *self, GError **error);

/* Returns: (transfer full): the path of a file or folder of the task */
char *task_path(const Task *self, const char *name);

gboolean task_has(const Task *self, const char *name);

/* Returns: (transfer full): as the element's property: "55%,20%,30%,45%" */
char *task_region_text(const TaskRegion *region);

gboolean task_region_is_valid(const TaskRegion *region);
gboolean task_region_is_whole(const TaskRegion *region);

/* Deletes the task's folder with everything in it. */
gboolean task_delete(Task *self, GError **error);

void task_free(Task *self);
