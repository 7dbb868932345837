/* The page of the program, in a browser: what its parts share. The parts that serve it are made by
 * page/parts/parts.h. */
#pragma once

#include "page/http/events.h"
#include "page/http/server.h"
#include "page/page-watch.h"

typedef struct _Page Page;

/* Starts the server. Answers nothing before the main loop runs.
 * @config: is copied
 * @watch: is copied
 * Returns: (transfer full) (nullable): NULL with an error that names the address or file */
Page *page_new(const PageConfig *config, const PageWatch *watch, GError **error);

/* Called for every line of a camera's frames and events, before the filters of the log, by the
 * camera's thread: return soon, and never wait.
 * @line: JSON, with a newline */
typedef void (*PageLineFunc)(const char *camera, const char *line, gsize length,
                             gpointer user_data);

/* Adds functions that are called for each line; after a camera's status has changed, by any thread;
 * or after a reload in the main context. They are called until page_free(); add them before cameras
 * start. Any function may be NULL. */
typedef struct {
  PageLineFunc frame, event;
  void (*status_changed)(gpointer user_data); /* return soon, and never wait */
  void (*cameras_changed)(gpointer user_data);
  gpointer user_data;
} PageListener;
void page_listen(Page *self, const PageListener *listener);

/* Stops the calls of page_listen(). Returns after the last one. */
void page_unlisten(Page *self, gpointer user_data);

/* Any thread. */
void page_frame(Page *self, const char *camera, const char *line, gsize length);
void page_event(Page *self, const char *camera, const char *line, gsize length);
void page_status_changed(Page *self);

/* After a reload. */
void page_cameras_changed(Page *self);

/* Frees what is left after its parts were freed. */
void page_free(Page **self);

/* Returns: (transfer none) */
const PageWatch *page_get_watch(Page *self);
const PageConfig *page_get_config(Page *self);
HttpServer *page_get_server(Page *self);
HttpEvents *page_get_events(Page *self);
const char *page_get_folder(Page *self);

/* Size of all snapshots in bytes, which the part that keeps them sets. */
void page_set_snapshots_size(Page *self, guint64 bytes);
guint64 page_get_snapshots_size(Page *self);

/* Sends a server-sent event to all browsers. */
void page_publish(Page *self, const char *event, JsonBuilder *data);
