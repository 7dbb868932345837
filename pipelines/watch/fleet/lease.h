/* A node's lease and its key at etcd, kept alive by a thread of its own. */
#pragma once

#include "fleet/connect.h"

/* Called by the thread. */
typedef struct {
  void (*changed)(gpointer user_data); /* what lease_get() returns, other than the fence's time */
  /* @error: (nullable): why etcd does not answer, or NULL once it does */
  void (*trouble)(const GError *error, gpointer user_data);
  /* @problem: (nullable): why the node cannot be registered, or NULL once it can */
  void (*problem)(const char *problem, gpointer user_data);
} LeaseFuncs;

typedef struct _Lease Lease;

/* @config: outlives it
 * @id: of this process
 * Returns: (transfer full) */
Lease *lease_new(const FleetConfig *config, const char *id, const LeaseFuncs *funcs,
                 gpointer user_data);

/* Returns: the lease if the node is registered and the fence is not over, or 0 */
gint64 lease_get(Lease *self);

/* Returns: until when lines of cameras that were claimed with @lease may be published, as
 * fence_now() has it; 0: not at all */
gint64 lease_get_fence(Lease *self, gint64 lease);

/* @left: (out): seconds until the fence, or 0
 * @age: (out): seconds since the last renewal that succeeded was sent; -1: there was none */
void lease_get_times(Lease *self, double *left, double *age);

/* Sets the value of the node's key. Without one, the node is not registered. */
void lease_set_value(Lease *self, const char *value);

/* The key is not there, or not ours: register again. */
void lease_register(Lease *self);

/* Ends the thread and revokes the lease, within some seconds. */
void lease_free(Lease **self);
