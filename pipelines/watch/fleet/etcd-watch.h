/* A watch of etcd: the changes of all keys with a prefix, in their order. */
#pragma once

#include "fleet/etcd.h"

typedef struct _EtcdWatch EtcdWatch;

/* Starts a watch. Use a client that nothing else uses.
 * @revision: the first revision whose changes are wanted
 * Returns: (transfer full); NULL with an error of ETCD_ERROR; ETCD_ERROR_COMPACTED may also come
 * with the first call of etcd_watch_next() */
EtcdWatch *etcd_watch_new(Etcd *etcd, const char *prefix, gint64 revision, GError **error);

/* Waits for changes, as long as the client's time limit.
 * @revision: (out) (optional): a watch that follows this one starts here
 * Returns: (transfer full): of EtcdItem; may be empty. NULL with an error of ETCD_ERROR: the watch
 * is over then, except with ETCD_ERROR_QUIET: call this again to wait on. */
GPtrArray *etcd_watch_next(EtcdWatch *self, gint64 *revision, GError **error);

void etcd_watch_free(EtcdWatch **self);
