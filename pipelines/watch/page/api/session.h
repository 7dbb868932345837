/* GET, POST, DELETE /api/v1/session */
#pragma once

#include "page/page.h"

typedef struct _SessionApi SessionApi;

SessionApi *session_api_new(Page *page);

/* *@self may be NULL. */
void session_api_free(SessionApi **self);
