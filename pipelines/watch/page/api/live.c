#include "page/api/live.h"

#include <string.h>

#include "page/pictures/shared-pictures.h"

#define BOUNDARY      "frame"
#define DEFAULT_WIDTH 640 /* of live pictures */
#define MAX_WIDTH     16384

struct _LiveApi {
  Page *page;
  SharedPictures *pictures;
  GPtrArray *streams; /* of Stream */
};

/* A browser that looks at a camera. */
typedef struct {
  LiveApi *api; /* NULL: it was freed */
  HttpStream *stream;
  Viewer *viewer;
  gboolean begun, closing;
} Stream;

/* Returns: (transfer none) (nullable): NULL: there is no such camera; the request has been answered
 */
static Camera *find_camera(LiveApi *self, HttpRequest *request)
{
  const PageWatch *watch = page_get_watch(self->page);
  Camera *camera = watch->find_camera(request->parts[0], watch->user_data);
  if (!camera)
    http_answer_error(request, SOUP_STATUS_NOT_FOUND, "there is no camera \"%s\"",
                      request->parts[0]);
  return camera;
}

static NewestFrame *find_frame(const char *name, gpointer user_data)
{
  const PageWatch *watch = page_get_watch(((LiveApi *)user_data)->page);
  Camera *camera = watch->find_camera(name, watch->user_data);
  return camera ? camera_get_newest_frame(camera) : NULL;
}

/* ---- One picture --------------------------------------------------------------------------- */

static void on_picture(GBytes *jpeg, const GError *error, gpointer user_data)
{
  HttpRequest *request = user_data;
  if (jpeg)
    http_answer_bytes(request, "image/jpeg", jpeg);
  else if (g_error_matches(error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND))
    http_answer_error(request, SOUP_STATUS_NOT_FOUND, "%s", error->message);
  else
    http_answer_error(request, SOUP_STATUS_INTERNAL_SERVER_ERROR, "%s", error->message);
}

static void send_picture(HttpRequest *request, gpointer user_data)
{
  LiveApi *self = user_data;
  guint64 width = 0;
  if (!find_camera(self, request) || !http_query_number(request, "width", 1, MAX_WIDTH, &width))
    return;
  g_autofree char *name = g_strdup(request->parts[0]);
  shared_pictures_get(self->pictures, name, shared_pictures_round_width(width), on_picture,
                      http_pause(request));
}

/* ---- Live pictures ------------------------------------------------------------------------- */

/* Browsers show a picture once the boundary after it has arrived, so that is sent with it. */
static GBytes *make_part(GBytes *jpeg, gboolean first)
{
  gsize size;
  const void *data = g_bytes_get_data(jpeg, &size);
  g_autofree char *head =
      g_strdup_printf("%sContent-Type: image/jpeg\r\nContent-Length: %zu\r\n\r\n",
                      first ? "--" BOUNDARY "\r\n" : "", size);
  static const char tail[] = "\r\n--" BOUNDARY "\r\n";
  GByteArray *part = g_byte_array_sized_new((guint)(strlen(head) + size + strlen(tail)));
  g_byte_array_append(part, (const guint8 *)head, (guint)strlen(head));
  g_byte_array_append(part, data, (guint)size);
  g_byte_array_append(part, (const guint8 *)tail, (guint)strlen(tail));
  return g_byte_array_free_to_bytes(part);
}

static gboolean show(GBytes *jpeg, gpointer user_data)
{
  Stream *stream = user_data;
  if (stream->closing)
    return FALSE;
  if (!jpeg) {
    stream->closing = TRUE;
    http_stream_close(stream->stream);
    return FALSE;
  }
  g_autoptr(GBytes) part = make_part(jpeg, !stream->begun);
  gboolean sent = http_stream_write(stream->stream, part);
  stream->begun |= sent;
  return sent;
}

static void on_close(gpointer user_data)
{
  Stream *stream = user_data;
  if (stream->api) {
    shared_pictures_unwatch(stream->api->pictures, stream->viewer);
    g_ptr_array_remove_fast(stream->api->streams, stream);
  }
  g_free(stream);
}

static void send_live(HttpRequest *request, gpointer user_data)
{
  LiveApi *self = user_data;
  guint64 width = DEFAULT_WIDTH;
  if (!find_camera(self, request) || !http_query_number(request, "width", 1, MAX_WIDTH, &width))
    return;
  g_autofree char *name = g_strdup(request->parts[0]);
  Stream *stream = g_new0(Stream, 1);
  stream->stream =
      http_stream_new(request, "multipart/x-mixed-replace; boundary=" BOUNDARY, on_close, stream);
  if (!stream->stream) {
    g_free(stream);
    return;
  }
  stream->api = self;
  stream->viewer =
      shared_pictures_watch(self->pictures, name, shared_pictures_round_width(width), show, stream);
  g_ptr_array_add(self->streams, stream);
}

/* -------------------------------------------------------------------------------------------- */

LiveApi *live_api_new(Page *page)
{
  LiveApi *self = g_new0(LiveApi, 1);
  HttpServer *server = page_get_server(page);
  self->page = page;
  self->pictures = shared_pictures_new(find_frame, self);
  self->streams = g_ptr_array_new();
  http_server_add(server, "GET", "/api/v1/cameras/*/picture", send_picture, self);
  http_server_add(server, "GET", "/api/v1/cameras/*/live", send_live, self);
  return self;
}

void live_api_free(LiveApi **api)
{
  LiveApi *self = *api;
  *api = NULL;
  if (!self)
    return;
  for (guint i = 0; i < self->streams->len; i++) {
    Stream *stream = self->streams->pdata[i];
    shared_pictures_unwatch(self->pictures, stream->viewer);
    stream->api = NULL;
    stream->closing = TRUE;
    http_stream_close(stream->stream);
  }
  g_ptr_array_unref(self->streams);
  shared_pictures_free(&self->pictures);
  g_free(self);
}
