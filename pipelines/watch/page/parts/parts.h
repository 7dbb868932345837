/* The parts of the page: each adds its routes to the server. */
#pragma once

#include "page/page.h"
#include "page/pictures/snapshots.h"

typedef struct _PageParts PageParts;

/* @page: must outlive them
 * @on_picture: called with the picture of each event
 * Returns: (transfer full) */
PageParts *page_parts_new(Page *page, SnapshotsFunc on_picture, gpointer user_data);

/* *@self may be NULL. */
void page_parts_free(PageParts **self);
