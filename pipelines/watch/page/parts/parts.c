#include "page/parts/parts.h"

#include "page/api/cameras.h"
#include "page/api/session.h"
#include "page/api/static-files.h"
#include "page/api/stream.h"

struct _PageParts {
  SessionApi *session;
  CamerasApi *cameras;
  StreamApi *stream;
};

PageParts *page_parts_new(Page *page)
{
  PageParts *self = g_new0(PageParts, 1);
  static_files_add(page_get_server(page));
  self->session = session_api_new(page);
  self->cameras = cameras_api_new(page);
  self->stream = stream_api_new(page);
  return self;
}

void page_parts_free(PageParts **parts)
{
  PageParts *self = *parts;
  *parts = NULL;
  if (!self)
    return;
  stream_api_free(&self->stream);
  cameras_api_free(&self->cameras);
  session_api_free(&self->session);
  g_free(self);
}
