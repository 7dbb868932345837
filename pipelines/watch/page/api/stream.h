/* GET /api/v1/stream: server-sent events */
#pragma once

#include "page/page.h"

typedef struct _StreamApi StreamApi;

StreamApi *stream_api_new(Page *page);

/* *@self may be NULL. */
void stream_api_free(StreamApi **self);
