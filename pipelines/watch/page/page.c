#include "page/page.h"

#include "page/password.h"

struct _Page {
  PageConfig *config;
  PageWatch watch;
  HttpServer *server;
  HttpEvents *events;
  guint64 snapshots_size;
  GRWLock lock;      /* of the listeners */
  GArray *listeners; /* of PageListener */
};

Page *page_new(const PageConfig *config, const PageWatch *watch, GError **error)
{
  const HttpServerOptions options = {
    .address = config->address,
    .port = config->port,
    .hosts = config->hosts,
    .certificate = config->certificate,
    .key = config->private_key,
  };
  g_autofree char *hash =
      config->password_file ? password_read(config->password_file, error) : NULL;
  if (config->password_file && !hash) {
    g_prefix_error(error, "password-file: ");
    return NULL;
  }
  HttpServer *server = http_server_new(&options, error);
  if (!server)
    return NULL;
  Page *self = g_new0(Page, 1);
  self->config = page_config_copy(config);
  self->watch = *watch;
  self->server = server;
  self->events = http_events_new();
  self->listeners = g_array_new(FALSE, FALSE, sizeof(PageListener));
  g_rw_lock_init(&self->lock);
  return self;
}

void page_free(Page **page)
{
  Page *self = *page;
  *page = NULL;
  if (!self)
    return;
  http_server_free(&self->server);
  http_events_free(&self->events);
  page_config_free(self->config);
  g_array_unref(self->listeners);
  g_rw_lock_clear(&self->lock);
  g_free(self);
}

/* ---- Listeners ----------------------------------------------------------------------------- */

void page_listen(Page *self, const PageListener *listener)
{
  g_rw_lock_writer_lock(&self->lock);
  g_array_append_val(self->listeners, *listener);
  g_rw_lock_writer_unlock(&self->lock);
}

void page_unlisten(Page *self, gpointer user_data)
{
  g_rw_lock_writer_lock(&self->lock);
  for (guint i = self->listeners->len; i-- > 0;)
    if (g_array_index(self->listeners, PageListener, i).user_data == user_data)
      g_array_remove_index(self->listeners, i);
  g_rw_lock_writer_unlock(&self->lock);
}

void page_frame(Page *self, const char *camera, const char *line, gsize length)
{
  g_rw_lock_reader_lock(&self->lock);
  for (guint i = 0; i < self->listeners->len; i++) {
    const PageListener *listener = &g_array_index(self->listeners, PageListener, i);
    if (listener->frame)
      listener->frame(camera, line, length, listener->user_data);
  }
  g_rw_lock_reader_unlock(&self->lock);
}

void page_event(Page *self, const char *camera, const char *line, gsize length)
{
  g_rw_lock_reader_lock(&self->lock);
  for (guint i = 0; i < self->listeners->len; i++) {
    const PageListener *listener = &g_array_index(self->listeners, PageListener, i);
    if (listener->event)
      listener->event(camera, line, length, listener->user_data);
  }
  g_rw_lock_reader_unlock(&self->lock);
}

void page_status_changed(Page *self)
{
  g_rw_lock_reader_lock(&self->lock);
  for (guint i = 0; i < self->listeners->len; i++) {
    const PageListener *listener = &g_array_index(self->listeners, PageListener, i);
    if (listener->status_changed)
      listener->status_changed(listener->user_data);
  }
  g_rw_lock_reader_unlock(&self->lock);
}

void page_cameras_changed(Page *self)
{
  g_rw_lock_reader_lock(&self->lock);
  for (guint i = 0; i < self->listeners->len; i++) {
    const PageListener *listener = &g_array_index(self->listeners, PageListener, i);
    if (listener->cameras_changed)
      listener->cameras_changed(listener->user_data);
  }
  g_rw_lock_reader_unlock(&self->lock);
}

/* ---- Shared things ------------------------------------------------------------------------- */

const PageWatch *page_get_watch(Page *self)
{
  return &self->watch;
}

const PageConfig *page_get_config(Page *self)
{
  return self->config;
}

HttpServer *page_get_server(Page *self)
{
  return self->server;
}

HttpEvents *page_get_events(Page *self)
{
  return self->events;
}

const char *page_get_folder(Page *self)
{
  return self->config->folder;
}

void page_set_snapshots_size(Page *self, guint64 bytes)
{
  self->snapshots_size = bytes;
}

guint64 page_get_snapshots_size(Page *self)
{
  return self->snapshots_size;
}

void page_publish(Page *self, const char *event, JsonBuilder *data)
{
  http_events_send(self->events, event, data);
}
