/* One member of a fleet: holds a lease of etcd, claims the cameras that are its own, and gives away
 * those that belong to others. It has threads of its own, so several may live in one process.
 *
 * Who should have which camera is computed (fleet/assignment.h); who has it is what etcd's claim
 * says. A claim ends with the node's lease. */
#pragma once

#include <gio/gio.h>

#include "config/fleet-config.h"
#include "fleet/claims.h"

typedef struct _FleetNode FleetNode;

/* Called by the node's threads; they must return soon. */
typedef struct {
  /* Which cameras this node owns now, all of them. Once those that are not among them have stopped,
   * call fleet_node_settled() with @serial: only then may another node have them.
   * @cameras: of FleetCamera; take a reference to keep it */
  void (*changed)(GPtrArray *cameras, guint64 serial, gpointer user_data);
  /* Returns: FALSE with an error if this node cannot run the camera */
  gboolean (*check)(const char *name, const char *text, GError **error, gpointer user_data);
  /* GMAC/s that the cameras use now, and that this machine can do, which may take a moment to find
   * out. Each may be NULL. */
  double (*load)(gpointer user_data);
  double (*capacity)(gpointer user_data);
  /* Something that people should know. */
  void (*report)(const char *message, gpointer user_data);
} FleetFuncs;

typedef struct {
  gboolean connected; /* to etcd */
  gboolean member;    /* the lease is valid, and the node registered */
  guint owned;        /* cameras of this node */
  guint cameras;      /* of the fleet */
  guint unowned;      /* of the fleet */
  guint refused;      /* that this node cannot run */
  guint nodes;        /* of the fleet */
  gboolean draining;
  double capacity, load; /* GMAC/s */
  double lease_left;     /* seconds for which the node may publish without a renewal; 0: not */
  double renewal_age;    /* seconds since the last renewal that succeeded was sent; -1: never */
  guint64 won, lost;     /* claims since the start; those that ended without this node's doing */
  guint64 etcd_errors;   /* since the start */
  char *error;           /* (nullable): why it is not connected or no member */
} FleetNodeStatus;

/* Starts a node. Etcd need not be there.
 * Returns: (transfer full); NULL with an error that names a file that cannot be read */
FleetNode *fleet_node_new(const FleetConfig *config, const FleetFuncs *funcs, gpointer user_data,
                          GError **error);

/* May be called from any thread: the cameras that changed() with @serial has left out have stopped.
 */
void fleet_node_settled(FleetNode *self, guint64 serial);

/* Returns: whether lines of cameras that were claimed with @lease may be published now. Ask for
 * each line. */
gboolean fleet_node_may_publish(FleetNode *self, gint64 lease);

/* Returns: whether this node is a member of its fleet now */
gboolean fleet_node_alive(FleetNode *self);

/* Changes what the machine can do, in GMAC/s; 0: measured. */
void fleet_node_set_capacity(FleetNode *self, double capacity);

/* Returns: whether the fleet still has the camera, whoever watches it */
gboolean fleet_node_has_camera(FleetNode *self, const char *name);

/* @status: (out): free it with fleet_node_status_clear() */
void fleet_node_get_status(FleetNode *self, FleetNodeStatus *status);
void fleet_node_status_clear(FleetNodeStatus *status);

/* Ends the node. Its cameras must have stopped: the lease is revoked, so others claim them at
 * once. Calls none of its functions any more. */
void fleet_node_free(FleetNode **self);
