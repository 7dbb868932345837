/* The part of the HTTP API below /api/v1/teach. */
#pragma once

#include "page/page.h"
#include "page/pictures/snapshots.h"

typedef struct _TeachApi TeachApi;

/* Adds its routes to the page's server.
 * @page, @snapshots: must outlive it
 * Returns: (transfer full) */
TeachApi *teach_api_new(Page *page, Snapshots *snapshots);

/* *@self may be NULL. */
void teach_api_free(TeachApi **self);
