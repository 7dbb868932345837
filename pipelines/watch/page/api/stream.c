#include "page/api/stream.h"

struct _StreamApi {
  Page *page;
};

static void open_stream(HttpRequest *request, gpointer user_data)
{
  StreamApi *self = user_data;
  http_events_add(page_get_events(self->page), request);
}

StreamApi *stream_api_new(Page *page)
{
  StreamApi *self = g_new0(StreamApi, 1);
  self->page = page;
  http_server_add(page_get_server(page), "GET", "/api/v1/stream", open_stream, self);
  return self;
}

void stream_api_free(StreamApi **self)
{
  g_clear_pointer(self, g_free);
}
