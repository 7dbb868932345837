#include "page/api/cameras.h"

#include <string.h>

#include "camera/status-json.h"

struct _CamerasApi {
  Page *page;
};

static void list_cameras(HttpRequest *request, gpointer user_data)
{
  CamerasApi *self = user_data;
  const PageWatch *watch = page_get_watch(self->page);
  g_autoptr(JsonBuilder) builder = json_builder_new();
  Status status;
  watch->get_status(&status, watch->user_data);
  json_builder_begin_object(builder);
  json_builder_set_member_name(builder, "cameras");
  json_builder_begin_array(builder);
  for (guint i = 0; i < status.cameras->len; i++)
    status_add_camera(builder, &g_array_index(status.cameras, StatusCamera, i));
  json_builder_end_array(builder);
  json_builder_end_object(builder);
  status_clear(&status);
  http_answer_json(request, SOUP_STATUS_OK, builder);
}

static void show_camera(HttpRequest *request, gpointer user_data)
{
  CamerasApi *self = user_data;
  const PageWatch *watch = page_get_watch(self->page);
  g_autoptr(JsonBuilder) builder = json_builder_new();
  gboolean found = FALSE;
  Status status;
  watch->get_status(&status, watch->user_data);
  for (guint i = 0; !found && i < status.cameras->len; i++) {
    const StatusCamera *camera = &g_array_index(status.cameras, StatusCamera, i);
    found = !strcmp(camera->name, request->parts[0]);
    if (found)
      status_add_camera(builder, camera);
  }
  status_clear(&status);
  if (found)
    http_answer_json(request, SOUP_STATUS_OK, builder);
  else
    http_answer_error(request, SOUP_STATUS_NOT_FOUND, "there is no camera \"%s\"",
                      request->parts[0]);
}

CamerasApi *cameras_api_new(Page *page)
{
  CamerasApi *self = g_new0(CamerasApi, 1);
  HttpServer *server = page_get_server(page);
  self->page = page;
  http_server_add(server, "GET", "/api/v1/cameras", list_cameras, self);
  http_server_add(server, "GET", "/api/v1/cameras/*", show_camera, self);
  return self;
}

void cameras_api_free(CamerasApi **self)
{
  g_clear_pointer(self, g_free);
}
