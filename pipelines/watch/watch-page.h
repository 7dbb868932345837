/* The page, as the program starts, changes and ends it. Without libsoup there is none, and these
 * functions do nothing. */
#pragma once

#include "output/outputs.h"
#include "page/page-watch.h"

typedef struct _WatchPage WatchPage;

/* @outputs: must outlive it; their observer is the page
 * Returns: (transfer full) */
WatchPage *watch_page_new(const PageWatch *watch, Outputs *outputs);

/* Starts the page.
 * @config: (nullable): NULL: no page
 * Returns: FALSE with an error */
gboolean watch_page_start(WatchPage *self, const PageConfig *config, GError **error);

/* Does the same, but a page that cannot start is tried again from time to time, since cameras are
 * watched even if nobody can look. */
void watch_page_keep_trying(WatchPage *self, const PageConfig *config);

/* Follows the cameras after a reload, and starts the page anew if its keys have changed. */
void watch_page_change(WatchPage *self, const PageConfig *config);

/* Call it before the cameras and the outputs are freed. *@self may be NULL. */
void watch_page_free(WatchPage **self);

/* Returns: FALSE with an error if the program was built without the page */
gboolean watch_page_is_built(GError **error);

/* Asks for a new password, and prints its hash.
 * Returns: FALSE with an error */
gboolean watch_page_ask_password(GError **error);
