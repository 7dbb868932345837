/* Writes networks as model files. */
#pragma once

#include "train/network/network.h"

/* Writes the network's values and description.
 * @precision: in which values are stored; not auto
 * Returns: FALSE with VITGATE_ERROR_IO */
gboolean network_write(const Network *network, VitgatePrecision precision, const char *path,
                       GError **error);

/* Rounds a network's values to those that a file in @precision holds. */
void network_round(Network *network, VitgatePrecision precision);
