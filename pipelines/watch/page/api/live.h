/* GET /api/v1/cameras/NAME/picture, /api/v1/cameras/NAME/live: what cameras see now. */
#pragma once

#include "page/page.h"

typedef struct _LiveApi LiveApi;

LiveApi *live_api_new(Page *page);
void live_api_free(LiveApi **self);
