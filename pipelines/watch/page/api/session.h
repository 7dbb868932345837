/* GET, POST, DELETE /api/v1/session */
#pragma once

#include "page/api/login.h"

typedef struct _SessionApi SessionApi;

/* @login: must live as long */
SessionApi *session_api_new(Page *page, Login *login);

/* *@self may be NULL. */
void session_api_free(SessionApi **self);
