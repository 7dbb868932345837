/* A client of etcd's v3 API: its JSON gateway over HTTP. Make one with etcd_new(). Calls block, so
 * they are for threads of their own. */
#pragma once

#include "fleet/etcd-http.h"
#include "fleet/etcd-json.h"

/* Every function returns FALSE or NULL with an error of ETCD_ERROR that names the endpoint. After
 * ETCD_ERROR_UNAVAILABLE and ETCD_ERROR_CANCELLED, it is unknown whether etcd has carried out the
 * request. */

/* @item: (out): free it with etcd_item_free(); NULL if there is no such key
 * @revision: (out) (optional): of the store when it was read */
gboolean etcd_get(Etcd *self, const char *key, EtcdItem **item, gint64 *revision, GError **error);

/* Asks the endpoint that has answered last, and no other, for the store's newest revision: it has
 * one only while it belongs to a cluster with a leader.
 * @key: one that may be read; it need not exist
 * Returns: the revision; 0 with an error */
gint64 etcd_get_revision(Etcd *self, const char *key, GError **error);

/* Reads all keys that start with @prefix, as they were at one revision.
 * @revision: (out) (optional): that revision: a watch goes on at the next one
 * Returns: (transfer full): of EtcdItem, sorted by key */
GPtrArray *etcd_get_prefix(Etcd *self, const char *prefix, gint64 *revision, GError **error);

/* @lease: 0: none */
gboolean etcd_put(Etcd *self, const char *key, const char *value, gint64 lease, GError **error);

/* @existed: (out) (optional) */
gboolean etcd_delete(Etcd *self, const char *key, gboolean *existed, GError **error);

/* Creates a key, unless it exists.
 * @guard: (nullable): another key that has to exist with the mod revision @guard_revision
 * @revision: (out): the create revision of the new key, or 0 if it was not created */
gboolean etcd_create(Etcd *self, const char *key, const char *value, gint64 lease,
                     const char *guard, gint64 guard_revision, gint64 *revision, GError **error);

/* Deletes a key if its mod revision is @mod_revision.
 * @deleted: (out) (optional) */
gboolean etcd_delete_if(Etcd *self, const char *key, gint64 mod_revision, gboolean *deleted,
                        GError **error);

/* @ttl: seconds
 * @lease: (out): its id, never 0 */
gboolean etcd_grant(Etcd *self, guint ttl, gint64 *lease, GError **error);

/* @ttl: (out): seconds left, 0: the lease has expired */
gboolean etcd_keep_alive(Etcd *self, gint64 lease, gint64 *ttl, GError **error);

/* Does not prolong the lease. @ttl: as above */
gboolean etcd_time_to_live(Etcd *self, gint64 lease, gint64 *ttl, GError **error);

/* Ends a lease; its keys are deleted. A lease that does not exist is no error. */
gboolean etcd_revoke(Etcd *self, gint64 lease, GError **error);

/* Asks one endpoint, and no other, whether it is a healthy member of a cluster with a leader.
 * @index: of the options' endpoints */
gboolean etcd_check_endpoint(Etcd *self, guint index, GError **error);
