/* Which cameras of a fleet this node owns. Their lines say which node has published them and by
 * which claim, and there are none once the node may no longer publish. So a camera that hangs when
 * it should stop, and wakes up later, publishes nothing for an ownership that is over. May be
 * called from any thread. */
#pragma once

#include <glib.h>

typedef struct _Ownership Ownership;

/* Returns: whether lines of cameras that were claimed with @lease may be published now */
typedef gboolean (*OwnershipFunc)(gint64 lease, gpointer user_data);

/* Returns: (transfer full): without cameras */
Ownership *ownership_new(void);

/* Sets who is asked, and as which node. Removes all cameras.
 * @func: (nullable): NULL: no fleet; returns after its last call */
void ownership_set_node(Ownership *self, const char *node, OwnershipFunc func, gpointer user_data);

/* @claim, @lease: of this ownership */
void ownership_set(Ownership *self, const char *camera, gint64 claim, gint64 lease);

/* Removes all cameras that are not in @names, a set of char *. */
void ownership_keep(Ownership *self, GHashTable *names);

/* Returns: whether something of the camera may be published now: it is not of a fleet, or this node
 * owns it by that claim
 * @claim: by which the camera was started; 0: it is this machine's own */
gboolean ownership_allows(Ownership *self, const char *camera, gint64 claim);

/* Makes the line to publish.
 * @claim: as above
 * @line: a JSON object with a newline, of @length bytes, which is changed
 * @own: (out) (transfer full) (nullable): the line, if it is another one
 * Returns: (transfer none) (nullable): the line, or NULL: it must not be published */
const char *ownership_mark(Ownership *self, const char *camera, gint64 claim, const char *line,
                           gsize *length, char **own);

void ownership_free(Ownership **self);
