/* What a fleet does at the moment, for people and programs. */
#pragma once

#include "fleet/connect.h"

/* Lists the cameras with their owners.
 * @json: as one line of JSON; otherwise as a table
 * Returns: (transfer full): NULL with an error of ETCD_ERROR; so does the next one */
char *overview_list(Etcd *etcd, const FleetConfig *config, gboolean json, GError **error);

/* Shows the nodes, the endpoints of etcd, and cameras without an owner. */
char *overview_status(Etcd *etcd, const FleetConfig *config, gboolean json, GError **error);
