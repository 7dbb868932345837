/* GET /metrics, for Prometheus, and /healthz, for whatever restarts the program */
#pragma once

#include "page/page.h"

void metrics_api_add(Page *page);
