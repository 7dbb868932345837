#include "page/teach/teach.h"

#include <string.h>

#include "base/console.h"
#include "page/teach/collecting.h"
#include "page/teach/plain-name.h"
#include "page/teach/task-pictures.h"
#include "page/teach/teach-job.h"

#define MAX_TASKS 50
#define TICK      250 /* ms between checks whether to look at a picture */

struct _Teach {
  Page *page;
  Snapshots *snapshots;
  char *folder;
  GPtrArray *lessons; /* of Lesson */
  guint timer;
  TeachJob *job;  /* NULL: none runs */
  Lesson *taught; /* whose job it is */
};

/* ---- Lessons ------------------------------------------------------------------------------- */

static void free_lesson(gpointer data)
{
  Lesson *lesson = data;
  lesson->task->collecting = FALSE;
  collecting_stop(lesson);
  lesson->page = NULL; /* a model may still be copied */
  lesson_unref(lesson);
}

/* @task: (transfer full) */
static Lesson *add_lesson(Teach *self, Task *task)
{
  Lesson *lesson = lesson_new(self->page, self->snapshots, task);
  g_ptr_array_add(self->lessons, lesson);
  return lesson;
}

Lesson *teach_find(Teach *self, const char *name)
{
  for (guint i = 0; i < self->lessons->len; i++) {
    Lesson *lesson = self->lessons->pdata[i];
    if (!strcmp(lesson->task->name, name))
      return lesson;
  }
  return NULL;
}

GPtrArray *teach_check_classes(const GPtrArray *names, GError **error)
{
  g_autoptr(GPtrArray) classes = g_ptr_array_new_with_free_func(g_free);
  for (guint i = 0; i < names->len; i++) {
    char *name = plain_name_new("class", names->pdata[i], error);
    if (!name)
      return NULL;
    const gboolean twice = g_ptr_array_find_with_equal_func(classes, name, g_str_equal, NULL);
    g_ptr_array_add(classes, name);
    if (!twice)
      continue;
    g_set_error(error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, "classes: \"%s\" is there twice",
                name);
    return NULL;
  }
  if (classes->len >= 2 && classes->len <= TASK_MAX_CLASSES)
    return g_steal_pointer(&classes);
  g_set_error(error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
              "classes: expected 2 to %d names, got %u", TASK_MAX_CLASSES, classes->len);
  return NULL;
}

Lesson *teach_add(Teach *self, const char *name, const char *camera, const TaskRegion *region,
                  const GPtrArray *classes, GError **error)
{
  g_autofree char *plain = plain_name_new("task", name, error);
  g_autoptr(GPtrArray) checked = plain ? teach_check_classes(classes, error) : NULL;
  if (!checked)
    return NULL;
  if (!task_region_is_valid(region)) {
    g_set_error(error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                "region: expected x, y, width and height as shares of the frame, from 0 to 1");
    return NULL;
  }
  if (teach_find(self, plain)) {
    g_set_error(error, G_IO_ERROR, G_IO_ERROR_EXISTS, "there is a task \"%s\" already", plain);
    return NULL;
  }
  if (self->lessons->len >= MAX_TASKS) {
    g_set_error(error, G_IO_ERROR, G_IO_ERROR_EXISTS,
                "there are %u tasks already; delete one that is no longer needed",
                self->lessons->len);
    return NULL;
  }
  Task *task = task_new(self->folder, plain, camera, region, checked, error);
  return task ? add_lesson(self, task) : NULL;
}

gboolean teach_remove(Teach *self, Lesson *lesson, GError **error)
{
  const CameraConfig *camera;
  const LookConfig *look = lesson_find_look(lesson, &camera);
  if (lesson->swapping || lesson == self->taught) {
    g_set_error(error, G_IO_ERROR, G_IO_ERROR_BUSY, "the task is being taught; cancel that first");
    return FALSE;
  }
  if (look) {
    g_set_error(error, G_IO_ERROR, G_IO_ERROR_BUSY,
                "the model is in use by camera %s, look %s; undo that first", camera->name,
                look->name ? look->name : "(the whole frame)");
    return FALSE;
  }
  collecting_stop(lesson);
  if (!task_delete(lesson->task, error))
    return FALSE;
  g_ptr_array_remove(self->lessons, lesson);
  return TRUE;
}

void teach_add_lessons(Teach *self, JsonBuilder *builder)
{
  json_builder_begin_array(builder);
  for (guint i = 0; i < self->lessons->len; i++)
    lesson_add(self->lessons->pdata[i], builder);
  json_builder_end_array(builder);
}

/* ---- Collecting ---------------------------------------------------------------------------- */

static gboolean tick(gpointer user_data)
{
  Teach *self = user_data;
  gboolean collecting = FALSE;
  for (guint i = 0; i < self->lessons->len; i++) {
    Lesson *lesson = self->lessons->pdata[i];
    if (lesson->task->collecting)
      collecting_look(lesson);
    collecting |= lesson->task->collecting;
  }
  if (!collecting)
    self->timer = 0;
  return collecting ? G_SOURCE_CONTINUE : G_SOURCE_REMOVE;
}

static void set_timer(Teach *self)
{
  if (!self->timer)
    self->timer = g_timeout_add(TICK, tick, self);
}

gboolean teach_collect(Teach *self, Lesson *lesson, gboolean collect, GError **error)
{
  Task *task = lesson->task;
  if (task->collecting == collect)
    return TRUE;
  task->collecting = collect;
  if (!task_save(task, error)) {
    task->collecting = !collect;
    return FALSE;
  }
  g_clear_pointer(&lesson->message, g_free);
  if (collect) {
    collecting_begin(lesson);
    set_timer(self);
  } else {
    collecting_stop(lesson);
  }
  return TRUE;
}

gboolean teach_set_classes(Teach *self, Lesson *lesson, const GPtrArray *classes, GError **error)
{
  g_autoptr(GPtrArray) checked = teach_check_classes(classes, error);
  if (!checked)
    return FALSE;
  if (lesson == self->taught) {
    g_set_error(error, G_IO_ERROR, G_IO_ERROR_BUSY, "the task is being taught; cancel that first");
    return FALSE;
  }
  return task_pictures_set_classes(lesson->task, checked, error);
}

/* ---- Runs ---------------------------------------------------------------------------------- */

static void on_progress(double progress, gpointer user_data)
{
  Teach *self = user_data;
  self->taught->progress = progress;
  lesson_publish(self->taught);
}

static void on_end(const char *result, const char *message, gpointer user_data)
{
  Teach *self = user_data;
  Lesson *lesson = g_steal_pointer(&self->taught);
  g_autoptr(GError) error = NULL;
  teach_job_free(&self->job);
  if (result && !task_set_result(lesson->task, result, &error))
    message = error->message;
  lesson->state = message ? LESSON_FAILED : LESSON_DONE;
  g_free(lesson->failure);
  lesson->failure = g_strdup(message);
  if (message)
    console_print("task %s: teaching: %s", lesson->task->name, message);
  lesson_publish(lesson);
}

gboolean teach_run(Teach *self, Lesson *lesson, GError **error)
{
  const TeachJobFuncs funcs = { on_progress, on_end, self };
  if (self->job) {
    g_set_error(error, G_IO_ERROR, G_IO_ERROR_BUSY,
                "the task \"%s\" is being taught; only one can be at a time",
                self->taught->task->name);
    return FALSE;
  }
  if (!task_make_folders(lesson->task, error) ||
      !(self->job = teach_job_new(lesson->task->folder, lesson->task->name, &funcs, error)))
    return FALSE;
  self->taught = lesson;
  lesson->state = LESSON_RUNNING;
  lesson->progress = 0;
  g_clear_pointer(&lesson->failure, g_free);
  lesson_publish(lesson);
  return TRUE;
}

void teach_cancel(Teach *self, Lesson *lesson)
{
  if (lesson == self->taught)
    teach_job_cancel(self->job);
}

/* ---- Start and end ------------------------------------------------------------------------- */

static int compare_names(gconstpointer a, gconstpointer b)
{
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Reads the tasks, in the order of their names. */
static void load(Teach *self)
{
  g_autoptr(GDir) dir = g_dir_open(self->folder, 0, NULL);
  g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
  const char *entry;
  while (dir && (entry = g_dir_read_name(dir))) {
    g_autofree char *path = g_build_filename(self->folder, entry, NULL);
    if (*entry != '.' && g_file_test(path, G_FILE_TEST_IS_DIR))
      g_ptr_array_add(names, g_strdup(entry));
  }
  g_ptr_array_sort(names, compare_names);
  for (guint i = 0; i < names->len && self->lessons->len < MAX_TASKS; i++) {
    g_autoptr(GError) error = NULL;
    g_autofree char *plain = plain_name_new("task", names->pdata[i], &error);
    Task *task = plain ? task_load(self->folder, names->pdata[i], &error) : NULL;
    if (task)
      add_lesson(self, task);
    else
      console_print("%s is left out: %s", (char *)names->pdata[i], error->message);
  }
}

Teach *teach_new(Page *page, Snapshots *snapshots)
{
  Teach *self = g_new0(Teach, 1);
  self->page = page;
  self->snapshots = snapshots;
  self->folder = g_build_filename(page_get_folder(page), "teach", NULL);
  self->lessons = g_ptr_array_new_with_free_func(free_lesson);
  load(self);
  for (guint i = 0; i < self->lessons->len; i++)
    if (((Lesson *)self->lessons->pdata[i])->task->collecting)
      set_timer(self);
  return self;
}

void teach_free(Teach **teach)
{
  Teach *self = g_steal_pointer(teach);
  if (!self)
    return;
  teach_job_free(&self->job);
  if (self->timer)
    g_source_remove(self->timer);
  g_ptr_array_unref(self->lessons);
  g_free(self->folder);
  g_free(self);
}
