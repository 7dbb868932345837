/* GET /api/v1/system */
#pragma once

#include "page/page.h"

void system_api_add(Page *page);
