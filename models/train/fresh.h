/* The random weights that a network begins with. */
#pragma once

#include "network.h"

/* Sets all values but those of gates and structure choices. The same seed gives the same values. */
void network_start_fresh(Network *network, guint64 seed);
