/* A network as a model file. */
#pragma once

#include "train/network/network.h"

/* Writes the values under the network's description.
 * @precision: as which they are stored, not auto
 * Returns: FALSE with VITGATE_ERROR_IO */
gboolean network_write(const Network *network, VitgatePrecision precision, const char *path,
                       GError **error);

/* Rounds a network's values to what a file of it will hold. */
void network_round(Network *network, VitgatePrecision precision);
