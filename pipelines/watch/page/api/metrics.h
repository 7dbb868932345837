/* GET /metrics, for Prometheus, and /healthz, for whatever restarts the program */
#pragma once

#include "page/api/login.h"

typedef struct _MetricsApi MetricsApi;

/* @login: must live as long */
MetricsApi *metrics_api_new(Page *page, Login *login);

/* *@self may be NULL. */
void metrics_api_free(MetricsApi **self);
