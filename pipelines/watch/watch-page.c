#include "watch-page.h"

#ifdef VITGATE_HAVE_PAGE

#include "base/console.h"
#include "page/parts/parts.h"
#include "page/password.h"

#define RETRY_INTERVAL 10 /* seconds */

struct _WatchPage {
  PageWatch watch;
  Outputs *outputs;
  PageConfig *config; /* (nullable): as it should be */
  Page *page;         /* (nullable): NULL: not running */
  PageParts *parts;
  char *told; /* (nullable): the last error */
  guint retry_timer;
  PageConfig *next; /* (nullable): that it is to have */
  guint change_idle;
};

static void on_line(const char *camera, gboolean event, const char *line, gsize length,
                    gpointer user_data)
{
  if (event)
    page_event(user_data, camera, line, length);
  else
    page_frame(user_data, camera, line, length);
}

static void on_status(gpointer user_data)
{
  page_status_changed(user_data);
}

/* Called by a thread of the page. */
static void on_picture(const char *camera, GBytes *jpeg, gpointer user_data)
{
  outputs_picture(user_data, camera, jpeg);
}

static void stop_page(WatchPage *self)
{
  g_clear_handle_id(&self->retry_timer, g_source_remove);
  outputs_set_observer(self->outputs, NULL);
  page_parts_free(&self->parts);
  page_free(&self->page);
}

static gboolean start_page(WatchPage *self, GError **error)
{
  self->page = page_new(self->config, &self->watch, error);
  if (!self->page)
    return FALSE;
  self->parts = page_parts_new(self->page, on_picture, self->outputs);
  const OutputsObserver observer = { on_line, on_status, self->page };
  outputs_set_observer(self->outputs, &observer);
  console_print("page: %s", http_server_get_url(page_get_server(self->page)));
  return TRUE;
}

static gboolean retry(gpointer user_data)
{
  WatchPage *self = user_data;
  g_autoptr(GError) error = NULL;
  if (!start_page(self, &error)) {
    if (g_strcmp0(error->message, self->told))
      console_print("page: %s", error->message);
    g_free(self->told);
    self->told = g_strdup(error->message);
    return G_SOURCE_CONTINUE;
  }
  self->retry_timer = 0;
  return G_SOURCE_REMOVE;
}

gboolean watch_page_start(WatchPage *self, const PageConfig *config, GError **error)
{
  g_clear_pointer(&self->config, page_config_free);
  if (!config)
    return TRUE;
  self->config = page_config_copy(config);
  return start_page(self, error);
}

void watch_page_keep_trying(WatchPage *self, const PageConfig *config)
{
  g_autoptr(GError) error = NULL;
  if (watch_page_start(self, config, &error))
    return;
  console_print("page: %s; trying again every %d s", error->message, RETRY_INTERVAL);
  g_free(self->told);
  self->told = g_strdup(error->message);
  self->retry_timer = g_timeout_add_seconds(RETRY_INTERVAL, retry, self);
}

WatchPage *watch_page_new(const PageWatch *watch, Outputs *outputs)
{
  WatchPage *self = g_new0(WatchPage, 1);
  self->watch = *watch;
  self->outputs = outputs;
  return self;
}

/* A request of the page may have asked for the reload, so the page stays until it is answered. */
static gboolean change(gpointer user_data)
{
  WatchPage *self = user_data;
  PageConfig *next = g_steal_pointer(&self->next);
  self->change_idle = 0;
  stop_page(self);
  watch_page_keep_trying(self, next);
  page_config_free(next);
  return G_SOURCE_REMOVE;
}

void watch_page_change(WatchPage *self, const PageConfig *config)
{
  g_clear_handle_id(&self->change_idle, g_source_remove);
  g_clear_pointer(&self->next, page_config_free);
  if (!page_config_equal(self->config, config)) {
    self->next = config ? page_config_copy(config) : NULL;
    self->change_idle = g_idle_add(change, self);
  } else if (self->page) {
    page_cameras_changed(self->page);
  }
}

void watch_page_free(WatchPage **page)
{
  WatchPage *self = *page;
  *page = NULL;
  if (!self)
    return;
  g_clear_handle_id(&self->change_idle, g_source_remove);
  stop_page(self);
  page_config_free(self->next);
  page_config_free(self->config);
  g_free(self->told);
  g_free(self);
}

gboolean watch_page_is_built(GError **error)
{
  return TRUE;
}

gboolean watch_page_ask_password(GError **error)
{
  return password_ask(error);
}

#else

WatchPage *watch_page_new(const PageWatch *watch, Outputs *outputs)
{
  return NULL;
}

gboolean watch_page_start(WatchPage *self, const PageConfig *config, GError **error)
{
  return TRUE;
}

void watch_page_keep_trying(WatchPage *self, const PageConfig *config)
{
}

void watch_page_change(WatchPage *self, const PageConfig *config)
{
}

void watch_page_free(WatchPage **self)
{
}

gboolean watch_page_is_built(GError **error)
{
  g_set_error_literal(error, G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED, NO_PAGE);
  return FALSE;
}

gboolean watch_page_ask_password(GError **error)
{
  return watch_page_is_built(error);
}

#endif
