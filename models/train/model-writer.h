/* A network as a model file. */
#pragma once

#include "network.h"

/* Writes the values under the network's description.
 * @precision: "float32" or "int8": matrices as integers of 8 bits with a scale for each row, chosen
 *             so that its largest value is 127, the position embedding as float16
 * Returns: FALSE with VITGATE_ERROR_IO */
gboolean network_write(const Network *network, const char *precision, const char *path,
                       GError **error);

/* Rounds a network's values to what an int8 file of it will hold. */
void network_round_to_int8(Network *network);
