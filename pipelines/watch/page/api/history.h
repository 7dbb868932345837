/* GET /api/v1/cameras/NAME/history: the last hour. */
#pragma once

#include "page/page.h"

typedef struct _HistoryApi HistoryApi;

HistoryApi *history_api_new(Page *page);
void history_api_free(HistoryApi **self);
