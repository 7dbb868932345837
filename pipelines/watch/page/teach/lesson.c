#include "page/teach/lesson.h"

#include <string.h>

#include "base/members.h"
#include "page/teach/task-pictures.h"

Lesson *lesson_new(Page *page, Snapshots *snapshots, Task *task)
{
  Lesson *self = g_new0(Lesson, 1);
  g_atomic_ref_count_init(&self->references);
  self->page = page;
  self->snapshots = snapshots;
  self->task = task;
  self->state = task->result ? LESSON_DONE : LESSON_NONE;
  g_queue_init(&self->stills);
  return self;
}

Lesson *lesson_ref(Lesson *self)
{
  g_atomic_ref_count_inc(&self->references);
  return self;
}

void lesson_unref(Lesson *self)
{
  if (!g_atomic_ref_count_dec(&self->references))
    return;
  task_free(self->task);
  g_free(self->message);
  g_free(self->failure);
  g_free(self);
}

/* ---- Cameras ------------------------------------------------------------------------------- */

static const Config *get_config(Lesson *self)
{
  const PageWatch *watch = page_get_watch(self->page);
  return watch->get_config(watch->user_data);
}

const CameraConfig *lesson_find_camera(Lesson *self)
{
  return config_find_camera(get_config(self), self->task->camera);
}

/* Returns: (transfer none) (nullable): the look of @camera that loads the model at @path */
static const LookConfig *find_look(const CameraConfig *camera, const char *path)
{
  if (camera->whole_frame && g_strcmp0(camera->whole.model, path) == 0)
    return &camera->whole;
  for (guint i = 0; i < camera->looks->len; i++) {
    const LookConfig *look = camera->looks->pdata[i];
    if (g_strcmp0(look->model, path) == 0)
      return look;
  }
  return NULL;
}

const LookConfig *lesson_find_look(Lesson *self, const CameraConfig **camera)
{
  const Config *config = get_config(self);
  g_autofree char *relative = task_path(self->task, TASK_IN_USE);
  g_autofree char *path = g_canonicalize_filename(relative, NULL);
  for (guint i = 0; i < config->cameras->len; i++) {
    const LookConfig *look = find_look(config->cameras->pdata[i], path);
    if (look && camera)
      *camera = config->cameras->pdata[i];
    if (look)
      return look;
  }
  return NULL;
}

gboolean lesson_can_undo(Lesson *self)
{
  const LookConfig *look = lesson_find_look(self, NULL);
  return look && !self->swapping &&
         (task_has(self->task, TASK_BEFORE) ||
          (self->task->look && g_strcmp0(look->name, self->task->look) == 0));
}

/* ---- JSON ---------------------------------------------------------------------------------- */

static void add_region(JsonBuilder *builder, const TaskRegion *region)
{
  const double shares[] = { region->x, region->y, region->width, region->height };
  json_builder_set_member_name(builder, "region");
  json_builder_begin_array(builder);
  for (guint i = 0; i < G_N_ELEMENTS(shares); i++)
    json_builder_add_double_value(builder, shares[i]);
  json_builder_end_array(builder);
}

static void add_classes(Lesson *self, JsonBuilder *builder)
{
  g_autoptr(GPtrArray) pictures = task_pictures_list(self->task);
  g_autoptr(GPtrArray) classes = task_pictures_classes(self->task);
  guint unsorted = 0;
  json_builder_set_member_name(builder, "classes");
  json_builder_begin_array(builder);
  for (guint c = 0; c < classes->len; c++) {
    guint n = 0;
    for (guint i = 0; i < pictures->len; i++)
      n += g_strcmp0(((TaskPicture *)pictures->pdata[i])->class, classes->pdata[c]) == 0;
    json_builder_begin_object(builder);
    member_add_string(builder, "name", classes->pdata[c]);
    member_add_count(builder, "pictures", n);
    json_builder_end_object(builder);
  }
  json_builder_end_array(builder);
  for (guint i = 0; i < pictures->len; i++)
    unsorted += !((TaskPicture *)pictures->pdata[i])->class;
  member_add_count(builder, "unsorted", unsorted);
}

static void add_switch(JsonBuilder *builder, const char *member, gboolean value)
{
  json_builder_set_member_name(builder, member);
  json_builder_add_boolean_value(builder, value);
}

static void add_job(Lesson *self, JsonBuilder *builder)
{
  static const char *const states[] = { "none", "running", "done", "failed" };
  json_builder_set_member_name(builder, "job");
  json_builder_begin_object(builder);
  member_add_string(builder, "state", states[self->state]);
  member_add_double(builder, "progress", self->state == LESSON_DONE ? 1 : self->progress);
  member_add_string(builder, "message", self->failure);
  json_builder_set_member_name(builder, "result");
  if (self->task->result && self->state != LESSON_RUNNING)
    json_builder_add_value(builder, json_node_copy(self->task->result));
  else
    json_builder_add_null_value(builder);
  json_builder_end_object(builder);
}

void lesson_add(Lesson *self, JsonBuilder *builder)
{
  json_builder_begin_object(builder);
  member_add_string(builder, "name", self->task->name);
  member_add_string(builder, "camera", self->task->camera);
  add_region(builder, &self->task->region);
  add_classes(self, builder);
  add_switch(builder, "collecting", self->task->collecting);
  member_add_string(builder, "message", self->message);
  add_job(self, builder);
  add_switch(builder, "in_use", lesson_find_look(self, NULL) != NULL);
  add_switch(builder, "can_undo", lesson_can_undo(self));
  json_builder_end_object(builder);
}

void lesson_publish(Lesson *self)
{
  g_autoptr(JsonBuilder) builder = json_builder_new();
  lesson_add(self, builder);
  page_publish(self->page, "teach", builder);
}
