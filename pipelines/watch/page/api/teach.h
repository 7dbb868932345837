/* The part of the HTTP API below /api/v1/teach. */
#pragma once

#include "page/page.h"

typedef struct _TeachApi TeachApi;

/* Adds its routes to the page's server.
 * @page: must outlive it
 * Returns: (transfer full) */
TeachApi *teach_api_new(Page *page);

/* *@self may be NULL. */
void teach_api_free(TeachApi **self);
