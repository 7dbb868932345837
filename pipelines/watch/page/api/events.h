/* GET /api/v1/events, /api/v1/events/ID/snapshot, and the server-sent event "event". */
#pragma once

#include "page/page.h"
#include "page/pictures/frames.h"
#include "page/pictures/snapshots.h"

typedef struct _EventsApi EventsApi;

/* @frames, @snapshots: must outlive it */
EventsApi *events_api_new(Page *page, Frames *frames, Snapshots *snapshots);
void events_api_free(EventsApi **self);
