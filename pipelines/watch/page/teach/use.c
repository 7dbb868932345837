#include "page/teach/use.h"

#include <string.h>

#include <glib/gstdio.h>

#include "base/console.h"
#include "config/key-edit.h"
#include "page/teach/collecting.h"
#include "page/teach/look-group.h"
#include "page/teach/model-swap.h"

typedef struct {
  Lesson *lesson;
  gboolean keep; /* there is a model in use; one that nothing loads is none to go back to */
  UseDone done;
  gpointer user_data;
} Request;

static gboolean refuse(GError **error, const char *format, ...) G_GNUC_PRINTF(2, 3);

static gboolean refuse(GError **error, const char *format, ...)
{
  va_list args;
  va_start(args, format);
  g_autofree char *text = g_strdup_vprintf(format, args);
  va_end(args);
  g_set_error_literal(error, G_IO_ERROR, G_IO_ERROR_BUSY, text);
  return FALSE;
}

static const PageWatch *get_watch(Lesson *lesson)
{
  return page_get_watch(lesson->page);
}

/* ---- The key file -------------------------------------------------------------------------- */

/* Writes the key file and reloads it. If that fails, the old one is back.
 * @change: look_group_add or look_group_remove */
static gboolean change_key_file(Lesson *lesson, char *(*change)(const char *, const LookGroup *),
                                const LookGroup *group, GError **error)
{
  const PageWatch *watch = get_watch(lesson);
  g_autofree char *path = g_strdup(watch->get_config(watch->user_data)->path);
  g_autofree char *old = NULL;
  g_autoptr(GError) reason = NULL;
  if (!g_file_get_contents(path, &old, NULL, &reason))
    return refuse(error, "cannot read the key file: %s", reason->message);
  g_autofree char *changed = change(old, group);
  if (!key_edit_write(path, changed, &reason))
    return refuse(error, "cannot write the key file: %s", reason->message);
  if (watch->reload(&reason, watch->user_data))
    return TRUE;
  key_edit_write(path, old, NULL);
  return refuse(error, "the key file with the changed look is refused: %s", reason->message);
}

/* Returns: (nullable): the camera that has a look of that name */
static const char *find_owner(Lesson *lesson, const char *look)
{
  const PageWatch *watch = get_watch(lesson);
  const Config *config = watch->get_config(watch->user_data);
  for (guint i = 0; i < config->cameras->len; i++) {
    const CameraConfig *camera = config->cameras->pdata[i];
    for (guint k = 0; k < camera->looks->len; k++)
      if (!strcmp(((LookConfig *)camera->looks->pdata[k])->name, look))
        return camera->name;
  }
  return NULL;
}

/* Without the key, a camera's first look would end what it says about its whole frame; that is
 * wanted only if the look is the whole frame. */
static gboolean needs_whole(Lesson *lesson, const CameraConfig *camera)
{
  return camera->looks->len == 0 && camera->whole_frame && !camera->whole.model &&
         !camera->whole.labels && !camera->whole.state &&
         !task_region_is_whole(&lesson->task->region);
}

static gboolean add_look(Lesson *lesson, GError **error)
{
  Task *task = lesson->task;
  const CameraConfig *camera = lesson_find_camera(lesson);
  const char *owner = find_owner(lesson, task->name);
  if (!camera)
    return refuse(error, "there is no camera \"%s\" any more", task->camera);
  if (owner)
    return refuse(error, "camera %s has another look with the name \"%s\"; rename it", owner,
                  task->name);
  g_autofree char *relative = task_path(task, TASK_IN_USE),
                  *region = task_region_text(&task->region);
  g_autofree char *model = g_canonicalize_filename(relative, NULL);
  const LookGroup group = { task->name, task->camera, region, model, needs_whole(lesson, camera) };
  if (!change_key_file(lesson, look_group_add, &group, error))
    return FALSE;
  g_free(task->look);
  task->look = g_strdup(task->name);
  task->kept_whole = group.keep_whole;
  return task_save(task, error);
}

static gboolean remove_look(Lesson *lesson, GError **error)
{
  Task *task = lesson->task;
  const LookGroup group = { task->look, task->camera, NULL, NULL, task->kept_whole };
  if (!change_key_file(lesson, look_group_remove, &group, error))
    return FALSE;
  g_autofree char *in_use = task_path(task, TASK_IN_USE);
  g_unlink(in_use);
  g_clear_pointer(&task->look, g_free);
  task->kept_whole = FALSE;
  return task_save(task, error);
}

/* ---- Use ----------------------------------------------------------------------------------- */

/* Makes the camera take the model that is there now. */
static gboolean apply(Lesson *lesson, GError **error)
{
  const PageWatch *watch = get_watch(lesson);
  const CameraConfig *owner;
  const LookConfig *look = lesson_find_look(lesson, &owner);
  Camera *camera = look ? watch->find_camera(owner->name, watch->user_data) : NULL;
  collecting_stop(lesson);
  if (camera)
    camera_check_model(camera);
  return look || add_look(lesson, error);
}

static void copy_model(GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  const Request *request = data;
  GError *error = NULL;
  if (model_swap_use(request->lesson->task->folder, request->keep, &error))
    g_task_return_boolean(task, TRUE);
  else
    g_task_return_error(task, error);
}

static void on_copied(GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autofree Request *request = user_data;
  Lesson *lesson = request->lesson;
  g_autoptr(GError) error = NULL;
  lesson->swapping = FALSE;
  if (g_task_propagate_boolean(G_TASK(result), &error) &&
      (lesson->page || refuse(&error, "the page was closed meanwhile")) && apply(lesson, &error))
    console_print("task %s: its model is in use", lesson->task->name);
  else
    console_print("task %s: its model cannot be used: %s", lesson->task->name, error->message);
  request->done(lesson, error, request->user_data);
  lesson_unref(lesson);
}

void use_model(Lesson *lesson, UseDone done, gpointer user_data)
{
  g_autoptr(GError) error = NULL;
  if (lesson->swapping)
    refuse(&error, "the model is being put in use already");
  else if (!task_has(lesson->task, TASK_MODEL))
    refuse(&error, "there is no taught model; teach the task first");
  if (error) {
    done(lesson, error, user_data);
    return;
  }
  Request *request = g_new(Request, 1);
  *request =
      (Request){ lesson_ref(lesson), lesson_find_look(lesson, NULL) != NULL, done, user_data };
  lesson->swapping = TRUE;
  g_autoptr(GTask) task = g_task_new(NULL, NULL, on_copied, request);
  g_task_set_task_data(task, request, NULL);
  g_task_run_in_thread(task, copy_model);
}

gboolean use_undo(Lesson *lesson, GError **error)
{
  const PageWatch *watch = get_watch(lesson);
  const CameraConfig *owner;
  const LookConfig *look = lesson_find_look(lesson, &owner);
  if (lesson->swapping)
    return refuse(error, "the model is being put in use; wait for that");
  if (!lesson_can_undo(lesson))
    return refuse(error, look ? "there is no model before, and the look is not the page's own"
                              : "the model is not in use");
  collecting_stop(lesson);
  if (!task_has(lesson->task, TASK_BEFORE))
    return remove_look(lesson, error);
  if (!model_swap_undo(lesson->task->folder, error))
    return FALSE;
  Camera *camera = watch->find_camera(owner->name, watch->user_data);
  if (camera)
    camera_check_model(camera);
  return TRUE;
}
