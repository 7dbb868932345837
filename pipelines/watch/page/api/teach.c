#include "page/api/teach.h"

#include <string.h>

#include "base/members.h"
#include "base/times.h"
#include "page/http/server.h"
#include "page/teach/still.h"
#include "page/teach/task-pictures.h"
#include "page/teach/teach.h"
#include "page/teach/use.h"

#define ROOT      "/api/v1/teach"
#define MAX_WIDTH 4096

struct _TeachApi {
  Page *page;
  Teach *teach;
};

/* ---- Answers ------------------------------------------------------------------------------- */

/* What cannot be done now is a conflict. */
static guint find_status(const GError *error)
{
  static const struct {
    gint code;
    guint status;
  } statuses[] = {
    { G_IO_ERROR_INVALID_ARGUMENT, SOUP_STATUS_BAD_REQUEST },
    { G_IO_ERROR_EXISTS, SOUP_STATUS_CONFLICT },
    { G_IO_ERROR_BUSY, SOUP_STATUS_CONFLICT },
    { G_IO_ERROR_NO_SPACE, SOUP_STATUS_INSUFFICIENT_STORAGE },
  };
  for (guint i = 0; i < G_N_ELEMENTS(statuses); i++)
    if (g_error_matches(error, G_IO_ERROR, statuses[i].code))
      return statuses[i].status;
  return SOUP_STATUS_INTERNAL_SERVER_ERROR;
}

static void answer_error(HttpRequest *request, const GError *error)
{
  http_answer_error(request, find_status(error), "%s", error->message);
}

/* Answers with the task as it is now, and tells the other browsers. */
static void answer_lesson(HttpRequest *request, guint status, Lesson *lesson)
{
  g_autoptr(JsonBuilder) builder = json_builder_new();
  lesson_add(lesson, builder);
  http_answer_json(request, status, builder);
  lesson_publish(lesson);
}

/* Answers with the task, or with an error. */
static void answer(HttpRequest *request, gboolean done, Lesson *lesson, const GError *error)
{
  if (done)
    answer_lesson(request, SOUP_STATUS_OK, lesson);
  else
    answer_error(request, error);
}

/* Returns: (transfer none) (nullable): NULL: the request is answered */
static Lesson *find_lesson(TeachApi *self, HttpRequest *request)
{
  Lesson *lesson = teach_find(self->teach, request->parts[0]);
  if (!lesson)
    http_answer_error(request, SOUP_STATUS_NOT_FOUND, "there is no task \"%s\"", request->parts[0]);
  return lesson;
}

/* ---- Bodies -------------------------------------------------------------------------------- */

/* Returns: (transfer none) (nullable) */
static JsonArray *get_array(JsonObject *body, const char *member)
{
  JsonNode *node = body ? json_object_get_member(body, member) : NULL;
  return node && JSON_NODE_HOLDS_ARRAY(node) ? json_node_get_array(node) : NULL;
}

/* Returns: (transfer none) (nullable) */
static const char *get_string(JsonObject *body, const char *member)
{
  JsonNode *node = body ? json_object_get_member(body, member) : NULL;
  return node && json_node_get_value_type(node) == G_TYPE_STRING ? json_node_get_string(node)
                                                                 : NULL;
}

static gboolean get_region(JsonObject *body, TaskRegion *region)
{
  JsonArray *array = get_array(body, "region");
  double shares[4];
  for (guint i = 0; i < G_N_ELEMENTS(shares); i++) {
    JsonNode *node =
        array && json_array_get_length(array) == 4 ? json_array_get_element(array, i) : NULL;
    if (!node || !JSON_NODE_HOLDS_VALUE(node) ||
        (json_node_get_value_type(node) != G_TYPE_DOUBLE &&
         json_node_get_value_type(node) != G_TYPE_INT64))
      return FALSE;
    shares[i] = json_node_get_double(node);
  }
  *region = (TaskRegion){ shares[0], shares[1], shares[2], shares[3] };
  return TRUE;
}

/* Returns: (transfer container) (nullable): NULL: it is no list of strings */
static GPtrArray *get_classes(JsonObject *body)
{
  JsonArray *array = get_array(body, "classes");
  g_autoptr(GPtrArray) names = g_ptr_array_new();
  for (guint i = 0; array && i < json_array_get_length(array); i++) {
    JsonNode *node = json_array_get_element(array, i);
    if (json_node_get_value_type(node) != G_TYPE_STRING)
      return NULL;
    g_ptr_array_add(names, (gpointer)json_node_get_string(node));
  }
  return array ? g_steal_pointer(&names) : NULL;
}

/* ---- Tasks --------------------------------------------------------------------------------- */

static void list(HttpRequest *request, gpointer user_data)
{
  TeachApi *self = user_data;
  g_autoptr(JsonBuilder) builder = json_builder_new();
  json_builder_begin_object(builder);
  json_builder_set_member_name(builder, "tasks");
  teach_add_lessons(self->teach, builder);
  json_builder_end_object(builder);
  http_answer_json(request, SOUP_STATUS_OK, builder);
}

static void add(HttpRequest *request, gpointer user_data)
{
  TeachApi *self = user_data;
  const PageWatch *watch = page_get_watch(self->page);
  const char *name = get_string(request->body, "name");
  const char *camera = get_string(request->body, "camera");
  g_autoptr(GPtrArray) classes = get_classes(request->body);
  g_autoptr(GError) error = NULL;
  TaskRegion region;
  if (!name || !camera || !classes || !get_region(request->body, &region)) {
    http_answer_error(request, SOUP_STATUS_BAD_REQUEST,
                      "expected name, camera, region (4 shares of the frame) and classes (names)");
    return;
  }
  if (!watch->find_camera(camera, watch->user_data)) {
    http_answer_error(request, SOUP_STATUS_BAD_REQUEST, "camera: there is no camera \"%s\"",
                      camera);
    return;
  }
  Lesson *lesson = teach_add(self->teach, name, camera, &region, classes, &error);
  if (lesson)
    answer_lesson(request, SOUP_STATUS_CREATED, lesson);
  else
    answer_error(request, error);
}

static void show(HttpRequest *request, gpointer user_data)
{
  Lesson *lesson = find_lesson(user_data, request);
  g_autoptr(JsonBuilder) builder = json_builder_new();
  if (!lesson)
    return;
  lesson_add(lesson, builder);
  http_answer_json(request, SOUP_STATUS_OK, builder);
}

static void publish_removal(TeachApi *self, const char *name)
{
  g_autoptr(JsonBuilder) builder = json_builder_new();
  json_builder_begin_object(builder);
  member_add_string(builder, "name", name);
  json_builder_set_member_name(builder, "deleted");
  json_builder_add_boolean_value(builder, TRUE);
  json_builder_end_object(builder);
  page_publish(self->page, "teach", builder);
}

static void remove_task(HttpRequest *request, gpointer user_data)
{
  TeachApi *self = user_data;
  Lesson *lesson = find_lesson(self, request);
  g_autoptr(GError) error = NULL;
  if (!lesson)
    return;
  g_autofree char *name = g_strdup(lesson->task->name);
  if (!teach_remove(self->teach, lesson, &error)) {
    answer_error(request, error);
    return;
  }
  http_answer_nothing(request);
  publish_removal(self, name);
}

static void change(HttpRequest *request, gpointer user_data)
{
  TeachApi *self = user_data;
  Lesson *lesson = find_lesson(self, request);
  g_autoptr(GError) error = NULL;
  if (!lesson)
    return;
  JsonObject *body = request->body;
  const gboolean has_classes = body && json_object_has_member(body, "classes");
  JsonNode *collecting = body ? json_object_get_member(body, "collecting") : NULL;
  g_autoptr(GPtrArray) classes = get_classes(body);
  if ((has_classes && !classes) || (!has_classes && !collecting) ||
      (collecting && json_node_get_value_type(collecting) != G_TYPE_BOOLEAN)) {
    http_answer_error(request, SOUP_STATUS_BAD_REQUEST,
                      "expected classes (names) or collecting (true or false)");
    return;
  }
  const gboolean done = (!classes || teach_set_classes(self->teach, lesson, classes, &error)) &&
                        (!collecting || teach_collect(self->teach, lesson,
                                                      json_node_get_boolean(collecting), &error));
  answer(request, done, lesson, error);
}

/* ---- Pictures ------------------------------------------------------------------------------ */

static void add_doubt(JsonBuilder *builder, const TaskPicture *picture)
{
  json_builder_set_member_name(builder, "doubtful");
  if (picture->doubtful >= 0)
    json_builder_add_double_value(builder, picture->doubtful);
  else
    json_builder_add_null_value(builder);
  member_add_string(builder, "guess", picture->guess);
}

static void list_pictures(HttpRequest *request, gpointer user_data)
{
  Lesson *lesson = find_lesson(user_data, request);
  g_autoptr(JsonBuilder) builder = json_builder_new();
  if (!lesson)
    return;
  g_autoptr(GPtrArray) pictures = task_pictures_list(lesson->task);
  json_builder_begin_object(builder);
  json_builder_set_member_name(builder, "pictures");
  json_builder_begin_array(builder);
  for (guint i = 0; i < pictures->len; i++) {
    const TaskPicture *picture = pictures->pdata[i];
    g_autofree char *time = time_to_utc(picture->time);
    json_builder_begin_object(builder);
    member_add_string(builder, "id", picture->id);
    member_add_string(builder, "time", time);
    member_add_string(builder, "class", picture->class);
    add_doubt(builder, picture);
    json_builder_end_object(builder);
  }
  json_builder_end_array(builder);
  json_builder_end_object(builder);
  http_answer_json(request, SOUP_STATUS_OK, builder);
}

/* Finds the task and the picture that the path names.
 * @lesson: (out)
 * @pictures: (out) (transfer full): owns the picture
 * Returns: (transfer none) (nullable): NULL: the request is answered */
static const TaskPicture *find_picture(TeachApi *self, HttpRequest *request, Lesson **lesson,
                                       GPtrArray **pictures)
{
  *lesson = find_lesson(self, request);
  if (!*lesson)
    return NULL;
  *pictures = task_pictures_list((*lesson)->task);
  const TaskPicture *picture = task_pictures_find(*pictures, request->parts[1]);
  if (!picture)
    http_answer_error(request, SOUP_STATUS_NOT_FOUND,
                      "this picture is not in the task \"%s\" (any more)", (*lesson)->task->name);
  return picture;
}

typedef struct {
  char *path;
  guint width;
} Load;

static void free_load(gpointer data)
{
  g_free(((Load *)data)->path);
  g_free(data);
}

static void load_picture(GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  const Load *load = data;
  GError *error = NULL;
  GBytes *jpeg = still_load_jpeg(load->path, load->width, &error);
  if (jpeg)
    g_task_return_pointer(task, jpeg, (GDestroyNotify)g_bytes_unref);
  else
    g_task_return_error(task, error);
}

static void on_picture(GObject *source, GAsyncResult *result, gpointer user_data)
{
  HttpRequest *request = user_data;
  g_autoptr(GError) error = NULL;
  g_autoptr(GBytes) jpeg = g_task_propagate_pointer(G_TASK(result), &error);
  if (jpeg)
    http_answer_bytes(request, "image/jpeg", jpeg);
  else
    http_answer_error(request, SOUP_STATUS_NOT_FOUND, "%s", error->message);
}

static void show_picture(HttpRequest *request, gpointer user_data)
{
  Lesson *lesson;
  g_autoptr(GPtrArray) pictures = NULL;
  guint64 width = 0;
  const TaskPicture *picture = find_picture(user_data, request, &lesson, &pictures);
  if (!picture || !http_query_number(request, "width", 1, MAX_WIDTH, &width))
    return;
  Load *load = g_new(Load, 1);
  *load = (Load){ g_strdup(picture->path), (guint)width };
  g_autoptr(GTask) task = g_task_new(NULL, NULL, on_picture, http_pause(request));
  g_task_set_task_data(task, load, free_load);
  g_task_run_in_thread(task, load_picture);
}

static void answer_change(HttpRequest *request, gboolean done, Lesson *lesson, const GError *error)
{
  if (!done) {
    answer_error(request, error);
    return;
  }
  http_answer_nothing(request);
  lesson_publish(lesson);
}

static void sort_picture(HttpRequest *request, gpointer user_data)
{
  Lesson *lesson;
  g_autoptr(GPtrArray) pictures = NULL;
  g_autoptr(GError) error = NULL;
  const TaskPicture *picture = find_picture(user_data, request, &lesson, &pictures);
  if (!picture)
    return;
  JsonNode *node = request->body ? json_object_get_member(request->body, "class") : NULL;
  const char *name = get_string(request->body, "class");
  g_autoptr(GPtrArray) classes = task_pictures_classes(lesson->task);
  guint index = 0;
  if (!node || (!name && !JSON_NODE_HOLDS_NULL(node))) {
    http_answer_error(request, SOUP_STATUS_BAD_REQUEST, "expected class: a name or null");
  } else if (name && !g_ptr_array_find_with_equal_func(classes, name, g_str_equal, &index)) {
    http_answer_error(request, SOUP_STATUS_BAD_REQUEST, "class: the task has no class \"%s\"",
                      name);
  } else {
    const gboolean done =
        task_pictures_sort(lesson->task, picture, name ? classes->pdata[index] : NULL, &error);
    answer_change(request, done, lesson, error);
  }
}

static void remove_picture(HttpRequest *request, gpointer user_data)
{
  Lesson *lesson;
  g_autoptr(GPtrArray) pictures = NULL;
  g_autoptr(GError) error = NULL;
  const TaskPicture *picture = find_picture(user_data, request, &lesson, &pictures);
  if (!picture)
    return;
  const gboolean done = task_pictures_delete(picture, &error);
  answer_change(request, done, lesson, error);
}

/* ---- Models -------------------------------------------------------------------------------- */

static void run(HttpRequest *request, gpointer user_data)
{
  TeachApi *self = user_data;
  Lesson *lesson = find_lesson(self, request);
  g_autoptr(GError) error = NULL;
  if (!lesson)
    return;
  if (teach_run(self->teach, lesson, &error))
    answer_lesson(request, SOUP_STATUS_ACCEPTED, lesson);
  else
    answer_error(request, error);
}

static void cancel(HttpRequest *request, gpointer user_data)
{
  TeachApi *self = user_data;
  Lesson *lesson = find_lesson(self, request);
  if (!lesson)
    return;
  teach_cancel(self->teach, lesson);
  answer_lesson(request, SOUP_STATUS_OK, lesson);
}

static void on_used(Lesson *lesson, const GError *error, gpointer user_data)
{
  answer(user_data, !error, lesson, error);
}

static void use(HttpRequest *request, gpointer user_data)
{
  Lesson *lesson = find_lesson(user_data, request);
  if (lesson)
    use_model(lesson, on_used, http_pause(request));
}

static void undo(HttpRequest *request, gpointer user_data)
{
  Lesson *lesson = find_lesson(user_data, request);
  g_autoptr(GError) error = NULL;
  if (!lesson)
    return;
  const gboolean done = use_undo(lesson, &error);
  answer(request, done, lesson, error);
}

/* ---- Routes -------------------------------------------------------------------------------- */

TeachApi *teach_api_new(Page *page, Snapshots *snapshots)
{
  static const struct {
    const char *method, *pattern;
    HttpFunc func;
  } routes[] = {
    { "GET", ROOT, list },
    { "POST", ROOT, add },
    { "GET", ROOT "/*", show },
    { "PATCH", ROOT "/*", change },
    { "DELETE", ROOT "/*", remove_task },
    { "GET", ROOT "/*/pictures", list_pictures },
    { "GET", ROOT "/*/pictures/*", show_picture },
    { "PUT", ROOT "/*/pictures/*", sort_picture },
    { "DELETE", ROOT "/*/pictures/*", remove_picture },
    { "POST", ROOT "/*/run", run },
    { "POST", ROOT "/*/cancel", cancel },
    { "POST", ROOT "/*/use", use },
    { "POST", ROOT "/*/undo", undo },
  };
  TeachApi *self = g_new0(TeachApi, 1);
  self->page = page;
  self->teach = teach_new(page, snapshots);
  for (guint i = 0; i < G_N_ELEMENTS(routes); i++)
    http_server_add(page_get_server(page), routes[i].method, routes[i].pattern, routes[i].func,
                    self);
  return self;
}

void teach_api_free(TeachApi **api)
{
  TeachApi *self = g_steal_pointer(api);
  if (!self)
    return;
  teach_free(&self->teach);
  g_free(self);
}
