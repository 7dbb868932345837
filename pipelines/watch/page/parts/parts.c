#include "page/parts/parts.h"

#include "page/api/cameras.h"
#include "page/api/events.h"
#include "page/api/history.h"
#include "page/api/live.h"
#include "page/api/login.h"
#include "page/api/metrics.h"
#include "page/api/session.h"
#include "page/api/settings.h"
#include "page/api/static-files.h"
#include "page/api/stream.h"
#include "page/api/system.h"
#include "page/api/teach.h"

struct _PageParts {
  Login *login;
  SessionApi *session;
  CamerasApi *cameras;
  SettingsApi *settings;
  StreamApi *stream;
  Frames *frames;
  Snapshots *snapshots;
  EventsApi *events;
  LiveApi *live;
  HistoryApi *history;
  MetricsApi *metrics;
  TeachApi *teach;
};

PageParts *page_parts_new(Page *page, SnapshotsFunc on_picture, gpointer user_data)
{
  PageParts *self = g_new0(PageParts, 1);
  static_files_add(page_get_server(page));
  self->login = login_new(page);
  self->session = session_api_new(page, self->login);
  self->cameras = cameras_api_new(page);
  self->settings = settings_api_new(page);
  self->stream = stream_api_new(page);
  g_autofree char *folder = g_build_filename(page_get_folder(page), "snapshots", NULL);
  self->frames = frames_new();
  self->snapshots = snapshots_new(folder, page_get_config(page)->snapshots);
  snapshots_set_func(self->snapshots, on_picture, user_data);
  self->events = events_api_new(page, self->frames, self->snapshots);
  self->live = live_api_new(page);
  self->history = history_api_new(page);
  system_api_add(page);
  self->metrics = metrics_api_new(page, self->login);
  self->teach = teach_api_new(page, self->snapshots);
  return self;
}

void page_parts_free(PageParts **parts)
{
  PageParts *self = *parts;
  *parts = NULL;
  if (!self)
    return;
  teach_api_free(&self->teach);
  metrics_api_free(&self->metrics);
  history_api_free(&self->history);
  live_api_free(&self->live);
  events_api_free(&self->events);
  snapshots_free(&self->snapshots);
  frames_free(&self->frames);
  stream_api_free(&self->stream);
  settings_api_free(&self->settings);
  cameras_api_free(&self->cameras);
  session_api_free(&self->session);
  login_free(&self->login);
  g_free(self);
}
