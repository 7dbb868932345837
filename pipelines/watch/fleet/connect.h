/* Clients of etcd for a fleet, and where its keys are. */
#pragma once

#include "config/fleet-config.h"
#include "fleet/etcd.h"

/* Reads the credentials, so that a changed password only needs a new client.
 * @timeout: seconds
 * @cancellable: (nullable)
 * Returns: (transfer full); NULL with an error of ETCD_ERROR */
Etcd *fleet_connect(const FleetConfig *config, guint timeout, GCancellable *cancellable,
                    GError **error);

/* The parts of a fleet's keys: /vitgate/FLEET/PART/NAME. */
#define FLEET_CAMERAS "cameras"
#define FLEET_NODES   "nodes"
#define FLEET_CLAIMS  "claims"
#define FLEET_DRAIN   "drain"

/* @part: (nullable): NULL: all
 * @name: (nullable): NULL: all of the part
 * Returns: (transfer full): a key, or the prefix of keys */
char *fleet_key(const FleetConfig *config, const char *part, const char *name);
