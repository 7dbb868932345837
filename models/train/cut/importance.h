/* Ranks the units of every module of a network. */
#pragma once

#include "train/cut/probe.h"
#include "train/cut/ranking.h"

/* Ranks the units of all modules of @probe's network.
 * Returns: (transfer full): [2 depth], with NULL for missing modules; or NULL with
 * VITGATE_ERROR_ARGUMENT if the network's activations are not finite */
Ranking **rankings_new(Probe *probe, double ridge, GError **error);
void rankings_free(Ranking ***rankings, guint depth);
