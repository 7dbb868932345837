/* The parts of the page: each adds its routes to the server. */
#pragma once

#include "page/page.h"

typedef struct _PageParts PageParts;

/* @page: must outlive them
 * Returns: (transfer full) */
PageParts *page_parts_new(Page *page);

/* *@self may be NULL. */
void page_parts_free(PageParts **self);
