/* The random weights that a network begins with. */
#pragma once

#include "train/network/network.h"

/* Sets all values but those of gates and structure choices. The same seed gives the same values.
 * @prefix: only of parameters whose names begin with it: "" for all, "head" for the classes */
void network_start_fresh(Network *network, const char *prefix, guint64 seed);
