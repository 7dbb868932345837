#include "page/api/history.h"

#include "page/history.h"

struct _HistoryApi {
  Page *page;
  History *history;
};

static void on_frame(const char *camera, const char *line, gsize length, gpointer user_data)
{
  history_frame(((HistoryApi *)user_data)->history, camera, line, length, g_get_monotonic_time());
}

static void on_event(const char *camera, const char *line, gsize length, gpointer user_data)
{
  history_event(((HistoryApi *)user_data)->history, camera, line, length);
}

static void on_cameras_changed(gpointer user_data)
{
  HistoryApi *self = user_data;
  const PageWatch *watch = page_get_watch(self->page);
  const Config *config = watch->get_config(watch->user_data);
  g_autoptr(GPtrArray) names = g_ptr_array_new();
  for (guint i = 0; i < config->cameras->len; i++)
    g_ptr_array_add(names, ((const CameraConfig *)config->cameras->pdata[i])->name);
  g_ptr_array_add(names, NULL);
  history_keep(self->history, (const char *const *)names->pdata);
}

static void send_history(HttpRequest *request, gpointer user_data)
{
  HistoryApi *self = user_data;
  const PageWatch *watch = page_get_watch(self->page);
  const char *look = http_query(request, "look");
  guint64 seconds = HISTORY_SAMPLES * HISTORY_STEP;
  if (!watch->find_camera(request->parts[0], watch->user_data)) {
    http_answer_error(request, SOUP_STATUS_NOT_FOUND, "there is no camera \"%s\"",
                      request->parts[0]);
    return;
  }
  if (!http_query_number(request, "seconds", 1, HISTORY_SAMPLES * HISTORY_STEP, &seconds))
    return;
  g_autoptr(JsonBuilder) builder = json_builder_new();
  history_write(self->history, request->parts[0], look && *look ? look : NULL, (double)seconds,
                g_get_monotonic_time(), g_get_real_time(), builder);
  http_answer_json(request, SOUP_STATUS_OK, builder);
}

HistoryApi *history_api_new(Page *page)
{
  HistoryApi *self = g_new0(HistoryApi, 1);
  self->page = page;
  self->history = history_new();
  page_listen(page, &(PageListener){ .frame = on_frame,
                                     .event = on_event,
                                     .cameras_changed = on_cameras_changed,
                                     .user_data = self });
  http_server_add(page_get_server(page), "GET", "/api/v1/cameras/*/history", send_history, self);
  return self;
}

void history_api_free(HistoryApi **api)
{
  HistoryApi *self = *api;
  *api = NULL;
  if (!self)
    return;
  page_unlisten(self->page, self);
  history_free(&self->history);
  g_free(self);
}
