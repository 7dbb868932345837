/* GET /api/v1/cameras, /api/v1/cameras/NAME */
#pragma once

#include "page/page.h"

typedef struct _CamerasApi CamerasApi;

CamerasApi *cameras_api_new(Page *page);
void cameras_api_free(CamerasApi **self);
